// What a fault did, as read back from the machine: requested beside achieved.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/keys.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace arashi {

// One quantity; `unit` is one of "ns", "fraction", "count", "" (a text is in `note`).
struct Achieved {
  std::string what;  // "delay", "loss", "kills", "paused processes", "exit"
  std::string unit;
  std::optional<double> requested;  // absent where nothing was asked for
  std::optional<double> achieved;   // absent where it could not be read
  std::string note;
  bool operator==(const Achieved&) const = default;
  static constexpr auto keys =
      std::tuple(key("what", &Achieved::what), key("unit", &Achieved::unit), key("requested", &Achieved::requested),
                 key("achieved", &Achieved::achieved), key("note", &Achieved::note));
};

struct Evidence {
  bool in_place = false;       // the effect was read back from the kernel (not merely "the call returned 0")
  bool bit = false;            // it affected something: packets matched, processes died. false → inconclusive in the end
  std::uint64_t seen = 0;      // events the fault could have affected (packets of the device, kill rounds)
  std::uint64_t affected = 0;  // events it did affect
  std::vector<Achieved> values;
  std::string detail;  // one line for people: "clsact on eth0 (ifindex 2), program 4711; 812 of 40211 packets lost"
  bool operator==(const Evidence&) const = default;
  static constexpr auto keys =
      std::tuple(key("inPlace", &Evidence::in_place), key("bit", &Evidence::bit), key("seen", &Evidence::seen),
                 key("affected", &Evidence::affected), key("values", &Evidence::values), key("detail", &Evidence::detail));
};

void to_json(Json& json, const Evidence& evidence);
void from_json(const Json& json, Evidence& evidence);

}  // namespace arashi
