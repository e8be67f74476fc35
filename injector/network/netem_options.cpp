#include "injector/network/netem_options.hpp"

#include "injector/network/delay_distribution.hpp"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace arashi::netem {

using netlink::Message;

namespace {

constexpr std::uint16_t netem_seed = 14;           // TCA_NETEM_PRNG_SEED, Linux 6.6; older kernels pass over it
constexpr std::int64_t nanoseconds_per_tick = 64;  // PSCHED_SHIFT is 6
constexpr double whole = std::numeric_limits<std::uint32_t>::max();
constexpr double bits = 8;

template <class Value>
netlink::Bytes bytes_of(const Value& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <class Value>
std::optional<Value> read_as(std::optional<netlink::Bytes> bytes) {
  Value value{};
  if (!bytes || bytes->size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

std::uint32_t ticks(Duration time) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>(time.count() / nanoseconds_per_tick, std::numeric_limits<std::uint32_t>::max()));
}

std::uint32_t probability(double fraction) { return static_cast<std::uint32_t>(std::llround(std::clamp(fraction, 0.0, 1.0) * whole)); }

// netem's correlated numbers are a moving mean of even ones, so they crowd in the middle: below which of them lies the given share. Found
// by making many.
double correlated_threshold(const Chance& chance) {
  if (chance.correlation <= 0 || chance.share <= 0 || chance.share >= 1) return chance.share;
  constexpr std::size_t count = std::size_t{1} << 19U;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> even(0, 1);
  std::vector<float> numbers(count);
  float last = 0.5F;
  const auto kept = static_cast<float>(chance.correlation);
  for (auto& number : numbers) number = last = (1 - kept) * even(random) + kept * last;
  const auto place = static_cast<std::ptrdiff_t>(chance.share * static_cast<double>(count - 1));
  std::nth_element(numbers.begin(), numbers.begin() + place, numbers.end());
  return numbers[static_cast<std::size_t>(place)];
}

Chances32 chances(const Chance& chance) { return {probability(correlated_threshold(chance)), probability(chance.correlation)}; }

// An even spread needs no table; and a slot without any spread, none of netem's "distribution", which would not wait at all then.
void set_slots(Settings& settings, const Slot& slot) {
  const bool even = !slot.shape || *slot.shape == Shape::uniform || slot.jitter == Duration{};
  if (even) {
    settings.slot_least = slot.shape ? slot.delay - slot.jitter : slot.least;
    settings.slot_most = slot.shape ? slot.delay + slot.jitter : slot.most;
  } else {
    settings.slot_delay = slot.delay;
    settings.slot_jitter = slot.jitter;
  }
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  settings.slot_packets = static_cast<std::int32_t>(std::min<std::uint64_t>(slot.packets, most));
  settings.slot_bytes = static_cast<std::int32_t>(std::min(slot.bytes, most));
}

// The kernel keeps the last value of each attribute: one message has them all.
void put_losses(Message& message, const Settings& settings) {
  if (!settings.gilbert_elliott && !settings.four_state) return;
  const auto losses = message.nest(TCA_NETEM_LOSS);
  if (settings.gilbert_elliott) message.put(NETEM_LOSS_GE, bytes_of(*settings.gilbert_elliott));
  if (settings.four_state) message.put(NETEM_LOSS_GI, bytes_of(*settings.four_state));
  message.end(losses);
}

void put_rate(Message& message, const Settings& settings) {
  if (settings.bytes_per_second == 0) return;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  const tc_netem_rate rate{.rate = static_cast<std::uint32_t>(std::min(settings.bytes_per_second, most)),
                           .packet_overhead = settings.packet_overhead,
                           .cell_size = settings.cell_size,
                           .cell_overhead = settings.cell_overhead};
  if (settings.bytes_per_second >= most) message.put(TCA_NETEM_RATE64, bytes_of(settings.bytes_per_second));
  message.put(TCA_NETEM_RATE, bytes_of(rate));
}

void put_table(Message& message, std::uint16_t type, const std::vector<std::int16_t>& table) {
  if (!table.empty()) message.put(type, std::as_bytes(std::span(table)));
}

void put_slots(Message& message, const Settings& settings, const Effects& effects) {
  if (!effects.slot) return;
  const tc_netem_slot slot{.min_delay = settings.slot_least.count(),
                           .max_delay = settings.slot_most.count(),
                           .max_packets = settings.slot_packets,
                           .max_bytes = settings.slot_bytes,
                           .dist_delay = settings.slot_delay.count(),
                           .dist_jitter = settings.slot_jitter.count()};
  message.put(TCA_NETEM_SLOT, bytes_of(slot));
  if (settings.slot_jitter > Duration{}) put_table(message, TCA_NETEM_SLOT_DIST, delay_table(*effects.slot->shape));
}

void put_tables(Message& message, const Settings& settings, const Effects& effects) {
  put_slots(message, settings, effects);
  if (effects.jitter > Duration{})
    put_table(message, TCA_NETEM_DELAY_DIST, effects.distribution == Shape::table ? effects.table : delay_table(effects.distribution));
}

void read_losses(Settings& settings, std::optional<netlink::Bytes> losses) {
  if (!losses) return;
  settings.gilbert_elliott = read_as<std::array<std::uint32_t, 4>>(netlink::find(*losses, NETEM_LOSS_GE));
  settings.four_state = read_as<std::array<std::uint32_t, 5>>(netlink::find(*losses, NETEM_LOSS_GI));
}

void read_rate_and_slots(Settings& settings, netlink::Bytes attributes) {
  if (const auto rate = read_as<tc_netem_rate>(netlink::find(attributes, TCA_NETEM_RATE))) {
    settings.bytes_per_second = read_as<std::uint64_t>(netlink::find(attributes, TCA_NETEM_RATE64)).value_or(rate->rate);
    settings.packet_overhead = rate->packet_overhead;
    settings.cell_size = rate->cell_size;
    settings.cell_overhead = rate->cell_overhead;
  }
  if (const auto slot = read_as<tc_netem_slot>(netlink::find(attributes, TCA_NETEM_SLOT))) {
    settings.slot_least = Duration(slot->min_delay);
    settings.slot_most = Duration(slot->max_delay);
    settings.slot_delay = Duration(slot->dist_delay);
    settings.slot_jitter = Duration(slot->dist_jitter);
    settings.slot_packets = slot->max_packets;
    settings.slot_bytes = slot->max_bytes;
  }
}

}  // namespace

void set_losses(Settings& settings, const Effects& effects) {
  settings.loss = 0;
  settings.gilbert_elliott.reset();
  settings.four_state.reset();
  if (const auto& model = effects.gilbert_elliott)
    settings.gilbert_elliott = {probability(model->p), probability(model->r), probability(1 - model->lost_in_bad),
                                probability(model->lost_in_good)};
  else if (const auto& state = effects.four_state)
    settings.four_state = {probability(state->p13), probability(state->p31), probability(state->p32), probability(state->p14),
                           probability(state->p23)};
  else if (effects.loss_correlation > 0)
    settings.gilbert_elliott = {probability(effects.loss * (1 - effects.loss_correlation)),
                                probability((1 - effects.loss) * (1 - effects.loss_correlation)), 0, 0};
  else
    settings.loss = probability(effects.loss);
}

Settings settings_for(const Effects& effects) {
  Settings settings;
  settings.delay = effects.delay;
  settings.jitter = effects.jitter;
  settings.limit = queue_limit(effects);
  settings.gap = effects.gap;
  settings.duplicate = chances(effects.duplicate)[0];
  settings.correlations = {probability(effects.delay_correlation), 0, probability(effects.duplicate.correlation)};
  settings.reorder = chances(effects.reorder);
  settings.corrupt = chances(effects.corrupt);
  set_losses(settings, effects);
  if (const auto& rate = effects.rate; rate.bits_per_second > 0 && rate.burst == 0) {
    settings.bytes_per_second =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(rate.bits_per_second) / bits)));
    settings.packet_overhead = rate.packet_overhead;
    settings.cell_size = rate.cell_size;
    settings.cell_overhead = rate.cell_overhead;
  }
  if (effects.slot) set_slots(settings, *effects.slot);
  return settings;
}

// netem's options are its struct followed by attributes, so this is a "nested" attribute with a header of its own.
void put_options(Message& message, const Settings& settings, const Effects* tables, std::optional<std::uint64_t> seed) {
  const tc_netem_qopt fixed{.latency = ticks(settings.delay),
                            .limit = settings.limit,
                            .loss = settings.loss,
                            .gap = settings.gap,
                            .duplicate = settings.duplicate,
                            .jitter = ticks(settings.jitter)};
  const std::int64_t delay = settings.delay.count();
  const std::int64_t jitter = settings.jitter.count();
  const auto options = message.nest(TCA_OPTIONS);
  message.header(fixed).put(TCA_NETEM_LATENCY64, bytes_of(delay)).put(TCA_NETEM_JITTER64, bytes_of(jitter));
  message.put(TCA_NETEM_CORR, bytes_of(settings.correlations));
  message.put(TCA_NETEM_REORDER, bytes_of(settings.reorder)).put(TCA_NETEM_CORRUPT, bytes_of(settings.corrupt));
  put_losses(message, settings);
  put_rate(message, settings);
  if (tables != nullptr) put_tables(message, settings, *tables);
  if (seed) message.put(netem_seed, bytes_of(*seed));
  message.end(options);
}

Settings settings_in(netlink::Bytes options) {
  Settings held;
  const auto fixed = read_as<tc_netem_qopt>(options).value_or(tc_netem_qopt{});
  const auto rest = options.subspan(std::min(options.size(), sizeof fixed));
  held.delay = Duration(fixed.latency * nanoseconds_per_tick);
  held.jitter = Duration(fixed.jitter * nanoseconds_per_tick);
  held.limit = fixed.limit;
  held.loss = fixed.loss;
  held.gap = fixed.gap;
  held.duplicate = fixed.duplicate;
  if (const auto exact = read_as<std::int64_t>(netlink::find(rest, TCA_NETEM_LATENCY64))) held.delay = Duration(*exact);
  if (const auto exact = read_as<std::int64_t>(netlink::find(rest, TCA_NETEM_JITTER64))) held.jitter = Duration(*exact);
  if (const auto found = read_as<std::array<std::uint32_t, 3>>(netlink::find(rest, TCA_NETEM_CORR))) held.correlations = *found;
  if (const auto found = read_as<Chances32>(netlink::find(rest, TCA_NETEM_REORDER))) held.reorder = *found;
  if (const auto found = read_as<Chances32>(netlink::find(rest, TCA_NETEM_CORRUPT))) held.corrupt = *found;
  read_losses(held, netlink::find(rest, TCA_NETEM_LOSS));
  read_rate_and_slots(held, rest);
  return held;
}

Result<void> can_hold(const Effects& effects) {
  constexpr Duration most{std::numeric_limits<std::int32_t>::max()};
  if (effects.jitter > most) return fail(Blame::unsupported, "netem holds at most ", to_text(most), " of jitter");
  // It takes the remainder of its correlated numbers by the jitter or by the table's size, which has no memory left; measured on Linux 6.1.
  if (effects.delay_correlation > 0) return fail(Blame::unsupported, "netem's correlation of delays has no effect");
  const auto& rate = effects.rate;
  if (rate.burst > 0 && effects.ramp > Duration{})
    return fail(Blame::unsupported, "a rate with a burst is tbf's, beside netem, which lets a whole burst through at each step of a ramp");
  if (rate.burst > 0 && (rate.packet_overhead != 0 || rate.cell_size > 0))
    return fail(Blame::unsupported, "a rate with a burst is tbf's, beside netem, which knows no overheads");
  return {};
}

}  // namespace arashi::netem
