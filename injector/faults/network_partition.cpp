// Cuts a network namespace off from some peers, or from everyone but the control path. Established connections are not reset: they stall,
// as in a real partition, until TCP's own timeouts or the end of the fault.
#include "injector/fault.hpp"
#include "injector/host/impairment.hpp"
#include "injector/host/network_place.hpp"

#include <array>

namespace arashi {

extern const Fault network_partition_fault;

namespace {

constexpr std::array<std::string_view, 3> directions{"egress", "ingress", "both"};
constexpr std::array<std::string_view, 4> protocols{"any", "tcp", "udp", "icmp"};

constexpr std::array params{
    Param{.name = "peers",
          .type = ParamType::list,
          .summary = "addresses or blocks to be cut off from, v4 and v6; an empty list: from everyone but the control path",
          .example = "[10.0.0.7, \"2001:db8::/32\"]",
          .required = true},
    Param{.name = "except", .type = ParamType::list, .summary = "addresses or blocks that stay reachable", .example = "[10.0.0.1]"},
    Param{.name = "direction",
          .type = ParamType::choice,
          .summary = "which way, as seen from the target",
          .example = "egress",
          .fallback = "both",
          .choices = directions},
    Param{.name = "protocol",
          .type = ParamType::choice,
          .summary = "only this protocol",
          .example = "tcp",
          .fallback = "any",
          .choices = protocols},
    Param{.name = "ports", .type = ParamType::list, .summary = "only traffic with these ports of the peer", .example = "[6379, 8000-8100]"},
    Param{.name = "localPorts", .type = ParamType::list, .summary = "only traffic with these ports of the target", .example = "[8080]"},
    Param{.name = "device",
          .type = ParamType::text,
          .summary = "only on this device; else the one on the way to the peers, or every one but loopback",
          .example = "eth0"},
};
constexpr std::array<std::string_view, 5> kinds{"netns", "process", "cgroup", "unit", "node"};

Result<Prepared> prepare(const Host& host, const Request& request) {
  auto impairment = TRY(place_impairment(host, request.id, request.victim, request.params));
  impairment.effects.loss = 1;
  const auto choice = TRY(choose_backend(host, impairment, "bpf"));
  return Prepared{.change = change_of(choice, impairment),
                  .claims = claims_of(impairment),
                  .mechanism = std::string(choice.backend->name),
                  .because = "dropping needs no more than a filter",
                  .undo = choice.backend->undo(impairment)};
}

}  // namespace

const Fault network_partition_fault{.name = "network.partition",
                                    .summary = "no packet gets to or from chosen peers; open connections stall",
                                    .params = params,
                                    .target_kinds = kinds,
                                    .prepare = prepare,
                                    .apply = apply_impairment,
                                    .revert = revert_impairment,
                                    .observe = observe_impairment};

}  // namespace arashi
