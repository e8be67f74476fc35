// What every backend does to packets, measured by a sender and a receiver with the kernel's timestamps. One suite for all backends; each
// case runs on those that can do it, and the others must refuse it. Bounds are five standard deviations, or once in a million runs.
#include "agent/workers/netem_ramp_worker.hpp"
#include "agent/workers/tap_worker.hpp"
#include "injector/core/record.hpp"
#include "injector/network/delay_distribution.hpp"
#include "tests/impairment/backends.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"
#include "tests/support/udp_probe.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

using namespace arashi;
using namespace arashi::test;

namespace {

// Making the namespaces takes a second in the guest: one wire for all cases of a process. Each case leaves it as it was.
const Wire& the_wire() {
  static const Wire wire;
  return wire;
}

struct Measured {
  Probed probed;
  Evidence evidence;
};

const Achieved* value_of(const Evidence& evidence, const std::string& what) {
  const auto found = std::ranges::find(evidence.values, what, &Achieved::what);
  return found == evidence.values.end() ? nullptr : &*found;
}

Result<void> engine(const Json& config, int input, int output) {
  if (config.contains("ends")) return workers::let_netem_grow(TRY(read_record<RampConfig>(config)), input, output);
  return workers::hold_packets(TRY(read_record<TapConfig>(config)), input, output);
}

class Case {
 public:
  Case(Json given, const std::string& backend) : given_(std::move(given)) {
    host_.workers = &workers_;
    given_["backend"] = backend;
    given_["protocol"] = "udp";
    given_["seed"] = 4711;
  }

  [[nodiscard]] bool is_refused() const {
    const auto& fault = *find_fault("network.impair");
    const auto prepared = fault.prepare(
        host_,
        {.id = unique_id(), .experiment = "test", .victim = the_wire().victim(), .params = canonical(fault, given_), .duration = {}});
    if (!prepared) CHECK_MESSAGE(prepared.error().blame == Blame::unsupported, prepared.error().message);
    return !prepared;
  }

  [[nodiscard]] Measured run(Probe probe) const {
    const Wire& wire = the_wire();
    const Injected fault(host_, "network.impair", wire.victim(), given_);
    CHECK(fault.applied.in_place);
    probe.from = wire.path_here();
    probe.to = wire.path_there();
    auto probed = run_probe(probe);
    REQUIRE_MESSAGE(probed.has_value(), probed.error().message);
    auto evidence = fault.observe();  // the worker speaks every 200 ms, and the probe has waited longer than that for more
    CHECK(evidence.in_place);
    CHECK(evidence.bit);
    return {std::move(*probed), std::move(evidence)};
  }

 private:
  Json given_;
  ForkedWorkers workers_{engine};
  Host host_;
};

// Tries it on every backend of `able` that is here, and sees the others refuse it. A busy machine delays some packets more: where `is_well`
// is given, that is measured again, five times at most; what is wrong by itself is wrong each time.
void on_each(const std::vector<std::string>& able, const Json& given, const Probe& probe, const std::function<void(const Measured&)>& check,
             const std::function<bool(const Measured&)>& is_well = {}) {
  for (const auto& backend : backends_here()) {
    INFO(backend, " with ", to_text(given));
    const Case one(given, backend);
    if (std::ranges::find(able, backend) == able.end()) {
      CHECK(one.is_refused());
      continue;
    }
    auto measured = one.run(probe);
    for (int again = 0; again < 5 && is_well && !is_well(measured); ++again) measured = one.run(probe);
    check(measured);
  }
}

const std::vector<std::string> all{"bpf", "tap", "netem"};
const std::vector<std::string> holding{"tap", "netem"};

void check_share(double measured, double expected, std::size_t n, double dependence = 0) {
  // Events that depend on each other say less: as many as n (1 - r) / (1 + r) independent ones.
  const double bound = share_bound(expected, n) * std::sqrt((1 + dependence) / (1 - dependence));
  INFO("measured ", measured, ", expected ", expected, " ± ", bound);
  CHECK(std::abs(measured - expected) < bound);
}

void check_evidence(const Evidence& evidence, const std::string& what, double requested, double measured, double apart = 0.02) {
  const auto* value = value_of(evidence, what);
  REQUIRE_MESSAGE(value != nullptr, what);
  CHECK(value->requested.value_or(-1) == doctest::Approx(requested));
  if (value->achieved) CHECK(std::abs(*value->achieved - measured) < apart * std::max(measured, 0.1));
}

std::vector<double> around_zero(std::vector<double> values) {
  const double mean = mean_of(values);
  for (auto& value : values) value -= mean;
  return values;
}

}  // namespace

TEST_CASE("impairment: a delay is what was asked, in its mean and its percentiles") {
  const auto check = [](const Measured& measured) {
    const auto delays = measured.probed.delays();
    CHECK(delays.size() == 500);
    CHECK(percentile_of(delays, 0.01) > 0.0198);
    CHECK(percentile_of(delays, 0.5) < 0.0225);
    CHECK(mean_of(delays) < 0.025);
    check_evidence(measured.evidence, "delay", 20e6, mean_of(delays) * 1e9, 0.15);
  };
  on_each(holding, {{"delay", "20ms"}}, {.packets = 500, .per_second = 1000}, check,
          [](const Measured& measured) { return mean_of(measured.probed.delays()) < 0.022; });
}

TEST_CASE("impairment: the delay varies by the distribution that was asked for") {
  const auto scaled = [](const std::vector<std::int16_t>& table) {
    std::vector<double> samples;
    samples.reserve(table.size());
    for (const auto value : table) samples.push_back(value / table_scale * 0.02);
    return samples;
  };
  std::vector<double> even;
  even.reserve(4096);
  for (int i = 0; i < 4096; ++i) even.push_back(((i + 0.5) / 2048 - 1) * 0.02);
  const std::vector<std::int16_t> own{-16000, -8192, -8000, 0, 300, 8192, 9000, 16000};
  std::map<std::string, std::pair<Json, std::vector<double>>> shapes{
      {"uniform", {Json{{"distribution", "uniform"}}, even}},
      {"normal", {Json{{"distribution", "normal"}}, scaled(delay_table(Shape::normal))}},
      {"pareto", {Json{{"distribution", "pareto"}}, scaled(delay_table(Shape::pareto))}},
      {"paretonormal", {Json{{"distribution", "paretonormal"}}, scaled(delay_table(Shape::paretonormal))}},
      {"table", {Json{{"distributionTable", own}}, scaled(own)}}};
  for (auto& [name, shape] : shapes) {
    auto& [given, samples] = shape;
    given["delay"] = "100ms";
    given["jitter"] = "20ms";
    const auto mean = doctest::Approx(0.1 + mean_of(samples)).epsilon(0.06);
    const auto deviation = doctest::Approx(deviation_of(samples)).epsilon(0.15);
    // A table of a few values has steps, which a delay of the machine's own of some microseconds moves: its shape is its spread.
    const auto apart = [&samples = samples](const std::vector<double>& delays) {
      return samples.size() > 100 ? ks_distance(around_zero(delays), around_zero(samples)) : 0;
    };
    const auto check = [&](const Measured& measured) {
      const auto delays = measured.probed.delays();
      CHECK(delays.size() == 2000);
      CHECK(mean_of(delays) == mean);
      CHECK(deviation_of(delays) == deviation);
      CHECK(apart(delays) < ks_bound(2000) + 0.02);
    };
    on_each(holding, given, {.packets = 2000, .per_second = 4000}, check, [&](const Measured& measured) {
      const auto delays = measured.probed.delays();
      return mean_of(delays) == mean && deviation_of(delays) == deviation && apart(delays) < ks_bound(2000) + 0.02;
    });
  }
}

TEST_CASE("impairment: one packet's delay is like that of the one before, as far as asked") {
  on_each({"tap"}, {{"delay", "60ms"}, {"jitter", "20ms"}, {"delayCorrelation", "80%"}}, {.packets = 800, .per_second = 1600},
          [](const Measured& measured) {
            auto arrivals = measured.probed.arrivals;
            std::ranges::sort(arrivals, {}, &Arrival::number);
            std::vector<double> delays;
            delays.reserve(arrivals.size());
            for (const auto& arrival : arrivals) delays.push_back(arrival.received - arrival.sent);
            const double mean = mean_of(delays);
            double products = 0;
            for (std::size_t i = 1; i < delays.size(); ++i) products += (delays[i] - mean) * (delays[i - 1] - mean);
            const double correlation = products / static_cast<double>(delays.size()) / std::pow(deviation_of(delays), 2);
            CHECK(correlation > 0.65);
            CHECK(correlation < 0.95);
          });
}

TEST_CASE("impairment: independent losses have their share and no memory") {
  on_each(all, {{"loss", "20%"}}, {.packets = 3000, .per_second = 6000}, [](const Measured& measured) {
    const auto lost = measured.probed.lost();
    check_share(share_of(lost), 0.2, lost.size());
    CHECK(std::abs(correlation_of(lost)) < 5 / std::sqrt(3000));
    check_evidence(measured.evidence, "loss", 0.2, share_of(lost));
  });
}

TEST_CASE("impairment: correlated losses keep their share, and come with their correlation") {
  on_each(all, {{"loss", "20%"}, {"lossCorrelation", "60%"}}, {.packets = 3000, .per_second = 6000}, [](const Measured& measured) {
    const auto lost = measured.probed.lost();
    check_share(share_of(lost), 0.2, lost.size(), 0.6);
    CHECK(std::abs(correlation_of(lost) - 0.6) < 0.15);
    check_evidence(measured.evidence, "loss", 0.2, share_of(lost));
  });
}

TEST_CASE("impairment: Gilbert-Elliott loses its share, in bursts of its length") {
  on_each(all, {{"gemodel", {"5%", "25%"}}}, {.packets = 3000, .per_second = 6000}, [](const Measured& measured) {
    const auto lost = measured.probed.lost();
    check_share(share_of(lost), 0.05 / 0.3, lost.size(), 0.7);
    CHECK(mean_burst_of(lost) == doctest::Approx(4).epsilon(0.4));  // 1 / r
    check_evidence(measured.evidence, "loss", 0.05 / 0.3, share_of(lost));
  });
}

TEST_CASE("impairment: the four states lose their share") {
  const Effects effects{.four_state = FourState{0.05, 0.3, 0.2, 0.4, 0.02}};
  on_each(all, {{"lossState", {"5%", "30%", "20%", "40%", "2%"}}}, {.packets = 3000, .per_second = 6000}, [&](const Measured& measured) {
    const auto lost = measured.probed.lost();
    check_share(share_of(lost), long_run_loss(effects), lost.size(), 0.7);
    CHECK(mean_burst_of(lost) > 1.3);
    check_evidence(measured.evidence, "loss", long_run_loss(effects), share_of(lost));
  });
}

TEST_CASE("impairment: duplicates and wrong bits have their shares, also together and correlated") {
  const Json given{{"duplicate", "20%"}, {"duplicateCorrelation", "30%"}, {"corrupt", "10%"}};
  on_each(all, given, {.packets = 3000, .per_second = 6000, .size = 800}, [](const Measured& measured) {
    const auto& probed = measured.probed;
    const double duplicated = static_cast<double>(probed.duplicated()) / probed.sent;
    const double corrupted = static_cast<double>(probed.corrupted()) / probed.sent;
    // A pair of which one is corrupted is seen as no pair; a bit in the UDP header, one of a hundred, is not seen here.
    check_share(duplicated, 0.2 * 0.9, 3000, 0.4);
    check_share(corrupted, 0.1 * 0.99, 3000, 0.4);
    check_evidence(measured.evidence, "duplicate", 0.2, duplicated / 0.9, 0.1);
    check_evidence(measured.evidence, "corrupt", 0.1, corrupted / 0.99, 0.1);
    CHECK(share_of(probed.lost()) < 0.12);  // what is corrupted and not duplicated
  });
}

TEST_CASE("impairment: packets overtake in their share, and with a gap only each so-manieth") {
  for (const auto& [given, expected] : {std::pair{Json{{"reorder", "25%"}}, 0.25}, std::pair{Json{{"reorder", "100%"}, {"gap", 5}}, 0.2}}) {
    auto all_given = given;
    all_given["delay"] = "30ms";
    on_each(holding, all_given, {.packets = 1500, .per_second = 3000}, [expected = expected](const Measured& measured) {
      const auto delays = measured.probed.delays();
      CHECK(delays.size() == 1500);
      const auto early = std::ranges::count_if(delays, [](double delay) { return delay < 0.015; });
      const double share = static_cast<double>(early) / 1500;
      if (expected < 0.25) CHECK(share == doctest::Approx(expected).epsilon(0.03));  // no chance in it
      if (expected >= 0.25) check_share(share, expected, 1500);
      check_evidence(measured.evidence, "reorder", expected, share);
    });
  }
}

// How much later than from a link that sends one packet in so many seconds each came, as they were sent: a busy machine sends late, and
// lets some come late.
std::vector<double> lateness(const std::vector<Arrival>& arrivals, double seconds_each) {
  std::vector<double> late;
  double link_is_free = 0;
  for (const auto& arrival : arrivals) {
    link_is_free = std::max(link_is_free, arrival.sent) + seconds_each;
    late.push_back(arrival.received - link_is_free);
  }
  return late;
}

TEST_CASE("impairment: no more than the rate goes through, overheads counted") {
  // 958 bytes of payload are a frame of 1000; the second link takes 1250 for it.
  for (const auto& [given, frame] :
       {std::pair{Json{{"rate", "4mbit"}}, 1000}, std::pair{Json{{"rate", "4mbit"}, {"packetOverhead", 250}}, 1250}}) {
    const double seconds_each = frame * 8 / 4e6;
    const auto check = [&](const Measured& measured) {
      REQUIRE(measured.probed.arrivals.size() == 300);
      const auto late = lateness(measured.probed.arrivals, seconds_each);
      // Three per cent of all the time; in the middle, of half of it.
      CHECK(*std::ranges::min_element(late) > -0.03 * 300 * seconds_each);
      CHECK(percentile_of(late, 0.5) < 0.06 * 150 * seconds_each);
      CHECK(value_of(measured.evidence, "rate") != nullptr);
    };
    on_each(holding, given, {.packets = 300, .per_second = 3000, .size = 958}, check, [&](const Measured& measured) {
      return percentile_of(lateness(measured.probed.arrivals, seconds_each), 0.5) < 0.05 * 150 * seconds_each;
    });
  }
}

TEST_CASE("impairment: a burst goes at once, and a limit bounds the queue") {
  const Json burst{{"rate", "4mbit"}, {"burst", "50000"}};
  const auto check_burst = [](const Measured& measured) {
    const auto& arrivals = measured.probed.arrivals;
    REQUIRE(arrivals.size() == 100);
    CHECK(arrivals[40].received - arrivals[40].sent < 0.02);  // forty of them are 40,000 bytes
    CHECK(arrivals[99].received - arrivals[0].sent > 0.095);  // what is over 50,000 needs 100 ms, however slowly they were sent
    CHECK(arrivals[99].sent - arrivals[0].sent < 0.094);
  };
  const auto came_at_once = [](const Measured& measured) {
    const auto& arrivals = measured.probed.arrivals;
    return arrivals.size() == 100 && arrivals[40].received - arrivals[40].sent < 0.02 && arrivals[99].sent - arrivals[0].sent < 0.08;
  };
  on_each(holding, burst, {.packets = 100, .per_second = 5000, .size = 958}, check_burst, came_at_once);
  on_each(holding, {{"rate", "1mbit"}, {"limit", 20}}, {.packets = 100, .per_second = 5000, .size = 958}, [](const Measured& measured) {
    const auto& arrivals = measured.probed.arrivals;
    CHECK(arrivals.size() >= 20);
    const auto [first, last] = std::ranges::minmax(arrivals, {}, &Arrival::sent);
    CHECK(static_cast<double>(arrivals.size()) <= 22 + (last.sent - first.sent) / 0.008);  // one leaves each 8 ms while the others come
  });
}

TEST_CASE("impairment: slots let packets go together") {
  const auto pauses_of = [](const Measured& measured) {
    const auto& arrivals = measured.probed.arrivals;
    std::vector<double> pauses;
    for (std::size_t i = 1; i < arrivals.size(); ++i)
      if (const double pause = arrivals[i].received - arrivals[i - 1].received; pause > 0.01) pauses.push_back(pause);
    return pauses;
  };
  const auto check = [&](const Measured& measured) {
    REQUIRE(measured.probed.arrivals.size() == 400);
    const auto pauses = pauses_of(measured);
    CHECK(pauses.size() >= 11);  // 400 ms in slots of 20 to 30 ms, and what the machine takes itself
    CHECK(pauses.size() <= 21);
    CHECK(mean_of(pauses) > 0.018);
    CHECK(mean_of(pauses) < 0.035);
  };
  on_each(holding, {{"slotMin", "20ms"}, {"slotMax", "30ms"}}, {.packets = 400, .per_second = 1000}, check, [&](const Measured& measured) {
    const auto pauses = pauses_of(measured);
    return pauses.size() >= 11 && pauses.size() <= 21 && mean_of(pauses) > 0.018 && mean_of(pauses) < 0.035;
  });
}

TEST_CASE("impairment: a ramp lets a delay and a loss grow from nothing") {
  on_each(
      holding, {{"delay", "100ms"}, {"loss", "50%"}, {"ramp", "1s"}}, {.packets = 1500, .per_second = 1000},
      [](const Measured& measured) {
        const auto lost = measured.probed.lost();
        const auto part = [&lost](std::size_t first, std::size_t last) {
          return share_of({lost.begin() + static_cast<std::ptrdiff_t>(first), lost.begin() + static_cast<std::ptrdiff_t>(last)});
        };
        CHECK(part(0, 300) < part(300, 700));
        CHECK(part(300, 700) < 0.45);
        check_share(part(1000, 1500), 0.5, 500);
        for (const auto& arrival : measured.probed.arrivals) {
          const double grown = std::min(1.0, arrival.number / 1000.0);
          if (arrival.number % 100 == 0) CHECK(arrival.received - arrival.sent < 0.1 * grown + 0.06);
          if (arrival.number > 1100) CHECK(arrival.received - arrival.sent > 0.099);
        }
      },
      [](const Measured& measured) {
        return std::ranges::all_of(measured.probed.arrivals, [](const Arrival& arrival) {
          return arrival.number % 100 != 0 || arrival.received - arrival.sent < 0.1 * std::min(1.0, arrival.number / 1000.0) + 0.06;
        });
      });
  on_each(all, {{"loss", "50%"}, {"ramp", "1s"}}, {.packets = 1500, .per_second = 1000}, [](const Measured& measured) {
    const auto lost = measured.probed.lost();
    const auto quarter = [&lost](std::size_t first) {
      return share_of({lost.begin() + static_cast<std::ptrdiff_t>(first), lost.begin() + static_cast<std::ptrdiff_t>(first + 250)});
    };
    CHECK(quarter(0) < 0.2);
    CHECK(quarter(1250) > 0.34);
  });
}

TEST_CASE("impairment: everything in one injection") {
  const Json given{{"delay", "40ms"},   {"jitter", "10ms"}, {"distribution", "normal"}, {"gemodel", {"3%", "30%"}},
                   {"duplicate", "5%"}, {"corrupt", "5%"},  {"reorder", "10%"},         {"gap", 2},
                   {"rate", "50mbit"},  {"cellSize", 48},   {"cellOverhead", 5},        {"limit", 5000},
                   {"slotMin", "1ms"},  {"slotPackets", 64}};
  on_each(holding, given, {.packets = 1500, .per_second = 3000, .size = 400}, [](const Measured& measured) {
    const auto& probed = measured.probed;
    check_share(share_of(probed.lost()), 1 - (1 - 0.0909) * 0.95, 1500, 0.7);
    CHECK(probed.corrupted() > 20);
    CHECK(probed.duplicated() > 20);
    CHECK(percentile_of(probed.delays(), 0.5) > 0.035);
    CHECK(percentile_of(probed.delays(), 0.02) < 0.02);  // some overtook
    for (const auto* what : {"delay", "loss", "duplicate", "corrupt", "reorder", "rate"})
      CHECK(value_of(measured.evidence, what) != nullptr);
  });
}
