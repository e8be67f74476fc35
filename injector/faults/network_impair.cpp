// Delay, jitter and loss on chosen traffic of a network namespace.
#include "injector/fault.hpp"
#include "injector/host/impairment.hpp"
#include "injector/host/network_place.hpp"
#include "injector/host/traffic_params.hpp"

#include <array>

namespace arashi {

extern const Fault network_impair_fault;

namespace {

constexpr double longest_delay = 60e9;             // ns
constexpr double largest_seed = 9007199254740991;  // what JSON carries exactly
constexpr std::array<std::string_view, 4> backend_names{"auto", "bpf", "tap", "netem"};

constexpr std::array params{
    Param{.name = "delay",
          .type = ParamType::duration,
          .summary = "how long each packet is held, one way",
          .example = "50ms",
          .least = 0,
          .most = longest_delay},
    Param{.name = "jitter",
          .type = ParamType::duration,
          .summary = "delay varies evenly by this much either way; at most the delay",
          .example = "10ms",
          .least = 0,
          .most = longest_delay},
    Param{.name = "loss", .type = ParamType::percent, .summary = "how many of the packets are lost, at random", .example = "1%"},
    direction_param("egress"),
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "only traffic with these addresses, blocks, host names or target groups, v4 and v6; none: with everyone",
          .example = "[10.0.0.7, \"2001:db8::/32\", ledger.pay, {target: wallet}]"},
    except_param,
    protocol_param,
    ports_param,
    local_ports_param,
    device_param,
    Param{.name = "backend",
          .type = ParamType::choice,
          .summary = "what does it; auto takes the best that this machine has",
          .example = "tap",
          .fallback = "auto",
          .choices = backend_names},
    Param{.name = "seed",
          .type = ParamType::integer,
          .summary = "makes the losses and the jitter the same each time",
          .example = "7",
          .least = 0,
          .most = largest_seed},
};

Result<Effects> effects_of(const Json& canonical) {
  Effects effects;
  effects.delay = duration_param(canonical, "delay").value_or(Duration{});
  effects.jitter = duration_param(canonical, "jitter").value_or(Duration{});
  effects.loss = number_param(canonical, "loss").value_or(0);
  if (effects.jitter > Duration{} && effects.delay == Duration{}) return fail(Blame::input, "jitter needs a delay to vary");
  if (effects.jitter > effects.delay)
    return fail(Blame::input, "jitter ", to_text(effects.jitter), " is more than the delay ", to_text(effects.delay),
                ": packets cannot leave before they came");
  if (effects.delay == Duration{} && effects.loss <= 0)
    return fail(Blame::input, "nothing is asked for: give at least one of delay and loss");
  return effects;
}

Result<Prepared> prepare(const Host& host, const Request& request) {
  const auto effects = TRY(effects_of(request.params));
  auto impairment = TRY(place_impairment(host, request.id, request.victim, request.params));
  impairment.effects = effects;
  const auto choice = TRY(choose_backend(host, impairment, text_param(request.params, "backend").value_or("auto")));
  return Prepared{.change = change_of(choice, impairment),
                  .claims = claims_of(impairment),
                  .mechanism = std::string(choice.backend->name),
                  .because = choice.because,
                  .undo = choice.backend->undo(impairment)};
}

}  // namespace

const Fault network_impair_fault{.name = "network.impair",
                                 .summary = "delay, jitter and loss on chosen traffic",
                                 .params = params,
                                 .target_kinds = network_target_kinds,
                                 .prepare = prepare,
                                 .apply = apply_impairment,
                                 .revert = revert_impairment,
                                 .observe = observe_impairment};

}  // namespace arashi
