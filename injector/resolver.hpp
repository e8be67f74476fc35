// How targets of one kind are looked for on a machine. Constant and stateless; one file each in resolvers/, its kind a row in
// core/kinds.hpp.
#pragma once

#include "injector/core/kinds.hpp"
#include "injector/core/result.hpp"
#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace arashi {

struct KindResolver {
  std::string_view kind;
  // Every match, in a stable order; none is an empty list. What the selector asks for has passed check_selector().
  Result<std::vector<Victim>> (*resolve)(const Host&, const Selector&);
};

// All of them; generated from the folder resolvers/ by CMake.
std::span<const KindResolver* const> all_resolvers();

}  // namespace arashi
