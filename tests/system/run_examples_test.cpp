// Every example on the demo platform, run by the real `arashi`. What is asserted is seen by other programs: curl, ping, redis-cli, /proc.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>

namespace arashi::testing {

namespace {

constexpr const char* gateway = "http://10.87.0.10/transfer";

using Times = std::vector<std::optional<double>>;

std::ptrdiff_t between(const Times& times, double least, double most) {
  return std::ranges::count_if(times, [&](const auto& took) { return took && *took >= least && *took < most; });
}

void check_left_as_found(const Snapshot& before, Run& run) {
  CHECK(eventually([&] { return difference(before, Platform::snapshot(run.ids())).empty(); }));
  CHECK(difference(before, Platform::snapshot(run.ids())) == "");
  CHECK(demo("sum").exit_code == 0);
  for (const auto& step : run.steps()) CHECK((step == "reverted" || step == "intended"));
}

double time_of(const Json& result, const char* name) {
  const Json& at = result["times"][name];
  INFO(name);
  REQUIRE(at.is_number());
  return at;
}

}  // namespace

TEST_CASE("held: transfers survive a slow ledger, and the slowness is seen from outside") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::optional<double>> transfers([] { return time_of_transfer(gateway); });
  Run run({example("held.yaml")});
  CHECK(run.wait() == 0);
  const Times times = transfers.all();
  CHECK(between(times, 0.040, 0.5) > 40);  // 15 s of 50 ms ± 10 ms, asked ten times a second
  CHECK(between(times, 0, 0.030) > 10);    // before and after
  CHECK(eventually([] { return time_of_transfer(gateway).value_or(9) < 0.030; }));
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  REQUIRE(run.result["faults"].size() == 3);
  for (const auto& fault : run.result["faults"]) {
    CHECK(fault["evidence"]["inPlace"] == true);
    CHECK(fault["evidence"]["bit"] == true);
    CHECK(fault["mechanism"] != "");
  }
  REQUIRE(run.result["checks"].size() == 2);
  for (const auto& check : run.result["checks"]) CHECK(check["passed"] == true);
  CHECK(std::filesystem::file_size(run.folder / "report.html") > 10'000);
  check_left_as_found(before, run);
}

TEST_CASE("refuted: the guard aborts, everything is reverted, and the report has the times") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::vector<std::int32_t>> pids([] {
    auto all = pids_of_pod("wallet-1");
    for (const char* name : {"wallet-2", "wallet-3"})
      for (const auto pid : pids_of_pod(name)) all.push_back(pid);
    return all;
  });
  Run run({example("refuted.yaml")});
  CHECK(run.wait() == 1);
  std::set<std::int32_t> wallets;
  for (const auto& seen : pids.all()) wallets.insert(seen.begin(), seen.end());
  CHECK(wallets.size() > 3);  // the killed one came back as another process
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "refuted");
  CHECK(run.result["abort"]["abort"] == true);
  CHECK(run.result["abort"]["reasons"][0]["slo"] == "transfers");
  CHECK(time_of(run.result, "firstInjection") <= time_of(run.result, "firstBad"));
  CHECK(time_of(run.result, "firstBad") <= time_of(run.result, "decision"));
  CHECK(time_of(run.result, "decision") <= time_of(run.result, "lastRevert"));
  CHECK(time_of(run.result, "lastRevert") <= time_of(run.result, "recovered"));
  CHECK(time_of(run.result, "lastRevert") - time_of(run.result, "decision") < 1);
  CHECK(time_of(run.result, "decision") < 30);  // long before the timeline's 60 s
  check_left_as_found(before, run);
}

TEST_CASE("refused: where the steady state does not hold nothing is injected") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("refused-steady.yaml")});
  CHECK(run.wait() == 3);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "refused");
  CHECK(run.result["times"]["firstInjection"].is_null());
  check_left_as_found(before, run);
}

TEST_CASE("refused: where limits would be broken nothing is injected, and the reason names the limit") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("refused-limits.yaml")});
  CHECK(run.wait() == 3);
  CHECK(run.output.find("limits") != std::string::npos);
  CHECK(run.output.find('3') != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("inconclusive: a fault that bit nobody is no proof") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("inconclusive.yaml")});
  CHECK(run.wait() == 5);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "inconclusive");
  REQUIRE(run.result["faults"].size() == 3);
  for (const auto& fault : run.result["faults"]) CHECK(fault["evidence"]["bit"] == false);
  CHECK(run.result["reasons"].dump().find("matched no traffic") != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("pause: a frozen wallet does not answer, and does again afterwards") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const auto pids = pids_of_pod("wallet-1");
  Watch<int> frozen([] {
    return ::arashi::testing::run(
               {"curl", "--silent", "--max-time", "0.3", "--noproxy", "*", "--output", "/dev/null", "http://10.87.0.21:8080/metrics"})
        .exit_code;
  });
  Run run({example("pause.yaml")});
  CHECK(run.wait() == 0);
  const auto seen = frozen.all();
  CHECK(std::ranges::count(seen, 28) >= 3);  // curl's "timed out"
  CHECK(std::ranges::count(seen, 0) >= 3);
  CHECK(seen.back() == 0);
  CHECK(pids_of_pod("wallet-1") == pids);  // paused and not killed
  check_left_as_found(before, run);
}

TEST_CASE("partition: the gateway cannot reach one wallet and can reach the others") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const auto ping = [](const char* address) {
    return [address] { return ::arashi::testing::run_in(pod("gateway"), {"ping", "-c", "1", "-W", "0.3", address}).exit_code; };
  };
  Watch<int> cut(ping("10.87.0.21")), open(ping("10.87.0.22"));
  Run run({example("partition.yaml")});
  CHECK(run.wait() == 0);
  const auto lost = cut.all(), kept = open.all();
  CHECK(std::ranges::count(lost, 1) >= 8);
  CHECK(std::ranges::count(kept, 1) * 8 <= std::ranges::count(lost, 1));  // a busy machine may lose one by itself
  CHECK(lost.back() == 0);
  check_left_as_found(before, run);
}

TEST_CASE("selection: what the gateway asks of the wallets over TCP is late, and nothing else") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const auto seconds_of = [](const std::vector<std::string>& asking) {
    return [asking]() -> std::optional<double> {
      const Ran ran = run_in(pod("gateway"), asking);
      return ran.exit_code == 0 && !ran.output.empty() ? std::optional(std::strtod(ran.output.c_str(), nullptr)) : std::nullopt;
    };
  };
  Watch<std::optional<double>> wallets(
      seconds_of({"curl", "-s", "-o", "/dev/null", "-m", "3", "-w", "%{time_total}", "http://10.87.0.21:8080/metrics"}));
  Watch<std::optional<double>> others(seconds_of({"sh", "-c", "ping -q -c 1 -W 1 10.87.0.21 | sed -n 's|^rtt.*= ||p'"}));
  Run run({example("selection.yaml")});
  CHECK(run.wait() == 0);
  const Times late = wallets.all(), pings = others.all();
  CHECK(between(late, 0.058, 3) >= 10);                           // a connection and a request, each 30 ms late, for 8 s
  CHECK(between(late, 0, 0.030) >= 10);                           // before and after
  CHECK(between(pings, 0, 25) >= 40);                             // ms: ICMP to the same wallet
  CHECK(between(pings, 25, 3000) * 20 <= between(pings, 0, 25));  // a busy machine is late by itself now and then
  check_left_as_found(before, run);
}

TEST_CASE("loopback: who asks the ledger from beside it waits, and transfers do not") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::optional<double>> beside([]() -> std::optional<double> {
    const auto start = std::chrono::steady_clock::now();
    if (run_in(pod("ledger"), {"redis-cli", "-h", "127.0.0.1", "ping"}).output != "PONG\n") return std::nullopt;
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  });
  Watch<std::optional<double>> transfers([] { return time_of_transfer(gateway); });
  Run run({example("loopback.yaml")});
  CHECK(run.wait() == 0);
  const Times asked = beside.all(), served = transfers.all();
  CHECK(between(asked, 0.095, 3) >= 20);  // a connection and a question, each 50 ms late, for 10 s
  CHECK(between(asked, 0, 0.095) >= 10);  // before and after
  CHECK(between(served, 0, 0.049) * 4 >=
        static_cast<std::ptrdiff_t>(served.size()) * 3);  // the fault is there for more than half of the time
  check_left_as_found(before, run);
}

TEST_CASE("shared namespace: a service that speaks with nobody loses nothing, which proves nothing, and who shares its namespace goes on") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::optional<double>> transfers([] { return time_of_transfer(gateway); });
  Run run({example("shared-namespace.yaml")});
  CHECK(run.wait() == 5);
  CHECK(run.result["outcome"] == "inconclusive");
  CHECK(run.result["faults"][0]["evidence"]["inPlace"] == true);
  CHECK(run.result["faults"][0]["evidence"]["bit"] == false);
  const Times served = transfers.all();
  CHECK(served.size() > 20);
  CHECK(std::ranges::count_if(served, [](const auto& took) { return !took; }) * 20 <= static_cast<std::ptrdiff_t>(served.size()));
  check_left_as_found(before, run);
}

TEST_CASE("network: one wallet's device goes down and comes up, another one's connections are reset, and transfers go on") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<bool> up([] {
    return run_in(pod("wallet-1"), {"ip", "-br", "link", "show", "eth0", "up"}).output.find("eth0") != std::string::npos;
  });
  Run run({example("network.yaml")});
  CHECK(run.wait() == 0);
  const auto seen = up.all();
  CHECK(std::ranges::count(seen, false) >= 4);  // down for 1 s, twice, asked ten times a second
  CHECK(std::ranges::count(seen, true) >= 20);
  REQUIRE(!seen.empty());
  CHECK(seen.back());
  REQUIRE(run.result.is_object());
  REQUIRE(run.result["faults"].size() == 2);
  for (const auto& fault : run.result["faults"]) CHECK(fault["evidence"]["bit"] == true);
  check_left_as_found(before, run);
}

TEST_CASE("ports: the gateway can open no connection to a wallet, and transfers go on over those that it keeps") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<int> connects([] { return run_in(pod("gateway"), {"nc", "-z", "-w", "1", "10.87.0.22", "8080"}).exit_code; });
  Run run({example("ports.yaml")});
  CHECK(run.wait() == 0);
  const auto seen = connects.all();
  CHECK(std::ranges::count(seen, 1) >= 10);
  CHECK(std::ranges::count(seen, 0) >= 10);
  REQUIRE(!seen.empty());
  CHECK(seen.back() == 0);
  check_left_as_found(before, run);
}

TEST_CASE("dns: names resolve late, then not at all, as dig sees it, and the gateway takes the wallets that it knows instead") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::string> answers([] { return run_in(pod("gateway"), {"dig", "+time=2", "+tries=1", "@10.87.0.50", "wallet.demo"}).output; });
  Watch<std::string> found_by([] {
    return ::arashi::testing::run(
               {"curl", "-s", "-m", "3", "--noproxy", "*", "-D", "-", "-X", "POST", "http://10.87.0.10/by-name/transfer"})
        .output;
  });
  Run run({example("dns.yaml")});
  CHECK(run.wait() == 0);
  const auto answered = answers.all(), served = found_by.all();
  const auto count = [](const std::vector<std::string>& texts, const char* part) {
    return std::ranges::count_if(texts, [&](const std::string& text) { return text.find(part) != std::string::npos; });
  };
  const auto late = std::ranges::count_if(answered, [](const std::string& text) {
    const auto at = text.find("Query time: ");
    return at != std::string::npos && std::atoi(text.c_str() + at + 12) >= 198 && text.find("10.87.0.21") != std::string::npos;
  });
  CHECK(late >= 8);  // 5 s of 200 ms and the watch's 100 ms between them
  CHECK(count(answered, "NXDOMAIN") >= 15);
  CHECK(count(served, "Wallet-Found-By: name") >= 20);
  CHECK(count(served, "Wallet-Found-By: list") >= 15);
  CHECK(count(served, "\"moved\"") * 20 >= static_cast<std::ptrdiff_t>(served.size()) * 19);
  REQUIRE(!answered.empty());
  CHECK(answered.back().find("10.87.0.22") != std::string::npos);
  REQUIRE(run.result.is_object());
  for (const auto& fault : run.result["faults"]) CHECK(fault["evidence"]["bit"] == true);
  check_left_as_found(before, run);
}

TEST_CASE("command: a user's own fault is done and undone") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const auto setting = [] { return run_in(pod("ledger"), {"redis-cli", "config", "get", "min-replicas-to-write"}).output; };
  const std::string found = setting();
  Watch<std::string> settings(setting);
  Run run({example("command.yaml")});
  CHECK(run.wait() == 1);
  CHECK(std::ranges::count_if(settings.all(), [&](const auto& now) { return now != found; }) > 2);
  CHECK(setting() == found);
  CHECK(run.result["outcome"] == "refuted");
  check_left_as_found(before, run);
}

TEST_CASE("prometheus: the SLO is judged by Prometheus' counts") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  REQUIRE(std::filesystem::exists(pod("monitor")));
  Run run({example("prometheus.yaml")});
  CHECK(run.wait() == 0);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  CHECK(run.result["slos"][0]["total"].get<double>() > 300);  // 50/s for 10 s and more
  check_left_as_found(before, run);
}

TEST_CASE("calendar: the budget is this month's, in the time zone of the example, and spent is what was bad since it began") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const auto this_month = [] { return testing::run({"env", "TZ=Asia/Tokyo", "date", "+%Y-%m-01"}).output.substr(0, 10); };
  const auto month_before = this_month();
  Run run({example("calendar.yaml")});
  CHECK(run.wait() == 0);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  // date(1) knows that time zone too.
  const auto period = run.result["slos"][0]["period"].get<std::string>();
  const auto is_of = [&](const std::string& month) { return period.starts_with("this calendar month, since " + month); };
  CHECK_MESSAGE((is_of(month_before) || is_of(this_month())), period);  // it may have begun meanwhile
  CHECK(run.result["slos"][0]["extrapolated"] == true);
  CHECK(run.output.find("this calendar month, since ") != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("sources: the SLOs are judged by the replicas' pages, the gateway's log and a program, and all count the same transfers") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("sources.yaml")});
  CHECK(run.wait() == 0);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  REQUIRE(run.result["slos"].size() == 3);
  for (const auto& slo : run.result["slos"]) {
    CHECK(slo["total"].get<double>() > 300);  // 50/s for 8 s and more
    CHECK(slo["total"].get<double>() < 2000);
  }
  check_left_as_found(before, run);
}

TEST_CASE("several sources: one SLO by a load, the replicas' pages and Prometheus, each with its own account") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("several-sources.yaml")});
  CHECK(run.wait() == 0);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  const Json& sources = run.result["slos"][0]["sources"];
  REQUIRE(sources.size() == 3);
  for (const auto& source : sources) CHECK(source["total"].get<double>() > 300);  // 50/s for 8 s and more
  CHECK(run.result["slos"][0]["total"].get<double>() < 1500);                     // no sum of them
  CHECK(run.output.find("by prometheus (not authoritative): ") != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("load: a rising load of several kinds of requests, by the gateway's log, and two SLOs that share it") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Run run({example("load.yaml")});
  CHECK(run.wait() == 0);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "held");
  REQUIRE(run.result["slos"].size() == 2);
  const Json& load = run.result["loads"][0];
  REQUIRE(load["thresholds"].size() == 2);
  CHECK(load["thresholds"][0]["latency"] == 1.5);
  CHECK(load["thresholds"][0]["bad"].get<int>() >= load["thresholds"][1]["bad"].get<int>());
  std::ifstream log("/run/arashi-demo/gateway/access.log");
  double transfers = 0, others = 0;
  for (std::string line; std::getline(log, line);) {
    transfers += line.find("\"POST /transfer ") != std::string::npos ? 1 : 0;
    others += line.find("\"GET /healthz ") != std::string::npos ? 1 : 0;
  }
  CHECK(transfers + others > 200);
  CHECK(transfers / (transfers + others) == doctest::Approx(0.75).epsilon(0.1));
  check_left_as_found(before, run);
}

}  // namespace arashi::testing
