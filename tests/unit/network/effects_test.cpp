#include "injector/network/effects.hpp"

#include "injector/core/params.hpp"
#include "injector/core/record.hpp"
#include "injector/network/effects_params.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

Result<Effects> read(const Json& given) {
  const auto checked = check_params(std::span<const Param>(effect_params), given);
  for (const auto& problem : checked.problems) FAIL_CHECK(problem.name, ": ", problem.message);
  return effects_from_params(checked.canonical);
}

std::string problem_of(const std::string& name, const Json& value) {
  const auto checked = check_params(std::span<const Param>(effect_params), Json{{name, value}});
  return checked.problems.empty() ? "" : checked.problems.front().message;
}

void check_refused(const Json& given, const std::string& part) {
  INFO(to_text(given));
  const auto effects = read(given);
  REQUIRE_FALSE(effects.has_value());
  CHECK(effects.error().blame == Blame::input);
  CHECK_MESSAGE(effects.error().message.find(part) != std::string::npos, effects.error().message);
}

const Json everything{{"delay", "50ms"},
                      {"jitter", "10ms"},
                      {"delayCorrelation", "25%"},
                      {"distributionTable", {-8192, 0, 8192}},
                      {"gemodel", {"1%", "20%", "90%", "0.1%"}},
                      {"duplicate", "2%"},
                      {"duplicateCorrelation", "30%"},
                      {"corrupt", "3%"},
                      {"corruptCorrelation", "40%"},
                      {"reorder", "4%"},
                      {"reorderCorrelation", "50%"},
                      {"gap", 5},
                      {"rate", "10mbit"},
                      {"packetOverhead", -4},
                      {"cellSize", 48},
                      {"cellOverhead", 5},
                      {"burst", "32K"},
                      {"limit", 777},
                      {"slotDistribution", "normal"},
                      {"slotDelay", "5ms"},
                      {"slotJitter", "1ms"},
                      {"slotPackets", 16},
                      {"slotBytes", "64K"},
                      {"ramp", "30s"}};

}  // namespace

TEST_CASE("all effects together are read as they are written, and survive the journal") {
  const auto effects = read(everything);
  REQUIRE_MESSAGE(effects.has_value(), effects.error().message);
  CHECK(effects->delay == 50ms);
  CHECK(effects->jitter == 10ms);
  CHECK(effects->delay_correlation == 0.25);
  CHECK(effects->distribution == Shape::table);
  CHECK(effects->table == std::vector<std::int16_t>{-8192, 0, 8192});
  CHECK(effects->gilbert_elliott == GilbertElliott{0.01, 0.2, 0.9, 0.001});
  CHECK(effects->duplicate == Chance{0.02, 0.3});
  CHECK(effects->corrupt == Chance{0.03, 0.4});
  CHECK(effects->reorder == Chance{0.04, 0.5});
  CHECK(effects->gap == 5);
  CHECK(effects->rate == LinkRate{10'000'000, -4, 48, 5, 32768});
  CHECK(effects->limit == 777);
  CHECK(effects->slot == Slot{.shape = Shape::normal, .delay = 5ms, .jitter = 1ms, .packets = 16, .bytes = 65536});
  CHECK(effects->ramp == 30s);
  CHECK(read_record<Effects>(parse_json(to_text(print_record(*effects))).value()).value() == *effects);
}

TEST_CASE("every single effect survives the journal") {
  for (const Json& given : std::initializer_list<Json>{{{"delay", "1ms"}},
                                                       {{"loss", "1%"}, {"lossCorrelation", "25%"}},
                                                       {{"lossState", {"1%", "90%", "5%", "50%", "0.5%"}}},
                                                       {{"delay", "9ms"}, {"jitter", "3ms"}, {"distribution", "pareto"}},
                                                       {{"slotMin", "5ms"}, {"slotMax", "9ms"}},
                                                       {{"corrupt", "1%"}},
                                                       {{"rate", "64kbit"}}}) {
    const auto effects = read(given);
    REQUIRE_MESSAGE(effects.has_value(), effects.error().message);
    CHECK(read_record<Effects>(parse_json(to_text(print_record(*effects))).value()).value() == *effects);
  }
}

TEST_CASE("what needs something else is refused without it, and says which") {
  check_refused(Json::object(), "nothing is asked for");
  check_refused({{"delay", "0s"}, {"loss", "0%"}}, "nothing is asked for");
  check_refused({{"jitter", "1ms"}, {"loss", "1%"}}, "jitter needs a delay");
  check_refused({{"delay", "1ms"}, {"distribution", "normal"}}, "distribution needs a jitter");
  check_refused({{"delay", "1ms"}, {"distributionTable", {1, 2}}}, "distributionTable needs a jitter");
  check_refused({{"delay", "1ms"}, {"delayCorrelation", "10%"}}, "delayCorrelation needs a jitter");
  check_refused({{"delay", "1ms"}, {"lossCorrelation", "10%"}}, "lossCorrelation needs a loss");
  check_refused({{"gemodel", "1%"}, {"lossCorrelation", "10%"}}, "lossCorrelation needs a loss");
  check_refused({{"loss", "1%"}, {"duplicateCorrelation", "10%"}}, "duplicateCorrelation needs a duplicate");
  check_refused({{"loss", "1%"}, {"corruptCorrelation", "10%"}}, "corruptCorrelation needs a corrupt");
  check_refused({{"reorder", "5%"}, {"loss", "1%"}}, "reorder needs a delay");
  check_refused({{"delay", "1ms"}, {"gap", 5}}, "gap needs a reorder");
  check_refused({{"delay", "1ms"}, {"burst", "32K"}}, "burst needs a rate");
  check_refused({{"delay", "1ms"}, {"packetOverhead", 20}}, "packetOverhead needs a rate");
  check_refused({{"rate", "1mbit"}, {"cellOverhead", 5}}, "cellOverhead needs a cellSize");
  check_refused({{"delay", "1ms"}, {"slotMax", "5ms"}}, "slotMax needs a slotMin");
  check_refused({{"delay", "1ms"}, {"slotDistribution", "normal"}}, "slotDistribution needs a slotDelay");
  check_refused({{"delay", "1ms"}, {"slotDelay", "5ms"}}, "slotDelay needs a slotDistribution");
  check_refused({{"delay", "1ms"}, {"slotPackets", 5}}, "slotPackets needs slots");
  check_refused({{"loss", "1%"}, {"limit", 5}}, "limit needs something that makes packets wait");
  check_refused({{"corrupt", "1%"}, {"ramp", "5s"}}, "ramp needs something that grows");
}

TEST_CASE("what contradicts itself is refused with the reason") {
  check_refused({{"delay", "20ms"}, {"jitter", "30ms"}}, "more than the delay 20ms");
  check_refused({{"gemodel", "1%"}, {"loss", "1%"}}, "gemodel and loss together");
  check_refused({{"lossState", "1%"}, {"loss", "1%"}}, "lossState and loss together");
  check_refused({{"lossState", "1%"}, {"gemodel", "1%"}}, "gemodel and lossState together");
  check_refused({{"delay", "9ms"}, {"jitter", "1ms"}, {"distribution", "normal"}, {"distributionTable", {1, 2}}},
                "a table is a distribution");
  check_refused({{"gemodel", {"1%", "0%"}}}, "never be good again");
  check_refused({{"gemodel", {"0%", "10%"}}}, "never loses anything");
  check_refused({{"gemodel", {"1%", "1%", "1%", "1%", "1%"}}}, "1 to 4 are taken");
  check_refused({{"lossState", {"60%", "10%", "0%", "0%", "60%"}}}, "p13 and p14 leave the same state");
  check_refused({{"lossState", {"6%", "60%", "60%"}}}, "p31 and p32 leave the same state");
  check_refused({{"lossState", {"0%"}}}, "never loses anything");
  check_refused({{"delay", "9ms"}, {"jitter", "1ms"}, {"distributionTable", {1}}}, "distributionTable has 1 numbers");
  check_refused({{"loss", "1%"}, {"lossCorrelation", "100%"}}, "lossCorrelation is 100%");
  check_refused({{"rate", "1mbit"}, {"cellSize", 5}, {"cellOverhead", -5}}, "takes away all of cellSize");
  check_refused({{"slotMin", "9ms"}, {"slotMax", "5ms"}}, "less than slotMin");
  check_refused({{"slotMin", "9ms"}, {"slotDistribution", "normal"}, {"slotDelay", "9ms"}}, "each says when slots come");
  check_refused({{"slotDistribution", "normal"}, {"slotDelay", "1ms"}, {"slotJitter", "2ms"}}, "more than slotDelay");
}

TEST_CASE("lists of percentages and numbers, and bandwidths, are read as people write them") {
  CHECK(read({{"gemodel", "1%"}})->gilbert_elliott == GilbertElliott{0.01, 0.99, 1, 0});
  CHECK(read({{"lossState", "1%"}})->four_state == FourState{0.01, 0.99, 0, 1, 0});
  const auto table = read({{"delay", "9ms"}, {"jitter", "1ms"}, {"distributionTable", "# mine\n -8192 0 # middle\n 8192\n"}});
  CHECK(table->table == std::vector<std::int16_t>{-8192, 0, 8192});
  CHECK(problem_of("distributionTable", "1 two 3").find("'two'") != std::string::npos);
  CHECK(problem_of("distributionTable", Json{1, 40000}).find("at most 32767") != std::string::npos);
  CHECK(problem_of("distributionTable", Json{1.5}).find("a list of whole numbers") != std::string::npos);
  CHECK(problem_of("gemodel", Json{"1%", 5}).find("a list of percentages") != std::string::npos);
  CHECK(problem_of("gemodel", Json{"101%"}).find("over 100%") != std::string::npos);
  CHECK(problem_of("rate", "10").find("no unit") != std::string::npos);
  CHECK(problem_of("rate", "1mbps").find("bytes to tc") != std::string::npos);
  CHECK(problem_of("rate", "1kit").find("unknown unit 'kit'") != std::string::npos);
  CHECK(problem_of("rate", "1bit").find("at least 1kbit") != std::string::npos);
}

TEST_CASE("the long-run loss of the models is that of the chains themselves") {
  const auto simulated = [](const FourState& state) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> uniform(0, 1);
    int now = 1;
    int lost = 0;
    constexpr int steps = 400000;
    for (int i = 0; i < steps; ++i) {
      const double u = uniform(random);
      if (now == 1 || now == 4)
        now = now == 1 && u < state.p14 ? 4 : now == 1 && u < state.p14 + state.p13 ? 3 : 1;
      else if (now == 2)
        now = u < state.p23 ? 3 : 2;
      else
        now = u < state.p32 ? 2 : u < state.p32 + state.p31 ? 1 : 3;
      lost += now == 3 || now == 4 ? 1 : 0;
    }
    return static_cast<double>(lost) / steps;
  };
  for (const auto& state : {FourState{0.05, 0.3, 0.2, 0.4, 0.02}, FourState{0.1, 0.9, 0, 1, 0}, FourState{0, 1, 0, 1, 0.2}})
    CHECK(long_run_loss({.four_state = state}) == doctest::Approx(simulated(state)).epsilon(0.03));
  CHECK(long_run_loss({.gilbert_elliott = GilbertElliott{0.01, 0.09, 0.5, 0}}) == doctest::Approx(0.05));
  CHECK(long_run_loss({.loss = 0.3}) == 0.3);
}
