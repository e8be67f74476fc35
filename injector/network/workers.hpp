// What the workers of the network faults are told, and what they tell.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/network/clsact.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace arashi {

// "tap": holds packets.
struct TapConfig {
  Impairment impairment;
  std::optional<clsact::Missing> missing;  // set: its programs are filters of clsact, for a kernel without TCX
  static constexpr auto keys = std::tuple(key("impairment", &TapConfig::impairment), key("clsactMissingOn", &TapConfig::missing));
};

struct TapStats {
  std::vector<std::uint32_t> programs;  // ids of those that choose the packets
  std::vector<std::string> taps;        // names of the devices
  std::uint64_t taken = 0, lost = 0, overflow = 0, over_limit = 0, duplicated = 0, corrupted = 0, overtaking = 0;
  std::uint64_t busiest_second = 0;  // bytes
  std::uint64_t refused = 0;         // frames that the kernel did not take back
  std::uint64_t delivered = 0, holding = 0;
  Duration most{};               // that one was held
  std::optional<Duration> mean;  // of those that were delivered
  bool operator==(const TapStats&) const = default;
  static constexpr auto keys = std::tuple(
      key("programs", &TapStats::programs), key("taps", &TapStats::taps), key("taken", &TapStats::taken), key("lost", &TapStats::lost),
      key("overflow", &TapStats::overflow), key("overLimit", &TapStats::over_limit), key("duplicated", &TapStats::duplicated),
      key("corrupted", &TapStats::corrupted), key("overtaking", &TapStats::overtaking), key("busiestSecond", &TapStats::busiest_second),
      key("refused", &TapStats::refused), key("delivered", &TapStats::delivered), key("holding", &TapStats::holding),
      key("mostNs", &TapStats::most), key("meanNs", &TapStats::mean));
};

// "netem-ramp": lets netem grow.
struct RampConfig {
  Impairment impairment;
  std::vector<std::string> ends;  // the devices that have netem
  static constexpr auto keys = std::tuple(key("impairment", &RampConfig::impairment), key("ends", &RampConfig::ends));
};

struct RampStats {
  Duration begin{};  // boot_now()
  static constexpr auto keys = std::tuple(key("beginNs", &RampStats::begin));
};

// "names": asks what host names stand for.
struct NamesConfig {
  Netns netns;
  Traffic traffic;
  std::vector<std::uint32_t> programs;  // whose peers follow the names; none: it asks once
  std::filesystem::path proc, named;    // Host::proc and Host::netns
  static constexpr auto keys =
      std::tuple(key("netns", &NamesConfig::netns), key("traffic", &NamesConfig::traffic), key("programs", &NamesConfig::programs),
                 key("proc", &NamesConfig::proc), key("named", &NamesConfig::named));
};

struct NamesStats {
  Traffic traffic;                              // with what its names stand for now
  std::map<std::string, std::string> problems;  // names that were not answered when asked once
  std::uint64_t changes = 0;
  static constexpr auto keys =
      std::tuple(key("traffic", &NamesStats::traffic), key("problems", &NamesStats::problems), key("changes", &NamesStats::changes));
};

}  // namespace arashi
