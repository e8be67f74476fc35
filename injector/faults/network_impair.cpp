// Everything that netem can do to packets, on chosen traffic of a network namespace.
#include "injector/make_fault.hpp"
#include "injector/network/effects_params.hpp"
#include "injector/network/impairment.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <algorithm>
#include <array>

namespace arashi {

extern const Fault network_impair_fault;

namespace {

constexpr double largest_seed = 9007199254740991;  // what JSON carries exactly
constexpr std::array<std::string_view, 4> backend_names{"auto", "bpf", "tap", "netem"};

constexpr std::array where_params{
    direction_param("egress"),
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "only traffic with these addresses, blocks, host names or target groups, v4 and v6; none: with everyone",
          .example = "[10.0.0.7, \"2001:db8::/32\", ledger.pay, {target: wallet}]"},
    except_param,
    protocol_param,
    ports_param,
    local_ports_param,
    dscp_param,
    device_param,
    Param{.name = "backend",
          .type = ParamType::choice,
          .summary = "what does it; auto takes the best that this machine has",
          .example = "tap",
          .fallback = "auto",
          .choices = backend_names},
    Param{.name = "seed",
          .type = ParamType::integer,
          .summary = "makes all that is left to chance the same each time",
          .example = "7",
          .least = 0,
          .most = largest_seed},
};

constexpr auto params = [] {
  std::array<Param, effect_params.size() + where_params.size()> all{};
  std::copy(where_params.begin(), where_params.end(), std::copy(effect_params.begin(), effect_params.end(), all.begin()));
  return all;
}();

Result<void> check(const Json& canonical) {
  TRY(effects_from_params(canonical));
  TRY(traffic_but_peers(canonical));
  return {};
}

Result<Prepared<ImpairmentChange>> prepare(const Host& host, const Request& request) {
  const auto effects = TRY(effects_from_params(request.params));
  if (request.duration > Duration{} && effects.ramp > request.duration)
    return fail(Blame::input, "ramp ", to_text(effects.ramp), " is longer than the fault's ", to_text(request.duration),
                ", so what is asked for would never be reached: shorten the ramp, or lengthen `for`");
  auto impairment = TRY(place_impairment(host, request.id, request.victim, request.params));
  impairment.effects = effects;
  const auto choice = TRY(choose_backend(host, impairment, text_param(request.params, "backend").value_or("auto")));
  return Prepared<ImpairmentChange>{.change = {.backend = choice.backend, .impairment = impairment, .notes = choice.notes},
                                    .claims = claims_of(impairment),
                                    .mechanism = std::string(choice.backend->name),
                                    .because = with_scope(choice.because, impairment),
                                    .undo = choice.backend->undo(impairment)};
}

}  // namespace

const Fault network_impair_fault = make_fault<prepare, apply_impairment, revert_impairment, observe_impairment>(
    {.name = "network.impair",
     .summary = "delay, loss, reordering, rate and all else that netem knows, on chosen traffic",
     .params = params,
     .scopes = network_scopes,
     .check = check});

}  // namespace arashi
