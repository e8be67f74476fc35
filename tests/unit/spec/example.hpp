// DESIGN section 5, with a value for every key that one machine knows.
#pragma once

namespace arashi::test {

inline constexpr const char* example = R"(apiVersion: arashi.dev/v1
kind: Experiment
metadata: {name: checkout-survives-a-slow-ledger, labels: {team: payments}}
spec:
  hypothesis: Checkout keeps its SLO while half of the ledger answers 200 ms late.
  targets:
    ledger: {netns: {name: pay-ledger-*}, pick: {percent: 50, seed: 7}}
    wallet: {process: {name: wallet}, pick: one}
  slos:
    checkout: {objective: 99.9%, window: 30d, load: checkout, latency: 300ms}      # measured by the load below
    payments:
      objective: 99.95%
      prometheus: {url: "http://127.0.0.1:9090/", bad: 'sum(r{code=~"5.."})', total: sum(r), every: 2s, scrape: 5s, headers: {A: b}}
  load:
    checkout: {url: "http://10.0.0.1/checkout", method: POST, rate: 200/s, headers: {X-Trace: 1}, body: "{}", timeout: 2s, connections: 50}
  guard:
    budget: 2%
    onNoData:
      hold: 10s
  checks:
    money: {command: [demo/ledger-sum], expect: {exit: 0}, when: [before, after], timeout: 20s}
    alive: {http: "http://127.0.0.1/health", expect: {status: 204}, every: 5s}
  steadyState: {for: 10s}
  # the order of writing need not be the order of time
  timeline:

    - {at: 30s, for: 30s, fault: process.kill,   on: wallet, with: {signal: KILL, every: 10s}}
    - {at: 0s,  for: 60s, fault: network.impair, on: ledger, with: {delay: 200ms, jitter: 20ms, loss: 1%}}
  recovery: {within: 30s}
  limits: {targets: 3, share: 50%, duration: 5m, window: {days: mon-fri, hours: 10:00-16:00, timezone: Asia/Tokyo}}
)";

}  // namespace arashi::test
