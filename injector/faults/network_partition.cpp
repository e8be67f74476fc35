// Cuts a network namespace off from some peers, or from everyone but the control path. Established connections are not reset: they stall,
// as in a real partition, until TCP's own timeouts or the end of the fault.
#include "injector/fault.hpp"
#include "injector/host/impairment.hpp"
#include "injector/host/network_place.hpp"
#include "injector/host/traffic_params.hpp"

#include <array>

namespace arashi {

extern const Fault network_partition_fault;

namespace {

constexpr std::array params{
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "addresses, blocks, host names or target groups to be cut off from, v4 and v6; an empty list: from everyone but the "
                     "control path",
          .example = "[10.0.0.7, \"2001:db8::/32\", {target: wallet}]",
          .required = true},
    except_param,
    direction_param("both"),
    protocol_param,
    ports_param,
    local_ports_param,
    dscp_param,
    device_param,
};

Result<Prepared> prepare(const Host& host, const Request& request) {
  auto impairment = TRY(place_impairment(host, request.id, request.victim, request.params));
  impairment.effects.loss = 1;
  const auto choice = TRY(choose_backend(host, impairment, "bpf"));
  return Prepared{.change = change_of(choice, impairment),
                  .claims = claims_of(impairment),
                  .mechanism = std::string(choice.backend->name),
                  .because = with_scope("dropping needs no more than a filter", impairment),
                  .undo = choice.backend->undo(impairment)};
}

}  // namespace

const Fault network_partition_fault{.name = "network.partition",
                                    .summary = "no packet gets to or from chosen peers; open connections stall",
                                    .params = params,
                                    .target_kinds = network_target_kinds,
                                    .prepare = prepare,
                                    .apply = apply_impairment,
                                    .revert = revert_impairment,
                                    .observe = observe_impairment};

}  // namespace arashi
