#include "agent/routes.hpp"

#include "agent/protocol/protocol.hpp"

#include <algorithm>
#include <array>
#include <sstream>

namespace arashi {

namespace {

template <class T>
Result<std::string> canonical(std::string_view body) {
  return protocol::print(TRY(protocol::parse<T>(body)));
}

constexpr std::array table{
    RouteEntry{Route::about, "GET", "/v1/about", Right::read, nullptr},
    RouteEntry{Route::capabilities, "GET", "/v1/capabilities", Right::read, nullptr},
    RouteEntry{Route::resolve, "POST", "/v1/resolve", Right::run, canonical<protocol::ResolveRequest>},
    RouteEntry{Route::prepare, "POST", "/v1/prepare", Right::run, canonical<protocol::InjectRequest>},
    RouteEntry{Route::inject, "POST", "/v1/inject", Right::run, canonical<protocol::InjectRequest>},
    RouteEntry{Route::lease, "POST", "/v1/lease", Right::run, canonical<protocol::LeaseRequest>},
    RouteEntry{Route::revert, "POST", "/v1/revert", Right::halt, canonical<protocol::RevertRequest>},
    RouteEntry{Route::halt, "POST", "/v1/halt", Right::halt, canonical<protocol::HaltRequest>},
    RouteEntry{Route::status, "GET", "/v1/status", Right::read, nullptr},
    RouteEntry{Route::metrics, "GET", "/metrics", Right::any, nullptr},
    RouteEntry{Route::health, "GET", "/healthz", Right::any, nullptr},
};

std::string everything() {
  std::ostringstream out;
  for (const auto& entry : table) out << (&entry == table.data() ? "" : ", ") << entry.method << ' ' << entry.path;
  return out.str();
}

}  // namespace

std::span<const RouteEntry> routes() { return table; }

const RouteEntry* find_route(std::string_view method, std::string_view target, NoRoute& why) {
  const auto path = target.substr(0, target.find('?'));
  for (const auto& entry : table) {
    if (entry.path != path) continue;
    if (entry.method == method) return &entry;
    why.allow.emplace_back(entry.method);
  }
  if (why.allow.empty()) {
    why.status = 404;
    why.message = "there is no such path; there are " + everything();
  } else {
    why.status = 405;
    why.message = std::string(path) + " takes " + why.allow.front() + " only";
  }
  return nullptr;
}

bool may(std::span<const std::string> roles, Right right) {
  if (right == Right::any || std::ranges::find(roles, "runner") != roles.end()) return true;
  return right != Right::run && std::ranges::find(roles, "halt-only") != roles.end();
}

std::string_view name_of(Right right) {
  switch (right) {
    case Right::any:
      return "any";
    case Right::read:
      return "read";
    case Right::halt:
      return "halt";
    case Right::run:
      return "run";
  }
  return "unknown";
}

}  // namespace arashi
