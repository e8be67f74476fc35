// The spec's JSON Schema (2020-12), made from the declarations the parser reads, for editors and `arashi schema`.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "injector/core/json_fwd.hpp"

#include <vector>

namespace arashi::spec {

Json schema(const std::vector<protocol::FaultText>& faults);

}  // namespace arashi::spec
