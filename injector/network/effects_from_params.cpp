// From what a spec says to Effects, with the reasons against what can't be meant.
#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/network/effects.hpp"

#include <array>

namespace arashi {

namespace {

constexpr std::size_t most_samples = 16384;  // netem's NETEM_DIST_MAX
constexpr std::size_t least_samples = 2;

// Something that means nothing without something else.
struct Needs {
  std::string_view what, subject, because;
};
constexpr std::array rules{
    Needs{"jitter", "delay", "there is nothing to vary"},
    Needs{"delayCorrelation", "jitter", "every packet has the same delay"},
    Needs{"distribution", "jitter", "every packet has the same delay"},
    Needs{"distributionTable", "jitter", "every packet has the same delay"},
    Needs{"lossCorrelation", "loss", "no packet is lost by chance (gemodel and lossState have their own memory)"},
    Needs{"duplicateCorrelation", "duplicate", "no packet is duplicated"},
    Needs{"corruptCorrelation", "corrupt", "no packet is corrupted"},
    Needs{"reorder", "delay", "nobody waits, so there is no one to overtake"},
    Needs{"reorderCorrelation", "reorder", "no packet is reordered"},
    Needs{"gap", "reorder", "no packet is reordered"},
    Needs{"packetOverhead", "rate", "it counts only against a rate"},
    Needs{"cellSize", "rate", "it counts only against a rate"},
    Needs{"cellOverhead", "cellSize", "there are no cells"},
    Needs{"burst", "rate", "it counts only against a rate"},
    Needs{"slotMax", "slotMin", "it is the longest of the times that begin with slotMin"},
    Needs{"slotDistribution", "slotDelay", "there is nothing to vary"},
    Needs{"slotDelay", "slotDistribution", "without one, slots come between slotMin and slotMax"},
    Needs{"slotJitter", "slotDistribution", "without one, slots come between slotMin and slotMax"},
};

// Given, and not as nothing: `delay: 0s` and `loss: 0%` are as good as absent.
bool is_given(const Json& canonical, std::string_view name) {
  const auto found = canonical.find(name);
  if (found == canonical.end() || found->is_null()) return false;
  return !found->is_number() || found->get<double>() != 0;
}

Result<void> has_its_subjects(const Json& canonical) {
  for (const auto& rule : rules)
    if (is_given(canonical, rule.what) && !is_given(canonical, rule.subject))
      return fail(Blame::input, rule.what, " needs a ", rule.subject, ": without one ", rule.because);
  return {};
}

struct Either {
  std::string_view one, other, because;
};
constexpr std::array exclusions{
    Either{"gemodel", "loss", "each is a whole model of loss (gemodel's share is p / (p + r))"},
    Either{"lossState", "loss", "each is a whole model of loss"},
    Either{"gemodel", "lossState", "each is a whole model of loss"},
    Either{"distributionTable", "distribution", "a table is a distribution"},
    Either{"slotMin", "slotDistribution", "each says when slots come"},
};

Result<void> excludes_nothing(const Json& canonical) {
  for (const auto& pair : exclusions)
    if (is_given(canonical, pair.one) && is_given(canonical, pair.other))
      return fail(Blame::input, pair.one, " and ", pair.other, " together: ", pair.because, "; give one of them");
  return {};
}

Result<std::vector<double>> probabilities(const Json& canonical, std::string_view name, std::size_t most) {
  auto values = numbers_param(canonical, name);
  if (values.empty() || values.size() > most) return fail(Blame::input, name, " has ", values.size(), " values: 1 to ", most, " are taken");
  return values;
}

Result<GilbertElliott> gilbert_elliott_of(const Json& canonical) {
  const auto given = TRY(probabilities(canonical, "gemodel", 4));
  const auto at = [&given](std::size_t i, double otherwise) { return i < given.size() ? given[i] : otherwise; };
  // What is left out is as in tc-netem(8): back at once, all lost while bad, nothing lost while good.
  const GilbertElliott model{.p = given[0], .r = at(1, 1 - given[0]), .lost_in_bad = at(2, 1), .lost_in_good = at(3, 0)};
  if (model.p > 0 && model.r == 0 && given.size() > 1)
    return fail(Blame::input, "gemodel's r is 0%: once bad the link would never be good again; for a cut use network.partition");
  if (model.p == 0 && model.lost_in_good == 0) return fail(Blame::input, "gemodel never loses anything: its p is 0%");
  return model;
}

Result<FourState> four_state_of(const Json& canonical) {
  const auto given = TRY(probabilities(canonical, "lossState", 5));
  const auto at = [&given](std::size_t i, double otherwise) { return i < given.size() ? given[i] : otherwise; };
  const FourState state{.p13 = given[0], .p31 = at(1, 1 - given[0]), .p32 = at(2, 0), .p23 = at(3, 1), .p14 = at(4, 0)};
  constexpr double rounding = 1e-9;
  if (state.p13 + state.p14 > 1 + rounding)
    return fail(Blame::input, "lossState's p13 and p14 leave the same state: together at most 100%");
  if (state.p31 + state.p32 > 1 + rounding)
    return fail(Blame::input, "lossState's p31 and p32 leave the same state: together at most 100%");
  if (state.p13 == 0 && state.p14 == 0) return fail(Blame::input, "lossState never loses anything: p13 and p14 are 0%");
  return state;
}

Shape shape_of(const Json& canonical, std::string_view name) {
  const auto text = text_param(canonical, name).value_or("uniform");
  for (const auto shape : {Shape::normal, Shape::pareto, Shape::paretonormal})
    if (text == name_of(shape)) return shape;
  return Shape::uniform;
}

Result<void> read_delay(const Json& canonical, Effects& effects) {
  effects.delay = duration_param(canonical, "delay").value_or(Duration{});
  effects.jitter = duration_param(canonical, "jitter").value_or(Duration{});
  effects.delay_correlation = number_param(canonical, "delayCorrelation").value_or(0);
  effects.distribution = shape_of(canonical, "distribution");
  if (effects.jitter > effects.delay)
    return fail(Blame::input, "jitter ", to_text(effects.jitter), " is more than the delay ", to_text(effects.delay),
                ": packets cannot leave before they came");
  if (!is_given(canonical, "distributionTable")) return {};
  const auto samples = numbers_param(canonical, "distributionTable");
  if (samples.size() < least_samples || samples.size() > most_samples)
    return fail(Blame::input, "distributionTable has ", samples.size(), " numbers: ", least_samples, " to ", most_samples, " are taken");
  effects.distribution = Shape::table;
  for (const auto sample : samples) effects.table.push_back(static_cast<std::int16_t>(sample));
  return {};
}

Chance chance_of(const Json& canonical, const std::string& name) {
  return {.share = number_param(canonical, name).value_or(0), .correlation = number_param(canonical, name + "Correlation").value_or(0)};
}

Result<void> read_fates(const Json& canonical, Effects& effects) {
  effects.loss = number_param(canonical, "loss").value_or(0);
  effects.loss_correlation = number_param(canonical, "lossCorrelation").value_or(0);
  if (is_given(canonical, "gemodel")) effects.gilbert_elliott = TRY(gilbert_elliott_of(canonical));
  if (is_given(canonical, "lossState")) effects.four_state = TRY(four_state_of(canonical));
  effects.duplicate = chance_of(canonical, "duplicate");
  effects.corrupt = chance_of(canonical, "corrupt");
  effects.reorder = chance_of(canonical, "reorder");
  if (effects.reorder.share > 0) effects.gap = static_cast<std::uint32_t>(number_param(canonical, "gap").value_or(1));
  for (const auto& [name, correlation] :
       {std::pair{"lossCorrelation", effects.loss_correlation}, std::pair{"duplicateCorrelation", effects.duplicate.correlation},
        std::pair{"corruptCorrelation", effects.corrupt.correlation}, std::pair{"reorderCorrelation", effects.reorder.correlation},
        std::pair{"delayCorrelation", effects.delay_correlation}})
    if (correlation >= 1) return fail(Blame::input, name, " is 100%: then every packet would fare like the first one; 99% is possible");
  return {};
}

Result<void> read_rate(const Json& canonical, Effects& effects) {
  const auto number = [&canonical](std::string_view name) { return number_param(canonical, name).value_or(0); };
  effects.rate = {.bits_per_second = static_cast<std::uint64_t>(number("rate")),
                  .packet_overhead = static_cast<std::int32_t>(number("packetOverhead")),
                  .cell_size = static_cast<std::uint32_t>(number("cellSize")),
                  .cell_overhead = static_cast<std::int32_t>(number("cellOverhead")),
                  .burst = static_cast<std::uint64_t>(number("burst"))};
  if (effects.rate.cell_size > 0 && effects.rate.cell_overhead + static_cast<std::int64_t>(effects.rate.cell_size) <= 0)
    return fail(Blame::input, "cellOverhead takes away all of cellSize: a packet would cost nothing");
  effects.limit = static_cast<std::uint32_t>(number("limit"));
  if (effects.limit > 0 && !effects.holds())
    return fail(Blame::input, "limit needs something that makes packets wait: delay, rate or a slot");
  return {};
}

Result<void> read_slot(const Json& canonical, Effects& effects) {
  const bool some = is_given(canonical, "slotMin") || is_given(canonical, "slotDistribution");
  for (const auto* name : {"slotPackets", "slotBytes"})
    if (is_given(canonical, name) && !some) return fail(Blame::input, name, " needs slots: give slotMin or slotDistribution");
  if (!some) return {};
  const auto time = [&canonical](std::string_view name) { return duration_param(canonical, name).value_or(Duration{}); };
  Slot slot{.least = time("slotMin"),
            .most = std::max(time("slotMin"), time("slotMax")),
            .shape = {},
            .delay = time("slotDelay"),
            .jitter = time("slotJitter"),
            .packets = static_cast<std::uint32_t>(number_param(canonical, "slotPackets").value_or(0)),
            .bytes = static_cast<std::uint64_t>(number_param(canonical, "slotBytes").value_or(0))};
  if (is_given(canonical, "slotMax") && time("slotMax") < slot.least)
    return fail(Blame::input, "slotMax ", to_text(time("slotMax")), " is less than slotMin ", to_text(slot.least));
  if (is_given(canonical, "slotDistribution")) slot.shape = shape_of(canonical, "slotDistribution");
  if (slot.jitter > slot.delay)
    return fail(Blame::input, "slotJitter ", to_text(slot.jitter), " is more than slotDelay ", to_text(slot.delay));
  effects.slot = slot;
  return {};
}

}  // namespace

Result<Effects> effects_from_params(const Json& canonical) {
  TRY(has_its_subjects(canonical));
  TRY(excludes_nothing(canonical));
  Effects effects;
  TRY(read_delay(canonical, effects));
  TRY(read_fates(canonical, effects));
  TRY(read_slot(canonical, effects));
  TRY(read_rate(canonical, effects));
  effects.ramp = duration_param(canonical, "ramp").value_or(Duration{});
  if (!effects.holds() && !effects.chances())
    return fail(Blame::input,
                "nothing is asked for: give at least one of delay, loss, gemodel, lossState, duplicate, corrupt, rate, slotMin");
  const bool grows = effects.delay > Duration{} || effects.loses() || effects.rate.bits_per_second > 0;
  if (effects.ramp > Duration{} && !grows) return fail(Blame::input, "ramp needs something that grows: delay, loss or rate");
  return effects;
}

}  // namespace arashi
