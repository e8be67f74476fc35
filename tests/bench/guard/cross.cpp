#include "tests/bench/guard/cross.hpp"

#include "tests/bench/guard/run.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace arashi::sim {
namespace {

constexpr double outage = 1e9;
constexpr std::array rates{0.003, 0.2, 1.0, 10.0, 100.0, 1000.0, 20000.0};
constexpr std::array objectives{0.9, 0.99, 0.999, 0.9999};
constexpr std::array burns{0.5, 1.0, 5.0, 14.4, 20.0, 50.0, 100.0, 500.0, outage};
constexpr std::array shapes{Shape::step, Shape::ramp, Shape::blip, Shape::periodic, Shape::late, Shape::recover5, Shape::recover30};
constexpr std::array sources{Source::second, Source::quarter, Source::hang, Source::scrape15, Source::scrape60, Source::saas};
constexpr std::array troubles{Trouble::none,      Trouble::gap,       Trouble::stale,        Trouble::reset,
                              Trouble::late_born, Trouble::duplicate, Trouble::disorder,     Trouble::ahead,
                              Trouble::behind,    Trouble::refused,   Trouble::not_a_number, Trouble::partial};
constexpr std::array budgets{0.001, 0.005, 0.02, 0.1};
constexpr std::array lengths{60, 600, 3600};

struct Clean {
  double burn;
  Baseline wander;
};
constexpr std::array baselines{Clean{0, Baseline::steady}, Clean{0.2, Baseline::steady}, Clean{0.8, Baseline::steady},
                               Clean{0.8, Baseline::drifting}, Clean{0.8, Baseline::diurnal}};
struct Together {
  Dependence kind;
  double rho;
};
constexpr std::array dependences{Together{Dependence::iid, 0}, Together{Dependence::beta_binomial, 0.01},
                                 Together{Dependence::beta_binomial, 0.3}, Together{Dependence::bursts, 0},
                                 Together{Dependence::one_replica, 0}};

using Cells = std::vector<Cell>;

// Every rate, objective and severity of one setting of the other axes.
void traffic(Cells& cells, Cell cell) {
  for (const double rate : rates)
    for (const double objective : objectives)
      for (const double burn : burns) {
        cell.rate = rate;
        cell.objective = objective;
        cell.burn = burn;
        cells.push_back(cell);
      }
}

Cells faults_and_traffic() {
  Cells cells;
  for (const auto& clean : baselines)
    for (const auto shape : shapes)
      for (const auto& together : dependences)
        traffic(cells, {.group = "A",
                        .baseline = clean.burn,
                        .shape = shape,
                        .dependence = together.kind,
                        .rho = together.rho,
                        .wander = clean.wander});
  return cells;
}

Cells what_is_known() {
  Cells cells;
  for (const auto source : sources)
    for (const auto trouble : troubles)
      for (const auto shape : {Shape::step, Shape::late})
        traffic(cells, {.group = "B", .shape = shape, .source = source, .trouble = trouble});
  return cells;
}

Cells what_may_be_spent() {
  Cells cells;
  for (const double budget : budgets)
    for (const int length : lengths) traffic(cells, {.group = "C", .budget = budget, .length = length});
  return cells;
}

template <class List>
auto one_of(const List& list, std::mt19937_64& random) {
  return list[std::uniform_int_distribution<std::size_t>(0, list.size() - 1)(random)];
}

Cells sampled(int count) {
  std::mt19937_64 random(20261125);
  Cells cells;
  for (int i = 0; i < count; ++i) {
    const auto clean = one_of(baselines, random);
    const auto together = one_of(dependences, random);
    cells.push_back({.group = "D",
                     .rate = one_of(rates, random),
                     .objective = one_of(objectives, random),
                     .burn = one_of(burns, random),
                     .baseline = clean.burn,
                     .shape = one_of(shapes, random),
                     .dependence = together.kind,
                     .rho = together.rho,
                     .wander = clean.wander,
                     .source = one_of(sources, random),
                     .trouble = one_of(troubles, random),
                     .budget = one_of(budgets, random),
                     .length = one_of(lengths, random)});
  }
  return cells;
}

// ---- what is asked of every run

bool whole_data(const Cell& cell) {
  return cell.trouble == Trouble::none && (cell.source == Source::second || cell.source == Source::quarter);
}

// Errors that come together more than the promise presumes: reported in PROOF.md, not counted here.
bool as_presumed(const Cell& cell) {
  return cell.dependence == Dependence::iid || cell.dependence == Dependence::one_replica ||
         (cell.dependence == Dependence::beta_binomial && cell.rho <= 0.05);
}

// Errors that come together say less: n events of a second with an intra-class correlation of rho are worth n / (1 + (n - 1) rho)
// independent ones (Kish's design effect), at most 1/rho however many they are.
double independent_events(const Cell& cell) {
  const double in_a_step = cell.rate * (cell.source == Source::quarter ? 0.25 : 1);
  return cell.rate * cell.length / (1 + std::max(in_a_step - 1, 0.0) * cell.rho);
}

// A fault that lasts, clearly over the threshold, in at least 50/KL independent events: it must not be missed.
bool must_be_found(const Cell& cell) {
  const double m = 14.4 * (1 - cell.objective);
  const double p = cell.ratio() / (cell.dependence == Dependence::one_replica ? 4 : 1);
  if (cell.shape != Shape::step || p < 1.2 * m || !as_presumed(cell) || !whole_data(cell)) return false;
  const double divergence = p * std::log(p / m) + (p < 1 ? (1 - p) * std::log((1 - p) / (1 - m)) : 0);
  return independent_events(cell) >= 50 / divergence && cell.length * cell.rate >= 1;
}

struct Sum {
  int cells = 0, refused = 0, runs = 0, aborted = 0, over = 0, harmless = 0, falsely = 0, near = 0, due = 0, unfound = 0;
  std::array<int, 4> layers{};
  std::vector<double> delays;
};

// So old the newest counts may be, in seconds.
double lag(const Cell& cell) {
  switch (cell.source) {
    case Source::scrape15:
      return 15;
    case Source::scrape60:
      return 60;
    case Source::saas:
      return 240;
    default:
      return 1;
  }
}

// More events than come in that time by chance in one run of a million.
double chance(double mean) {
  double term = std::exp(-mean), sum = term;
  int k = 0;
  for (; sum < 1 - 1e-6 && k < 10'000'000 && mean < 500; ++k) sum += term *= mean / (k + 1);
  return mean < 500 ? k : mean + 5 * std::sqrt(mean);
}

// The cap is a promise up to what can happen unseen: between two looks, and beyond the highest rate while the counts are on their way.
bool over_the_cap(const Cell& cell, const Outcome& one) {
  const double budget = (1 - cell.objective) * cell.rate * 720 * 3600;
  const double unseen = 2 * cell.rate, waiting = cell.rate * lag(cell);
  const double more = chance(unseen) + std::max(chance(waiting) - waiting, 0.0);
  return one.spent > cell.budget + more / budget || (one.would_cross && !one.abort);
}

void add(Sum& to, const Cell& cell, int runs, const std::vector<Outcome>& outcomes) {
  ++to.cells;
  to.refused += outcomes.empty() && runs > 0 ? 1 : 0;
  for (const Outcome& one : outcomes) {
    ++to.runs;
    to.over += over_the_cap(cell, one) ? 1 : 0;
    const bool harmless = cell.burn <= 5 && !one.would_cross && whole_data(cell) && as_presumed(cell);
    to.harmless += harmless ? 1 : 0;
    const bool by_cap = one.abort && one.layer == guard::Layer::cap;
    to.falsely += harmless && one.abort && !by_cap ? 1 : 0;
    to.near += harmless && by_cap ? 1 : 0;  // it had spent nearly all it may: the reserve for the rollback is part of that
    to.due += must_be_found(cell) ? 1 : 0;
    to.unfound += must_be_found(cell) && !one.abort ? 1 : 0;
    if (!one.abort) continue;
    ++to.aborted;
    ++to.layers[static_cast<std::size_t>(one.layer)];
    to.delays.push_back(*one.abort);
  }
}

using Key = std::function<std::string(const Cell&)>;
struct Table {
  std::string title;
  Key key;
  std::map<std::string, Sum> rows;
};

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

std::string severity(const Cell& cell) { return cell.burn >= outage ? "outage" : "burn " + number(cell.burn); }
std::string padded(double value) {  // sorts as a number does
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%09.3f", value);
  return text.data();
}

// "/" stands between what only sorts and what is shown.
std::string sorted(double by, const std::string& shown) { return padded(by) + "/" + shown; }
std::string of_axis(const Cell& cell, const Cell& plain) {  // the one thing that is set, in words
  Cell shown = cell;
  shown.rate = plain.rate;
  shown.objective = plain.objective;
  shown.burn = plain.burn;
  const std::string text = words(shown), usual = words(plain);
  return text == usual ? "as usual" : text.substr(std::min(text.size(), usual.size() + 2));
}

std::vector<Table> tables() {
  const auto by_severity = [](const Cell& cell) { return sorted(std::min(cell.burn, 9999.0), severity(cell)); };
  const auto only = [](Cell cell, auto keep) {
    Cell plain{.burn = 1};
    keep(plain, cell);
    return of_axis(plain, Cell{.burn = 1});
  };
  return {
      {"Rate", [](const Cell& cell) { return sorted(cell.rate, number(cell.rate) + "/s"); }, {}},
      {"Objective", [](const Cell& cell) { return sorted(cell.objective * 100, number(cell.objective * 100) + " %"); }, {}},
      {"Severity", by_severity, {}},
      {"Shape", [only](const Cell& cell) { return "/" + only(cell, [](Cell& to, const Cell& from) { to.shape = from.shape; }); }, {}},
      {"Dependence",
       [only](const Cell& cell) {
         return "/" + only(cell, [](Cell& to, const Cell& from) {
                  to.dependence = from.dependence;
                  to.rho = from.rho;
                });
       },
       {}},
      {"Baseline",
       [only](const Cell& cell) {
         return "/" + only(cell, [](Cell& to, const Cell& from) {
                  to.baseline = from.baseline;
                  to.wander = from.wander;
                });
       },
       {}},
      {"Source", [only](const Cell& cell) { return "/" + only(cell, [](Cell& to, const Cell& from) { to.source = from.source; }); }, {}},
      {"Data fault",
       [only](const Cell& cell) { return "/" + only(cell, [](Cell& to, const Cell& from) { to.trouble = from.trouble; }); },
       {}},
      {"What may be spent", [](const Cell& cell) { return sorted(cell.budget * 100, number(cell.budget * 100) + " %"); }, {}},
      {"Length", [](const Cell& cell) { return sorted(cell.length, number(cell.length / 60.0) + " min"); }, {}},
      {"Rate and severity",
       [by_severity](const Cell& cell) {
         return padded(cell.rate) + by_severity(cell).substr(0, 9) + "/" + number(cell.rate) + "/s, " + severity(cell);
       },
       {}},
  };
}

void print(Table& table) {
  std::printf(
      "\n### %s\n\n| | cells | refused | runs | aborted %% | delay s p50 / p99 | over the cap | by cap / e / burn / data | false aborts | "
      "not found |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n",
      table.title.c_str());
  for (auto& [key, sum] : table.rows) {
    std::vector<double>& delays = sum.delays;
    std::sort(delays.begin(), delays.end());
    const auto delay = [&delays](double q) {
      return delays.empty() ? std::string("–") : number(std::round(quantile(delays, q) * 10) / 10);
    };
    std::printf("| %s | %d | %d | %d | %s | %s / %s | %d | %d / %d / %d / %d | %d of %d | %d of %d |\n",
                key.substr(key.find('/') + 1).c_str(), sum.cells, sum.refused, sum.runs,
                sum.runs == 0 ? "–" : number(std::round(1000.0 * sum.aborted / sum.runs) / 10).c_str(), delay(0.5).c_str(),
                delay(0.99).c_str(), sum.over, sum.layers[0], sum.layers[1], sum.layers[2], sum.layers[3], sum.falsely, sum.harmless,
                sum.unfound, sum.due);
  }
}

// All cells of one product, on both processors; sums by every table, and each run over the cap by name.
Sum measure_product(const Cells& cells, int runs, std::vector<Table>& into, std::vector<std::string>& notes) {
  Sum all;
  std::mutex mutex;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < cells.size(); i = next++) {
      std::vector<Outcome> outcomes;
      if (guard::Guard::make(config_of(cells[i])))
        for (int k = 0; k < runs; ++k)
          outcomes.push_back(
              run(cells[i],
                  (i + 1) * 7'919 + static_cast<std::uint64_t>(k) + 500'000'003ULL * static_cast<std::uint64_t>(cells[i].group[0]), false));
      const std::lock_guard lock(mutex);
      add(all, cells[i], runs, outcomes);
      for (Table& table : into) add(table.rows[table.key(cells[i])], cells[i], runs, outcomes);
      for (const Outcome& one : outcomes) {
        const std::string name = words(cells[i]);
        if (over_the_cap(cells[i], one))
          notes.push_back("over the cap: " + name + ": spent " + number(one.spent * 100) + " % of " + number(cells[i].budget * 100) + " %");
        if (must_be_found(cells[i]) && !one.abort) notes.push_back("not found: " + name);
        if (cells[i].burn <= 5 && !one.would_cross && whole_data(cells[i]) && as_presumed(cells[i]) && one.abort &&
            one.layer != guard::Layer::cap)
          notes.push_back("for nothing: " + name + ", by " + std::string(guard::name_of(one.layer)));
      }
    }
  };
  work();
  return all;
}

bool say(bool good, const std::string& text) {
  std::printf("- %s: %s\n", good ? "holds" : "**misses**", text.c_str());
  return good;
}

}  // namespace

bool print_cross_products(int runs, int sample) {
  struct Product {
    std::string title;
    Cells cells;
    int runs;
    std::vector<std::string> shown;  // the tables that say something about it
  };
  std::vector<Product> products{
      {"A. Rate × objective × severity × baseline × shape × dependence",
       faults_and_traffic(),
       runs,
       {"Rate", "Objective", "Severity", "Shape", "Dependence", "Baseline", "Rate and severity"}},
      {"B. Rate × objective × severity × source × data fault × (at once, or late)",
       what_is_known(),
       runs,
       {"Severity", "Shape", "Source", "Data fault"}},
      {"C. Rate × objective × severity × what may be spent × length",
       what_may_be_spent(),
       runs,
       {"Severity", "What may be spent", "Length"}},
      {"D. One run each of experiments drawn at random from the product of all axes",
       sampled(sample),
       1,
       {"Rate", "Objective", "Severity", "Shape", "Dependence", "Baseline", "Source", "Data fault", "What may be spent", "Length"}}};
  bool good = true;
  for (auto& product : products) {
    auto made = tables();
    std::erase_if(made, [&](const Table& table) {
      return std::find(product.shown.begin(), product.shown.end(), table.title) == product.shown.end();
    });
    std::vector<std::string> notes;
    const Sum all = measure_product(product.cells, product.runs, made, notes);
    std::printf("\n## %s\n\n%d cells (%d refused to start), %d runs of each, %d runs.\n\n", product.title.c_str(), all.cells, all.refused,
                product.runs, all.runs);
    good &= say(all.over == 0, "over the cap by more than can come unseen, or over it without an abort: " + std::to_string(all.over) +
                                   " of " + std::to_string(all.runs));
    const double bound = upper_bound(all.falsely, all.harmless);
    good &= say(1.0 * all.falsely <= all.harmless * 1e-3 + 3.6 * std::sqrt(all.harmless * 1e-3),
                "false aborts by the statistical layers: " + std::to_string(all.falsely) + " of " + std::to_string(all.harmless) +
                    " harmless runs with whole data, with 99 % at most " + number(std::round(bound * 1e5) / 100) + " in 1,000; " +
                    std::to_string(all.near) + " more were stopped by the cap just before they would have reached it");
    good &= say(all.unfound == 0,
                "lasting faults of 1.2 times the threshold and more in 50/KL independent events and more that were not found: " +
                    std::to_string(all.unfound) + " of " + std::to_string(all.due));
    for (std::size_t i = 0; i < std::min<std::size_t>(notes.size(), 30); ++i) std::printf("  - %s\n", notes[i].c_str());
    for (Table& table : made) print(table);
    std::fflush(stdout);
  }
  return good;
}

}  // namespace arashi::sim
