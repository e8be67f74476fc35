// What a network fault does to which packets where, and the interface of the backends that can do it.
#pragma once

#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/host/device.hpp"
#include "injector/host/host.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/effects.hpp"
#include "injector/network/traffic.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// One cgroup of a namespace that others live in, too. Sockets belong to the cgroup in which they were made.
struct SocketCgroup {
  std::string path;  // below the root of v2
  std::uint64_t id = 0;
  std::uint32_t level = 0;  // the root has 0
  bool operator==(const SocketCgroup&) const = default;
  static constexpr auto keys =
      std::tuple(key("path", &SocketCgroup::path), key("id", &SocketCgroup::id), key("level", &SocketCgroup::level));
};

struct Impairment {
  std::string id;  // the injection's; every kernel object is named from it
  Netns netns;
  std::optional<SocketCgroup> cgroup{};  // only packets of sockets in it or below; none: all of the namespace's
  std::vector<Device> devices;           // at least one; each direction of each is hit
  Traffic traffic;
  Effects effects;
  std::optional<std::uint64_t> seed;  // for all that is left to chance; none: not replayable
  bool operator==(const Impairment&) const = default;
  static constexpr auto keys = std::tuple(key("id", &Impairment::id), key("netns", &Impairment::netns), key("cgroup", &Impairment::cgroup),
                                          key("devices", &Impairment::devices), key("traffic", &Impairment::traffic),
                                          key("effects", &Impairment::effects), key("seed", &Impairment::seed));
};

// Stateless, like a fault; made by make_backend (make_backend.hpp). `notes` is what the backend's own prepare wanted to remember (it is in
// the journal): a struct of its own, which meets JSON in make_backend alone.
struct Backend {
  std::string_view name;
  // Reads only. Blame::unsupported with the reason where it can't do this here; any other blame ends the search for a backend.
  Result<Json> (*prepare)(const Host&, const Impairment&);
  Result<void> (*readable)(const Json& notes);
  Result<Evidence> (*apply)(const Host&, const Impairment&, const Json& notes);
  Result<void> (*revert)(const Host&, const Impairment&, const Json& notes);  // twice, late, half-applied, never applied: still right
  Result<Evidence> (*observe)(const Host&, const Impairment&, const Json& notes);
  std::string (*undo)(const Impairment&);  // in words
  // The kernel ids of the programs that choose the packets, once applied.
  Result<std::vector<std::uint32_t>> (*programs)(const Host&, const Impairment&);
};

// In the order in which `auto` tries them.
std::span<const Backend* const> backends();
const Backend* find_backend(std::string_view name);

struct Choice {
  const Backend* backend = nullptr;
  Json notes;
  std::string because;
};

// wanted: "auto" or a backend's name. Blame::unsupported with every backend's reason when none can.
Result<Choice> choose_backend(const Host& host, const Impairment& impairment, std::string_view wanted);

template <>
struct AsText<const Backend*> {
  static std::string print(const Backend* backend) { return backend == nullptr ? "" : std::string(backend->name); }
  static Result<const Backend*> parse(std::string_view name);
};

// The change of a fault that impairs traffic.
struct ImpairmentChange {
  const Backend* backend = nullptr;
  Impairment impairment;
  Json notes;
  [[nodiscard]] Result<void> check() const;  // that the backend can read its notes
  static constexpr auto keys = std::tuple(key("backend", &ImpairmentChange::backend), key("impairment", &ImpairmentChange::impairment),
                                          key("notes", &ImpairmentChange::notes));
};
Result<Evidence> apply_impairment(const Host& host, const ImpairmentChange& change);
Result<void> revert_impairment(const Host& host, const ImpairmentChange& change);
Result<Evidence> observe_impairment(const Host& host, const ImpairmentChange& change);

// "netns:4026531840/eth0/egress", one for each device and direction, with "/system.slice/nginx.service" behind it where that is all that
// is hit. Loopback is claimed whole.
std::vector<std::string> claims_of(const Impairment& impairment);

// Why this backend, and before it whose packets are hit, where it is not the whole namespace.
std::string with_scope(std::string because, const Impairment& impairment);

// How many of the packets seen were of the traffic that is asked for: none of them is why a fault did not bite.
Achieved matched_value(std::uint64_t matched, std::uint64_t seen);

// What happened to the packets that matched, as far as a backend knows it.
struct Fates {
  std::uint64_t matched = 0, lost = 0;
  std::optional<std::uint64_t> duplicated, corrupted, reordered;
};
// Loss, duplicate, corrupt and reorder as the evidence shows them, each that is asked for: requested beside achieved.
std::vector<Achieved> fate_values(const Effects& effects, const Fates& fates);

}  // namespace arashi
