#include "injector/network/delay_distribution.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace arashi;

namespace {

double mean_of(const std::vector<std::int16_t>& table) {
  return std::accumulate(table.begin(), table.end(), 0.0) / static_cast<double>(table.size()) / table_scale;
}

double deviation_of(const std::vector<std::int16_t>& table) {
  double squares = 0;
  for (const auto value : table) squares += std::pow(value / table_scale - mean_of(table), 2);
  return std::sqrt(squares / static_cast<double>(table.size()));
}

double at(const std::vector<std::int16_t>& table, double rank) {
  return table[static_cast<std::size_t>(rank * static_cast<double>(table.size()))] / table_scale;
}

}  // namespace

TEST_CASE("every table rises, has mean 0 and a standard deviation of one jitter") {
  for (const auto shape : {Shape::normal, Shape::pareto, Shape::paretonormal}) {
    const auto table = delay_table(shape);
    CHECK(table.size() == 4096);
    CHECK(std::is_sorted(table.begin(), table.end()));
    CHECK(mean_of(table) == doctest::Approx(0).epsilon(0.001));
    CHECK(deviation_of(table) == doctest::Approx(1).epsilon(0.001));
  }
  CHECK(delay_table(Shape::uniform).empty());
}

TEST_CASE("the normal table has the normal distribution's quantiles, from the book") {
  const auto table = delay_table(Shape::normal);
  CHECK(at(table, 0.5) == doctest::Approx(0).epsilon(0.01));
  CHECK(at(table, 0.84134) == doctest::Approx(1).epsilon(0.01));
  CHECK(at(table, 0.97725) == doctest::Approx(2).epsilon(0.01));
  CHECK(at(table, 0.02275) == doctest::Approx(-2).epsilon(0.01));
}

TEST_CASE("the pareto table is a pareto distribution of exponent 3, moved and stretched") {
  const auto table = delay_table(Shape::pareto);
  const auto pareto = [](double rank) { return std::pow(1 - rank, -1.0 / 3); };
  const double stretch = (at(table, 0.9) - at(table, 0.1)) / (pareto(0.9) - pareto(0.1));
  for (const double rank : {0.3, 0.5, 0.7, 0.95, 0.98})
    CHECK(at(table, rank) == doctest::Approx(at(table, 0.1) + stretch * (pareto(rank) - pareto(0.1))).epsilon(0.02));
  CHECK(table.back() == 32767);  // its end is longer than 16 bits
  CHECK(table.front() > -8192);  // and its beginning is steep
}

TEST_CASE("the pareto-normal table lies between its two parts") {
  const auto table = delay_table(Shape::paretonormal);
  CHECK(table.front() < delay_table(Shape::pareto).front());
  CHECK(table.front() > delay_table(Shape::normal).front());
  CHECK(at(table, 0.99) > at(delay_table(Shape::normal), 0.99));
}

TEST_CASE("quantile and probability of the normal distribution undo each other") {
  for (const double x : {-3.0, -1.0, 0.0, 0.5, 2.5}) CHECK(normal_quantile(normal_probability(x)) == doctest::Approx(x));
}
