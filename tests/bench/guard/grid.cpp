#include "tests/bench/guard/grid.hpp"

#include <array>
#include <cmath>

namespace arashi::sim {
namespace {

constexpr double outage = 1e9;
using Cells = std::vector<Cell>;

void add(Cells& cells, Cell cell, const char* group, int runs) {
  cell.group = group;
  cell.runs = runs;
  cells.push_back(cell);
}

void severities(Cells& cells) {
  for (const double objective : {0.99, 0.999, 0.9999})
    for (const double rate : {0.003, 0.2, 1.0, 10.0, 100.0, 1000.0, 20000.0})
      for (const double burn : {20.0, 50.0, 100.0, 500.0, outage})
        if (burn >= outage || burn * (1 - objective) < 1) add(cells, {.rate = rate, .objective = objective, .burn = burn}, "severity", 100);
  add(cells, {.rate = 10, .objective = 0.9, .burn = outage}, "severity", 1);
}

// Nothing that should stop it: at most the burn rate that is still allowed.
void harmless(Cells& cells) {
  for (const double objective : {0.99, 0.999})
    for (const double rate : {1.0, 10.0, 100.0, 1000.0})
      for (const double burn : {0.0, 0.5, 1.0, 5.0}) add(cells, {.rate = rate, .objective = objective, .burn = burn}, "harmless", 400);
  for (const double rate : {1.0, 10.0, 100.0}) {
    for (const double baseline : {0.0, 0.8}) add(cells, {.rate = rate, .baseline = baseline}, "harmless", 400);
    for (const auto wander : {Baseline::drifting, Baseline::diurnal})
      add(cells, {.rate = rate, .baseline = 0.8, .wander = wander}, "harmless", 400);
    for (const double rho : {0.01, 0.05})
      for (const double burn : {1.0, 5.0})
        add(cells, {.rate = rate, .burn = burn, .dependence = Dependence::beta_binomial, .rho = rho}, "harmless", 400);
    add(cells, {.rate = rate, .burn = 14.4}, "boundary", 1500);
  }
}

void hard_on_the_null(Cells& cells) {
  for (const double rate : {10.0, 100.0}) {
    for (const double rho : {0.1, 0.3})
      add(cells, {.rate = rate, .burn = 5, .dependence = Dependence::beta_binomial, .rho = rho}, "bursty", 200);
    add(cells, {.rate = rate, .burn = 5, .dependence = Dependence::bursts}, "bursty", 200);
    add(cells, {.rate = rate, .wander = Baseline::bursty}, "bursty", 400);
    add(cells, {.rate = rate, .burn = 300, .shape = Shape::blip}, "bursty", 200);
  }
}

void shapes(Cells& cells) {
  for (const double rate : {10.0, 100.0})
    for (const double burn : {50.0, 100.0, outage})
      for (const auto shape : {Shape::ramp, Shape::periodic, Shape::late, Shape::recover5, Shape::recover30})
        add(cells, {.rate = rate, .burn = burn, .shape = shape}, "shape", 100);
  for (const double rate : {10.0, 100.0})
    for (const double burn : {50.0, outage}) {
      for (const double rho : {0.05, 0.3})
        add(cells, {.rate = rate, .burn = burn, .dependence = Dependence::beta_binomial, .rho = rho}, "dependence", 100);
      add(cells, {.rate = rate, .burn = burn, .dependence = Dependence::bursts}, "dependence", 100);
      add(cells, {.rate = rate, .burn = burn, .dependence = Dependence::one_replica}, "dependence", 100);
    }
}

void sources(Cells& cells) {
  for (const double burn : {0.0, 50.0, 100.0, outage}) {
    for (const auto source : {Source::quarter, Source::hang}) add(cells, {.burn = burn, .source = source}, "source", 100);
    for (const auto source : {Source::scrape15, Source::scrape60, Source::saas})
      add(cells, {.rate = 100, .burn = burn, .source = source, .budget = 0.10, .length = 1200}, "source", 100);
    add(cells, {.rate = 100, .burn = burn, .source = Source::scrape15}, "source", 100);
  }
  for (const double burn : {0.0, outage})
    for (const auto trouble : {Trouble::gap, Trouble::stale, Trouble::reset, Trouble::late_born, Trouble::duplicate, Trouble::disorder,
                               Trouble::ahead, Trouble::behind, Trouble::refused, Trouble::not_a_number, Trouble::partial})
      add(cells, {.burn = burn, .shape = burn > 0 ? Shape::late : Shape::step, .trouble = trouble}, "data fault", 100);
}

void budgets(Cells& cells) {
  for (const double budget : {0.001, 0.005, 0.02, 0.1})
    for (const int length : {60, 600, 3600})
      for (const double burn : {0.2, 10.0, 50.0, outage})
        add(cells, {.rate = 100, .burn = burn, .budget = budget, .length = length}, "budget", length > 600 ? 40 : 100);
}

}  // namespace

Cells long_grid(double scale) {
  Cells cells;
  severities(cells);
  add(cells, {.rate = 10, .burn = 100}, "mark", 1000);  // 10 % errors
  add(cells, {.rate = 10, .burn = outage}, "mark", 1000);
  harmless(cells);
  hard_on_the_null(cells);
  shapes(cells);
  sources(cells);
  budgets(cells);
  for (Cell& cell : cells) cell.runs = std::max(1, static_cast<int>(std::lround(cell.runs * scale)));
  return cells;
}

Cells short_grid() {
  Cells cells;
  add(cells, {.rate = 10, .burn = 100}, "mark", 60);
  add(cells, {.rate = 10, .burn = outage}, "mark", 60);
  for (const double rate : {10.0, 1000.0})
    for (const double burn : {50.0, 500.0}) add(cells, {.rate = rate, .burn = burn}, "severity", 20);
  for (const double rate : {1.0, 10.0, 100.0})
    for (const double burn : {0.0, 5.0}) add(cells, {.rate = rate, .burn = burn}, "harmless", 40);
  for (const auto trouble : {Trouble::gap, Trouble::stale, Trouble::duplicate, Trouble::disorder, Trouble::not_a_number})
    add(cells, {.burn = outage, .shape = Shape::late, .trouble = trouble}, "data fault", 10);
  return cells;
}

}  // namespace arashi::sim
