// The API as a table: what exists, and which right it takes. The api process reads it to refuse what is wrong before anything privileged
// sees it; the injector process to dispatch.
#pragma once

#include "injector/core/result.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// Many may stop, few may start.
enum class Right { any, read, halt, run };

enum class Route { about, capabilities, resolve, prepare, inject, lease, revert, halt, status, metrics, health };

struct RouteEntry {
  Route route;
  std::string_view method, path;
  Right right;
  // Text from outside → the same as our own printer writes it; an error names what is wrong. Null: the path takes no body.
  Result<std::string> (*canonical)(std::string_view body);
};

std::span<const RouteEntry> routes();

struct NoRoute {
  int status = 404;
  std::string message;             // says what exists
  std::vector<std::string> allow;  // with 405
};
// `target` may carry a query, which is ignored. Null with the reason in `why`.
const RouteEntry* find_route(std::string_view method, std::string_view target, NoRoute& why);

// What a peer with these roles may do. "runner": everything; "halt-only": read and halt; none of them: only Right::any.
bool may(std::span<const std::string> roles, Right right);
std::string_view name_of(Right right);

}  // namespace arashi
