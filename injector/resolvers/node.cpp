#include "injector/resolver.hpp"

namespace arashi {

namespace {

Result<std::vector<Victim>> resolve(const Host& /*host*/, const Selector& /*selector*/) {
  return std::vector<Victim>{{.kind = "node", .scope = Scope::node, .label = "this machine"}};
}

}  // namespace

extern const KindResolver node_resolver;
const KindResolver node_resolver{.kind = "node", .resolve = resolve};

}  // namespace arashi
