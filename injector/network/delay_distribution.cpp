#include "injector/network/delay_distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace arashi {

namespace {

constexpr std::size_t entries = 4096;
constexpr double pareto_exponent = 3;

std::vector<double> quantiles(std::size_t count, double (*quantile)(double)) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = quantile((static_cast<double>(i) + 0.5) / static_cast<double>(count));
  return values;
}

// Mean 0 and standard deviation 1: a / (a - 1) and a / ((a - 1)² (a - 2)) are the mean and the variance of what is not below 1.
double pareto_quantile(double probability) {
  constexpr double a = pareto_exponent;
  const double deviation = std::sqrt(a / ((a - 1) * (a - 1) * (a - 2)));
  return (std::pow(1 - probability, -1 / a) - a / (a - 1)) / deviation;
}

// All sums of evenly likely parts, in order.
std::vector<double> pareto_normal_quantiles() {
  constexpr std::size_t parts = 512;
  constexpr double normal_share = 0.25;
  const auto normals = quantiles(parts, normal_quantile);
  const auto paretos = quantiles(parts, pareto_quantile);
  std::vector<double> sums;
  sums.reserve(parts * parts);
  for (const auto normal : normals)
    for (const auto pareto : paretos) sums.push_back(normal_share * normal + (1 - normal_share) * pareto);
  std::sort(sums.begin(), sums.end());
  std::vector<double> values(entries);
  constexpr std::size_t each = parts * parts / entries;
  for (std::size_t i = 0; i < entries; ++i) values[i] = sums[i * each + each / 2];
  return values;
}

double clipped(double value) {
  constexpr double most = std::numeric_limits<std::int16_t>::max();
  return std::clamp(value * table_scale, -most, most) / table_scale;
}

// Moves and stretches the values until what 16 bits hold of them has mean 0 and standard deviation 1.
std::vector<std::int16_t> standard_table(std::vector<double> values) {
  constexpr int rounds = 200;
  for (int round = 0; round < rounds; ++round) {
    double sum = 0;
    double squares = 0;
    for (const auto value : values) sum += clipped(value);
    const double mean = sum / static_cast<double>(values.size());
    for (const auto value : values) squares += (clipped(value) - mean) * (clipped(value) - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
    for (auto& value : values) value = (value - mean) / deviation;
  }
  std::vector<std::int16_t> table;
  table.reserve(values.size());
  for (const auto value : values) table.push_back(static_cast<std::int16_t>(std::lround(clipped(value) * table_scale)));
  return table;
}

}  // namespace

double normal_probability(double deviations) { return std::erfc(-deviations / std::sqrt(2.0)) / 2; }

double normal_quantile(double probability) {
  constexpr int halvings = 60;
  double low = -40;
  double high = 40;
  for (int i = 0; i < halvings; ++i) {
    const double middle = std::midpoint(low, high);
    (normal_probability(middle) < probability ? low : high) = middle;
  }
  return std::midpoint(low, high);
}

std::vector<std::int16_t> delay_table(Shape shape) {
  switch (shape) {
    case Shape::normal:
      return standard_table(quantiles(entries, normal_quantile));
    case Shape::pareto:
      return standard_table(quantiles(entries, pareto_quantile));
    case Shape::paretonormal:
      return standard_table(pareto_normal_quantiles());
    case Shape::uniform:
    case Shape::table:
      break;
  }
  return {};
}

}  // namespace arashi
