// Measures a path by UDP packets of our own between two network namespaces: when the sender sent each and when the receiver's kernel got
// it.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace arashi::test {

struct Probe {
  std::string from, to;  // paths of the namespaces: /run/netns/NAME
  std::string from_address = "10.77.0.1", to_address = "10.77.0.2";
  int packets = 1000;
  int per_second = 2000;
  std::size_t size = 200;                              // bytes of UDP payload; no checksum is sent, so that a wrong bit arrives
  Duration patience = std::chrono::milliseconds(300);  // how long the receiver waits for more
};

struct Arrival {
  std::uint32_t number = 0;
  double sent = 0, received = 0;  // seconds of CLOCK_REALTIME
  bool whole = true;              // false: some bit is wrong, and so may be the number
};

struct Probed {
  int sent = 0;
  std::vector<Arrival> arrivals;                     // in the order of coming
  [[nodiscard]] std::vector<double> delays() const;  // seconds, of those that came whole
  [[nodiscard]] std::vector<bool> lost() const;      // of each packet sent
  [[nodiscard]] int duplicated() const;              // arrivals of a number that had come before
  [[nodiscard]] int corrupted() const;
};

Result<Probed> run_probe(const Probe& probe);

// ---- what follows from numbers

double mean_of(const std::vector<double>& values);
double deviation_of(const std::vector<double>& values);
double percentile_of(std::vector<double> values, double share);
double share_of(const std::vector<bool>& events);
double mean_burst_of(const std::vector<bool>& events);   // length of a run of true
double correlation_of(const std::vector<bool>& events);  // of neighbours

// Kolmogorov-Smirnov: the largest distance between the values' distribution and that of `samples` of the one expected.
double ks_distance(std::vector<double> values, std::vector<double> samples);
// What the distance of n values stays below but once in a million times, if they are of that distribution.
double ks_bound(std::size_t n);

// Five standard deviations of a share of n independent events.
double share_bound(double share, std::size_t n);

}  // namespace arashi::test
