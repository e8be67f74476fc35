// The proof of the guard: the real code in virtual time over a grid of experiments, beside what others would have done. Prints the table of
// experiments/guard/PROOF.md; exits 1 when a mark is missed.
//   guard_bench [--short] [--scale 0.1]      the whole grid, or a short form
//   guard_bench --cross RUNS SAMPLE          the full cross products of its axes, and a random sample of all of them: PROOF-GRID.md
//   guard_bench --record SEED                one run as JSON Lines, for second.py
//   guard_bench --page RATIO                 when the guard's burn-rate rules fire on 15 s scrapes after 6 h without an error, for
//   promtool.py
#include "experiments/guard/burn_rate.hpp"
#include "tests/bench/guard/cross.hpp"
#include "tests/bench/guard/grid.hpp"
#include "tests/bench/guard/run.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>
#include <thread>

using namespace arashi;
using namespace arashi::sim;

namespace {

std::string number(double value) {
  if (std::isnan(value)) return "–";
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
  return text;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, share * 100 < 0.0995 ? "%.3f" : share * 100 < 9.95 ? "%.2f" : "%.0f", share * 100);
  return text;
}

std::string causes(const Row& row) {
  constexpr std::array names{"cap", "e", "burn", "data"};
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (row.layers[i] > 0) text += (text.empty() ? "" : ", ") + std::string(names[i]) + " " + percent(1.0 * row.layers[i] / row.aborted);
  return text.empty() ? "–" : text;
}

void print_row(const Row& row) {
  if (!row.refused.empty()) {
    std::printf("| %s | – | not started: %s ||||||||\n", words(row.cell).c_str(), row.refused.c_str());
    return;
  }
  std::printf("| %s | %d | %s | %s / %s / %s | %s / %s | %d | %s |", words(row.cell).c_str(), row.runs,
              percent(1.0 * row.aborted / row.runs).c_str(), number(quantile(row.delays, 0.5)).c_str(),
              number(quantile(row.delays, 0.99)).c_str(), number(row.delays.empty() ? std::nan("") : row.delays.back()).c_str(),
              percent(quantile(row.spent, 0.5)).c_str(), percent(row.spent.back()).c_str(), row.missed + row.crossed, causes(row).c_str());
  for (std::size_t i = 0; i < row.others.size(); ++i) {
    const double spoke = 1.0 * static_cast<double>(row.others[i].size()) / std::min(row.runs, 200);
    std::printf(" %s%s |", number(quantile(row.others[i], 0.5)).c_str(),
                spoke > 0 && spoke < 0.995 ? (" (" + percent(spoke) + " %)").c_str() : "");
  }
  std::puts("");
}

void print_group(const std::string& group, const std::vector<Row>& rows) {
  std::printf("\n## %s\n\n", group.c_str());
  std::printf("| cell | runs | aborted %% | delay s p50 / p99 / max | spent %% p50 / max | cap missed | cause %% |");
  for (const char* name : reference_names) std::printf(" %s |", name);
  std::puts("\n|---|---|---|---|---|---|---|---|---|---|---|---|");
  for (const Row& row : rows)
    if (row.cell.group == group) print_row(row);
}

class Marks {
 public:
  void say(bool good, const std::string& text) {
    std::printf("- %s: %s\n", good ? "holds" : "**misses**", text.c_str());
    all_ = all_ && good;
  }
  [[nodiscard]] bool all() const { return all_; }

 private:
  bool all_ = true;
};

void judge_false_aborts(const std::vector<Row>& rows, bool whole, Marks& marks) {
  int aborted = 0, runs = 0;
  for (const Row& row : rows) {
    if (row.cell.group != "harmless") continue;
    aborted += row.aborted;
    runs += row.runs;
  }
  const double bound = upper_bound(aborted, runs);
  char text[160];
  std::snprintf(text, sizeof text, "false aborts in harmless experiments: %d of %d, with 99 %% at most %.2f in 1,000", aborted, runs,
                bound * 1000);
  marks.say(whole ? bound <= 1e-3 : aborted == 0, text);
  aborted = runs = 0;
  for (const Row& row : rows) {
    if (row.cell.group != "boundary") continue;
    aborted += row.aborted;
    runs += row.runs;
  }
  std::snprintf(text, sizeof text, "burning exactly at the threshold: %d of %d aborted (promised 1 in 1,000; 3.6 sigma over it are %.0f)",
                aborted, runs, runs * 1e-3 + 3.6 * std::sqrt(runs * 1e-3));
  if (runs > 0) marks.say(aborted <= runs * 1e-3 + 3.6 * std::sqrt(runs * 1e-3), text);
}

// Google's rule where it fires in the simulated time; else by its formula.
double googles_delay(const Row& row) {
  const auto& fired = row.others[0];
  return fired.size() * 2 >= static_cast<std::size_t>(std::min(row.runs, 200)) ? quantile(fired, 0.5) : 14.4 * 3600 / row.cell.burn;
}

// No test with that risk can be faster on average, even if it knew the error ratio beforehand (Wald): seconds.
double fastest_possible(const Cell& cell) {
  const double p = cell.ratio(), m = 14.4 * (1 - cell.objective);
  const double divergence = p * std::log(p / m) + (p < 1 ? (1 - p) * std::log((1 - p) / (1 - m)) : 0);
  return std::log(1000) / divergence / cell.rate;
}

void judge_speed(const std::vector<Row>& rows, Marks& marks) {
  int cells = 0, fast = 0;
  double least = 1e9;
  char text[200];
  for (const Row& row : rows) {
    const bool severe = row.cell.burn >= 50 && row.cell.rate >= 10 && row.refused.empty();
    if (!severe || (row.cell.group != "severity" && row.cell.group != "mark")) continue;
    const double google = googles_delay(row), gain = google / quantile(row.delays, 0.5), best = google / fastest_possible(row.cell);
    if (best < 10) {
      std::printf("- left out: %s: %.1f times as fast; with that risk no test can be more than %.1f times as fast\n",
                  words(row.cell).c_str(), gain, best);
      continue;
    }
    ++cells;
    fast += gain >= 10 ? 1 : 0;
    least = std::min(least, gain);
  }
  std::snprintf(text, sizeof text,
                "at burn rates >= 50 and >= 10 requests/s at least %.1f times as fast as Google's rule; >= 10 times in %d of %d cells",
                least, fast, cells);
  marks.say(fast == cells, text);
  for (const Row& row : rows) {
    if (row.cell.group != "mark") continue;
    const double most = row.cell.ratio() >= 1 ? 4 : 20, median = quantile(row.delays, 0.5);
    std::snprintf(text, sizeof text, "%s: found in %.2f s (median), at most %.0f", words(row.cell).c_str(), median, most);
    marks.say(median <= most && row.aborted == row.runs, text);
  }
}

bool judge(const std::vector<Row>& rows, bool whole) {
  Marks marks;
  std::puts("\n## Marks\n");
  judge_false_aborts(rows, whole, marks);
  int missed = 0, runs = 0, refused = 0;
  for (const Row& row : rows) {
    missed += row.missed + row.crossed;
    runs += row.runs;
    refused += row.refused.empty() ? 0 : 1;
  }
  marks.say(missed == 0, "caps crossed without an abort, or by more than one look: " + std::to_string(missed) + " of " +
                             std::to_string(runs) + " runs in " + std::to_string(rows.size()) + " cells (" + std::to_string(refused) +
                             " refused to start)");
  judge_speed(rows, marks);
  return marks.all();
}

std::vector<Row> measure_all(const std::vector<Cell>& cells) {
  std::vector<Row> rows(cells.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < cells.size(); i = next++) rows[i] = measure(cells[i], i + 1);
  };
  std::jthread other(work);
  work();
  other.join();
  return rows;
}

// Seconds after the onset, at 10,000 requests/s and 99.9 %, by Google's two paging rules.
int page_after(double ratio) {
  using namespace std::chrono_literals;
  const double per_scrape = 150'000;
  guard::BurnRates rates(0.999, 1e9, 0, {{1h, 5min, 14.4, 0}, {6h, 30min, 6, 0}});
  const int onset = 6 * 240;
  for (int scrape = 0; scrape < onset + 8 * 240; ++scrape) {
    rates.add(scrape * 15s, (scrape + 1) * 15s, per_scrape, scrape < onset ? 0 : per_scrape * ratio);
    if (rates.firing()) return (scrape + 1 - onset) * 15;
  }
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "--record") {
    const auto seed = std::strtoull(argv[2], nullptr, 10);
    std::fputs(
        recorded({.rate = 1.0 + 20.0 * static_cast<double>(seed % 5), .burn = 10.0 * static_cast<double>(seed % 7), .length = 120}, seed)
            .c_str(),
        stdout);
    return 0;
  }
  if (words.size() == 2 && words[0] == "--page") {
    std::printf("%d\n", page_after(std::atof(argv[2])));
    return 0;
  }
  if (words.size() == 3 && words[0] == "--cross") return print_cross_products(std::atoi(argv[2]), std::atoi(argv[3])) ? 0 : 1;
  const bool whole = words.empty() || words[0] != "--short";
  const double scale = words.size() == 2 && words[0] == "--scale" ? std::atof(argv[2]) : 1;
  const auto rows = measure_all(whole ? long_grid(scale) : short_grid());
  std::vector<std::string> groups;
  for (const Row& row : rows)
    if (std::find(groups.begin(), groups.end(), row.cell.group) == groups.end()) groups.push_back(row.cell.group);
  for (const auto& group : groups) print_group(group, rows);
  return judge(rows, whole && scale >= 1) ? 0 : 1;
}
