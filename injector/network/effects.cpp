#include "injector/network/effects.hpp"

#include "injector/core/json.hpp"

#include <algorithm>

namespace arashi {

bool Effects::loses() const { return loss > 0 || gilbert_elliott || four_state; }
bool Effects::chances() const { return loses() || duplicate.share > 0 || corrupt.share > 0 || reorder.share > 0; }
bool Effects::holds() const { return delay > Duration{} || reorder.share > 0 || rate.bits_per_second > 0 || slot; }

std::string_view name_of(Shape shape) {
  switch (shape) {
    case Shape::normal:
      return "normal";
    case Shape::pareto:
      return "pareto";
    case Shape::paretonormal:
      return "paretonormal";
    case Shape::table:
      return "table";
    case Shape::uniform:
      break;
  }
  return "uniform";
}

namespace {

double bad_share(double in, double out) { return in + out > 0 ? in / (in + out) : 0; }

// The chain's stationary shares: state 4 is left for 1 at once; 1 → 3 → (1 or 2), 2 → 3.
double lost_by(const FourState& state) {
  if (state.p13 <= 0) return state.p14 / (1 + state.p14);
  if (state.p31 <= 0) {  // never back to a gap
    return state.p32 > 0 ? state.p23 / (state.p23 + state.p32) : 1;
  }
  const double in_gap = 1;
  const double burst_lost = state.p13 / state.p31;
  const double burst_received = state.p23 > 0 ? burst_lost * state.p32 / state.p23 : 0;
  if (state.p23 <= 0 && state.p32 > 0) return 0;  // ends in state 2 for good
  const double alone = state.p14;
  return (burst_lost + alone) / (in_gap + burst_lost + burst_received + alone);
}

}  // namespace

double long_run_loss(const Effects& effects) {
  if (const auto& model = effects.gilbert_elliott) {
    const double bad = bad_share(model->p, model->r);
    return bad * model->lost_in_bad + (1 - bad) * model->lost_in_good;
  }
  if (effects.four_state) return lost_by(*effects.four_state);
  return effects.loss;
}

std::uint32_t queue_limit(const Effects& effects) {
  constexpr double packets_per_second = 200'000;
  constexpr double least = 1'000;
  constexpr double most = 1'000'000;
  if (effects.limit > 0) return effects.limit;
  const auto slot = effects.slot ? std::max(effects.slot->most, effects.slot->delay + effects.slot->jitter) : Duration{};
  return static_cast<std::uint32_t>(std::clamp(seconds(effects.delay + effects.jitter + slot) * packets_per_second, least, most));
}

namespace {

void put_chance(Json& json, const char* name, const Chance& chance) {
  if (chance.share > 0) json[name] = {{"share", chance.share}, {"correlation", chance.correlation}};
}

Chance chance_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return {};
  return {.share = found->at("share").get<double>(), .correlation = found->at("correlation").get<double>()};
}

Shape shape_named(const std::string& name) {
  for (const auto shape : {Shape::normal, Shape::pareto, Shape::paretonormal, Shape::table})
    if (name == name_of(shape)) return shape;
  return Shape::uniform;
}

Json rate_json(const LinkRate& rate) {
  return {{"bits", rate.bits_per_second},
          {"packetOverhead", rate.packet_overhead},
          {"cellSize", rate.cell_size},
          {"cellOverhead", rate.cell_overhead},
          {"burst", rate.burst}};
}

LinkRate rate_from(const Json& json) {
  return {.bits_per_second = json.at("bits").get<std::uint64_t>(),
          .packet_overhead = json.at("packetOverhead").get<std::int32_t>(),
          .cell_size = json.at("cellSize").get<std::uint32_t>(),
          .cell_overhead = json.at("cellOverhead").get<std::int32_t>(),
          .burst = json.at("burst").get<std::uint64_t>()};
}

Json slot_json(const Slot& slot) {
  Json json{{"least", slot.least.count()},   {"most", slot.most.count()}, {"delay", slot.delay.count()},
            {"jitter", slot.jitter.count()}, {"packets", slot.packets},   {"bytes", slot.bytes}};
  if (slot.shape) json["shape"] = std::string(name_of(*slot.shape));
  return json;
}

Slot slot_from(const Json& json) {
  const auto time = [&json](const char* name) { return Duration(json.at(name).get<std::int64_t>()); };
  Slot slot{.least = time("least"),
            .most = time("most"),
            .shape = {},
            .delay = time("delay"),
            .jitter = time("jitter"),
            .packets = json.at("packets").get<std::uint32_t>(),
            .bytes = json.at("bytes").get<std::uint64_t>()};
  if (json.contains("shape")) slot.shape = shape_named(json.at("shape").get<std::string>());
  return slot;
}

void put_models(Json& json, const Effects& effects) {
  if (const auto& model = effects.gilbert_elliott) json["gemodel"] = {model->p, model->r, model->lost_in_bad, model->lost_in_good};
  if (const auto& state = effects.four_state) json["lossState"] = {state->p13, state->p31, state->p32, state->p23, state->p14};
}

void read_models(const Json& json, Effects& effects) {
  if (const auto found = json.find("gemodel"); found != json.end()) {
    const auto values = found->get<std::vector<double>>();
    effects.gilbert_elliott = GilbertElliott{values.at(0), values.at(1), values.at(2), values.at(3)};
  }
  if (const auto found = json.find("lossState"); found != json.end()) {
    const auto values = found->get<std::vector<double>>();
    effects.four_state = FourState{values.at(0), values.at(1), values.at(2), values.at(3), values.at(4)};
  }
}

}  // namespace

void to_json(Json& json, const Effects& effects) {
  json = Json{{"delay", effects.delay.count()}, {"jitter", effects.jitter.count()}, {"loss", effects.loss}};
  if (effects.delay_correlation > 0) json["delayCorrelation"] = effects.delay_correlation;
  if (effects.distribution != Shape::uniform) json["distribution"] = std::string(name_of(effects.distribution));
  if (!effects.table.empty()) json["table"] = effects.table;
  if (effects.loss_correlation > 0) json["lossCorrelation"] = effects.loss_correlation;
  put_models(json, effects);
  put_chance(json, "duplicate", effects.duplicate);
  put_chance(json, "corrupt", effects.corrupt);
  put_chance(json, "reorder", effects.reorder);
  if (effects.gap > 0) json["gap"] = effects.gap;
  if (effects.rate.bits_per_second > 0) json["rate"] = rate_json(effects.rate);
  if (effects.limit > 0) json["limit"] = effects.limit;
  if (effects.slot) json["slot"] = slot_json(*effects.slot);
  if (effects.ramp > Duration{}) json["ramp"] = effects.ramp.count();
}

void from_json(const Json& json, Effects& effects) {
  effects = Effects{.delay = Duration(json.at("delay").get<std::int64_t>()),
                    .jitter = Duration(json.at("jitter").get<std::int64_t>()),
                    .loss = json.at("loss").get<double>()};
  effects.delay_correlation = json.value("delayCorrelation", 0.0);
  effects.distribution = shape_named(json.value("distribution", "uniform"));
  if (const auto table = json.find("table"); table != json.end()) effects.table = table->get<std::vector<std::int16_t>>();
  effects.loss_correlation = json.value("lossCorrelation", 0.0);
  read_models(json, effects);
  effects.duplicate = chance_in(json, "duplicate");
  effects.corrupt = chance_in(json, "corrupt");
  effects.reorder = chance_in(json, "reorder");
  effects.gap = json.value("gap", 0U);
  if (const auto rate = json.find("rate"); rate != json.end()) effects.rate = rate_from(*rate);
  effects.limit = json.value("limit", 0U);
  if (const auto slot = json.find("slot"); slot != json.end()) effects.slot = slot_from(*slot);
  effects.ramp = Duration(json.value("ramp", std::int64_t{0}));
}

}  // namespace arashi
