#include "experiments/engine/budget_ledger.hpp"

#include "experiments/guard/ledger.hpp"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

using namespace arashi;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Directory {
  fs::path path = fs::temp_directory_path() / ("arashi-ledger-" + std::to_string(::getpid()));
  Directory() { fs::remove_all(path); }
  ~Directory() { fs::remove_all(path); }
  [[nodiscard]] std::size_t promises() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(path)) count += entry.path().extension() == ".json" ? 1 : 0;
    return count;
  }
};

spec::Experiment experiment(const std::string& slo, const std::string& url) {
  spec::Experiment result;
  result.loads.push_back({.name = "load", .url = url});
  result.slos.push_back({.name = slo, .objective = 0.999, .measures = {{.load = "load"}}});
  return result;
}

guard::Config config(double budget) {
  guard::Config result;
  result.slos = {{.name = "pay", .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}}};
  result.budget = budget;
  result.length = 60s;
  return result;
}

}  // namespace

TEST_CASE("budget ledger: what one experiment may spend is not there for another, until it ends") {
  const Directory directory;
  auto first_config = config(0.6), second_config = config(0.6), third_config = config(0.6), other_config = config(0.6);
  {
    const auto first = engine::BudgetLedger::enter(directory.path, "a", experiment("pay", "http://pay/"), first_config);
    REQUIRE_MESSAGE(first, first.error().message);
    CHECK(first_config.slos[0].promised == 0);
    const auto second = engine::BudgetLedger::enter(directory.path, "b", experiment("also-pay", "http://pay/"), second_config);
    REQUIRE_MESSAGE(second, second.error().message);
    CHECK(second_config.slos[0].promised == doctest::Approx(0.6));
    const auto third = engine::BudgetLedger::enter(directory.path, "c", experiment("pay", "http://pay/"), third_config);
    REQUIRE_FALSE(third);  // 0.6 and the 0.4 that were left
    CHECK(third.error().blame == Blame::refused);
    CHECK(third.error().message.find("reserved for other running experiments") != std::string::npos);
    const auto other = engine::BudgetLedger::enter(directory.path, "d", experiment("pay", "http://elsewhere/"), other_config);
    CHECK(other);
    CHECK(directory.promises() == 3);
  }
  CHECK(directory.promises() == 0);
  auto later = config(0.6);
  CHECK(engine::BudgetLedger::enter(directory.path, "e", experiment("pay", "http://pay/"), later));
  CHECK(later.slos[0].promised == 0);
}

TEST_CASE("budget ledger: of several sources every authoritative one's budget is promised") {
  const Directory directory;
  auto mine = experiment("pay", "http://pay/");
  mine.slos[0].measures.push_back({.source = spec::PrometheusSource{.url = "http://p", .bad = "b", .total = "t"}});
  mine.slos[0].measures.push_back({.source = spec::PrometheusSource{.url = "http://q", .bad = "b", .total = "t"}, .authoritative = false});
  auto first_config = config(0.3);
  const auto& terms = first_config.slos[0].sources[0];
  first_config.slos[0].sources = {terms, terms, terms};
  first_config.slos[0].sources[2].authoritative = false;
  const auto first = engine::BudgetLedger::enter(directory.path, "a", mine, first_config);
  REQUIRE_MESSAGE(first, first.error().message);
  const auto promised_to = [&](const std::string& url) {
    auto other = experiment("other", "http://other/");
    other.slos[0].measures = {{.source = spec::PrometheusSource{.url = url, .bad = "b", .total = "t"}}};
    auto second_config = config(0.3);
    const auto second = engine::BudgetLedger::enter(directory.path, "b", other, second_config);
    REQUIRE_MESSAGE(second, second.error().message);
    return second_config.slos[0].promised;
  };
  CHECK(promised_to("http://p") == doctest::Approx(0.3));
  CHECK(promised_to("http://q") == 0);
}

TEST_CASE("budget ledger: the promise of a runner that was killed is void") {
  const Directory directory;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto mine = config(0.9);
    const auto ledger = engine::BudgetLedger::enter(directory.path, "killed", experiment("pay", "http://pay/"), mine);
    const char word = ledger ? 'y' : 'n';
    if (::write(ready[1], &word, 1) == 1) ::pause();
    ::_exit(1);
  }
  char word = 0;
  REQUIRE(::read(ready[0], &word, 1) == 1);
  CHECK(word == 'y');
  auto while_alive = config(0.2), after = config(0.2);
  {
    const auto ledger = engine::BudgetLedger::enter(directory.path, "mine", experiment("pay", "http://pay/"), while_alive);
    REQUIRE(ledger);
    CHECK(while_alive.slos[0].promised == doctest::Approx(0.9));
    CHECK(guard::allowance(while_alive.slos[0], while_alive.slos[0].sources[0], while_alive) == doctest::Approx(0.1));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  CHECK(fs::exists(directory.path / "killed.json"));
  CHECK(engine::BudgetLedger::enter(directory.path, "mine", experiment("pay", "http://pay/"), after));
  CHECK(after.slos[0].promised == 0);
  CHECK_FALSE(fs::exists(directory.path / "killed.json"));
}

TEST_CASE("budget ledger: a promise that cannot be read, or a place that cannot be made, is no start") {
  const Directory directory;
  auto mine = config(0.1), again = config(0.1);
  const auto first = engine::BudgetLedger::enter(directory.path, "a", experiment("pay", "http://pay/"), mine);
  REQUIRE(first);
  { std::ofstream(directory.path / "a.json") << "{"; }
  const auto second = engine::BudgetLedger::enter(directory.path, "b", experiment("pay", "http://pay/"), again);
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("a.json") != std::string::npos);
  const auto nowhere = engine::BudgetLedger::enter("/proc/nowhere", "b", experiment("pay", "http://pay/"), again);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message.find("--run-dir") != std::string::npos);
}

TEST_CASE("budget ledger: a promise of an older arashi, a share of a window that it does not name, is refused and says what to do") {
  const Directory directory;
  auto mine = config(0.1), again = config(0.1);
  const auto first = engine::BudgetLedger::enter(directory.path, "old-one", experiment("pay", "http://pay/"), mine);
  REQUIRE(first);
  { std::ofstream(directory.path / "old-one.json") << R"({"run":"old-one","budgets":[{"budget":"load GET http://pay","share":0.1}]})"; }
  const auto second = engine::BudgetLedger::enter(directory.path, "b", experiment("pay", "http://pay/"), again);
  REQUIRE_FALSE(second);
  CHECK(second.error().blame == Blame::refused);
  CHECK(second.error().message.find("old-one.json") != std::string::npos);
  CHECK(second.error().message.find("wait until that run has ended") != std::string::npos);
}

TEST_CASE("budget ledger: experiments of different windows over the same counts, one after the other") {
  const Directory directory;
  auto month = config(0.6), week = config(0.6);
  week.slos[0].window = 24h * 7;
  week.slos[0].sources[0].window_events = 200.0 * 86400 * 7;
  const auto first = engine::BudgetLedger::enter(directory.path, "week", experiment("pay", "http://pay/"), week);
  REQUIRE_MESSAGE(first, first.error().message);
  const auto second = engine::BudgetLedger::enter(directory.path, "month", experiment("pay", "http://pay/"), month);
  REQUIRE_MESSAGE(second, second.error().message);
  CHECK(month.slos[0].promised == doctest::Approx(0.6 * 7 / 30));
  // The week has 40 % of its own left: that is all the month may have.
  CHECK(guard::allowance(month.slos[0], month.slos[0].sources[0], month) == doctest::Approx(0.4 * 7 / 30));
}
