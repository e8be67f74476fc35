#include "experiments/sli/prometheus/counters.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace arashi;
using namespace arashi::sli;
using namespace std::chrono_literals;
using guard::Freshness;

namespace {

Expression expression(const std::string& text) {
  auto result = analyse(text);
  REQUIRE_MESSAGE(result, result.error().message);
  return *result;
}

Counters sums(const std::string& bad = "sum(errors)", const std::string& total = "sum(requests)") {
  return {expression(bad), expression(total), 40s};
}

constexpr double zero = 1000;  // the server's time at ours 0

struct Poll {
  Reply reply;
  Poll& add(const std::string& part, const std::string& series, double value) {
    reply.samples.push_back({part, series, value});
    return *this;
  }
  Poll& of(const std::string& target, const std::string& part, double value) {
    reply.samples.push_back({part, part + "@" + target, value, target});
    return *this;
  }
  Poll& at(double seconds) {
    add("total_at0", "{}", zero + seconds);
    return *this;
  }
};

}  // namespace

TEST_CASE("counters are differenced between distinct sample times") {
  auto counters = sums();
  CHECK(counters.poll(Poll().add("total", "a", 100).add("bad", "a", 5).at(10).reply, 11s, zero).empty());
  CHECK(counters.poll(Poll().add("total", "a", 100).add("bad", "a", 5).at(10).reply, 12s, zero).empty());
  const auto slices = counters.poll(Poll().add("total", "a", 150).add("bad", "a", 7).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].begin == 10s);
  CHECK(slices[0].end == 25s);
  CHECK(slices[0].newest == 25s);
  CHECK(slices[0].total == 50);
  CHECK(slices[0].bad == 2);
  CHECK(slices[0].state == Freshness::fresh);
}

TEST_CASE("an error series that is born late began at 0") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 100).at(10).reply, 11s, zero);
  const auto slices = counters.poll(Poll().add("total", "a", 7000).add("bad", "a", 6000).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].bad == 6000);
  CHECK(slices[0].total == 6900);
}

TEST_CASE("an error series of a target that was seen without it began at 0, and one of a target that nobody had seen is late-born") {
  auto counters = sums();
  counters.poll(Poll().of("a", "total", 100).at(10).reply, 11s, zero);
  auto slices = counters.poll(Poll().of("a", "total", 150).of("a", "bad", 30).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::fresh);
  CHECK(slices[0].bad == 30);
  const auto with_b = [&](double total, double bad, double at) {
    return Poll().of("a", "total", 200).of("a", "bad", 31).of("b", "total", total).of("b", "bad", bad).at(at);
  };
  slices = counters.poll(with_b(90'000, 6000, 40).reply, 41s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::late_born);
  CHECK(slices[0].total == 50);  // of a alone
  CHECK(slices[0].bad == 1);
  CHECK(slices[0].unknown == 6000.0);
  CHECK(slices[0].problem.find("is seen for the first time") != std::string::npos);
  slices = counters.poll(with_b(90'100, 6010, 55).reply, 56s, zero);  // from now on it is differenced as all are
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::fresh);
  CHECK(slices[0].total == 100);
  CHECK(slices[0].bad == 10);
}

TEST_CASE("a target that nobody had seen began at 0 where its process began since the counting did, not long before it was found") {
  struct Case {
    double start;  // seconds; the samples of the polls are of 20 and 200
    bool from_zero;
  };
  for (const Case& each : {Case{19, false}, {100, false}, {149, false}, {151, true}, {201, true}}) {
    auto counters = sums();
    counters.poll(Poll().of("a", "total", 90).at(20).reply, 21s, zero);
    counters.poll(Poll().of("a", "total", 100).at(200).reply, 201s, zero);
    const auto slices = counters.poll(
        Poll().of("a", "total", 150).of("b", "total", 40).of("b", "bad", 5).of("b", "start", zero + each.start).at(215).reply, 216s, zero);
    REQUIRE(slices.size() == 1);
    CHECK(slices[0].state == (each.from_zero ? Freshness::fresh : Freshness::late_born));
    CHECK(slices[0].bad == (each.from_zero ? 5 : 0));
    CHECK(slices[0].total == (each.from_zero ? 90 : 50));
    CHECK(slices[0].unknown.value_or(0) == (each.from_zero ? 0 : 5));
  }
  auto early = sums();  // it began before the counting did, if only just
  early.poll(Poll().of("a", "total", 100).at(20).reply, 21s, zero);
  const auto slices = early.poll(Poll().of("a", "total", 150).of("b", "total", 40).of("b", "start", zero + 19).at(35).reply, 36s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::late_born);
  CHECK(sums().query().find("process_start_time_seconds and on (job, instance) (requests or errors)") != std::string::npos);
}

TEST_CASE("late-born: of a difference of sums only what is not good may be bad, and a target without an error has none unknown") {
  auto counters = sums("sum(requests) - sum(good)");
  counters.poll(Poll().of("a", "total", 100).of("a", "bad", 100).of("a", "bad1", 100).at(10).reply, 11s, zero);
  const auto slices = counters.poll(Poll()
                                        .of("a", "total", 120)
                                        .of("a", "bad", 120)
                                        .of("a", "bad1", 119)
                                        .of("b", "total", 5000)
                                        .of("b", "bad", 5000)
                                        .of("b", "bad1", 4990)
                                        .at(25)
                                        .reply,
                                    26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::late_born);
  CHECK(slices[0].bad == 1);
  CHECK(slices[0].unknown == 10.0);
  auto plain = sums();
  plain.poll(Poll().of("a", "total", 100).at(10).reply, 11s, zero);
  const auto clean = plain.poll(Poll().of("a", "total", 100).of("b", "total", 5000).at(25).reply, 26s, zero);
  REQUIRE(clean.size() == 1);
  CHECK(clean[0].state == Freshness::late_born);
  CHECK(clean[0].unknown == 0.0);
}

TEST_CASE("no error series at all is no error") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 100).at(10).reply, 11s, zero);
  const auto slices = counters.poll(Poll().add("total", "a", 200).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].bad == 0);
  CHECK(slices[0].total == 100);
}

TEST_CASE("each series of a sum is differenced by itself: a restarted pod does not look like a burst") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 1000).add("total", "b", 1000).add("bad", "a", 50).add("bad", "b", 50).at(10).reply, 11s, zero);
  const auto slices =
      counters.poll(Poll().add("total", "a", 1100).add("total", "b", 30).add("bad", "a", 51).add("bad", "b", 2).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].total == 130);
  CHECK(slices[0].bad == 3);
  CHECK(slices[0].state == Freshness::fresh);
}

TEST_CASE("a series that was away is differenced with what it last was") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 1000).add("total", "b", 500).at(10).reply, 11s, zero);
  counters.poll(Poll().add("total", "a", 1100).at(25).reply, 26s, zero);
  const auto slices = counters.poll(Poll().add("total", "a", 1200).add("total", "b", 510).at(40).reply, 41s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].total == 110);
}

TEST_CASE("a fall of what cannot be read series by series is a partial slice") {
  auto counters = sums("sum(errors) or vector(0)", "sum(requests) + scalar(probes)");
  counters.poll(Poll().add("total", "{}", 1000).add("bad", "{}", 3).at(10).reply, 11s, zero);
  const auto slices = counters.poll(Poll().add("total", "{}", 900).add("bad", "{}", 3).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::partial);
  CHECK(slices[0].total == 0);
  CHECK(slices[0].begin == 10s);
  CHECK(slices[0].end == 25s);
}

TEST_CASE("a difference of sums is read series by series too: a restart is no burst, and no good series means that all were bad") {
  auto counters = sums("sum(requests) - (sum(good))");
  const auto poll = [&](double at, double total, std::optional<double> good, double other) {
    Poll seen;
    seen.add("total", "a", total).add("bad", "a", total).add("total", "b", other).add("bad", "b", other);
    if (good) seen.add("bad1", "a", *good);
    seen.add("bad1", "b", other).at(at);
    return counters.poll(seen.reply, std::chrono::seconds(static_cast<int>(at)) + 1s, zero);
  };
  CHECK(counters.query().find(R"(label_replace((good),"arashi_part","bad1","",""))") != std::string::npos);
  CHECK(poll(10, 1000, 990, 500).empty());
  auto slices = poll(20, 1100, 1080, 500);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].total == 100);
  CHECK(slices[0].bad == 10);
  slices = poll(30, 40, 30, 550);  // one of the two began anew
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::fresh);
  CHECK(slices[0].total == 90);
  CHECK(slices[0].bad == 10);
  slices = poll(40, 5, std::nullopt, 560);  // and again, and since then nothing has gone well
  CHECK(slices[0].total == 15);
  CHECK(slices[0].bad == 5);
}

TEST_CASE("parts of a difference that are not counted at the very same moment are no errors") {
  auto counters = sums("sum(requests) - sum(good)");
  std::uint64_t bad = 0, total = 0;
  for (int i = 0; i <= 20; ++i) {
    const double ahead = i % 2 == 0 ? 0 : 1;  // good is counted first
    const auto slices =
        counters.poll(Poll().add("total", "a", 10.0 * i).add("bad", "a", 10.0 * i).add("bad1", "a", 10.0 * i + ahead).at(i).reply,
                      std::chrono::seconds(i), zero);
    for (const auto& slice : slices) {
      CHECK(slice.state == Freshness::fresh);
      bad += slice.bad;
      total += slice.total;
    }
  }
  CHECK(bad == 0);
  CHECK(total == 200);
}

TEST_CASE("what is no data says so, and the next good poll covers the time between") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 100).at(10).reply, 11s, zero);
  const auto state_of = [&](const Result<Reply>& reply, const std::string& word) {
    const auto slices = counters.poll(reply, 20s, zero);
    REQUIRE(slices.size() == 1);
    CHECK(slices[0].total == 0);
    CHECK(slices[0].begin == slices[0].end);
    CHECK(slices[0].newest == 10s);
    CHECK_MESSAGE(slices[0].problem.find(word) != std::string::npos, slices[0].problem);
    return slices[0].state;
  };
  CHECK(state_of(fail(Blame::system, "connection refused"), "refused") == Freshness::error);
  CHECK(state_of(Reply{}, "no series") == Freshness::empty);
  CHECK(state_of(Poll().add("total", "a", std::nan("")).at(15).reply, "nan") == Freshness::not_a_number);
  CHECK(state_of(Poll().add("total", "a", INFINITY).at(15).reply, "inf") == Freshness::not_a_number);
  CHECK(state_of(Poll().add("total", "a", 120).reply, "time") == Freshness::empty);
  auto partial = Poll().add("total", "a", 120).at(15).reply;
  partial.warnings = {"one store did not answer"};
  CHECK(state_of(partial, "one store") == Freshness::error);
  const auto slices = counters.poll(Poll().add("total", "a", 200).at(25).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].begin == 10s);
  CHECK(slices[0].total == 100);
}

TEST_CASE("samples that stand still are stale") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 100).at(10).reply, 11s, zero);
  CHECK(counters.poll(Poll().add("total", "a", 100).at(10).reply, 49s, zero).empty());
  const auto slices = counters.poll(Poll().add("total", "a", 100).at(10).reply, 51s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::stale);
}

TEST_CASE("errors that stand still while the total goes on hold the freshness back") {
  auto counters = sums();
  const auto poll = [&](double total_at, double bad_at, double total) {
    return Poll().add("total", "a", total).add("bad", "a", 1).at(total_at).add("bad_at0", "{}", zero + bad_at).reply;
  };
  counters.poll(poll(10, 10, 100), 11s, zero);
  CHECK(counters.poll(poll(25, 10, 200), 26s, zero).empty());
}

TEST_CASE("several series where one is wanted is a mistake in the experiment, not a choice") {
  auto counters = sums("errors", "requests");
  const auto slices = counters.poll(Poll().add("total", "a", 1).add("total", "b", 1).at(10).reply, 11s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::error);
  CHECK(slices[0].problem.find("sum(") != std::string::npos);
}

TEST_CASE("a sample from the future hides no blindness") {
  auto counters = sums();
  counters.poll(Poll().add("total", "a", 100).at(10).reply, 11s, zero);
  const auto slices = counters.poll(Poll().add("total", "a", 150).at(60).reply, 26s, zero);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].newest == 26s);
}
