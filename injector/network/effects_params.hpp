// The parameters by which network.impair says what happens to a packet, declared once; effects.hpp reads them. Names and terms are netem's.
#pragma once

#include "injector/core/params.hpp"

#include <array>
#include <string_view>

namespace arashi {

inline constexpr double longest_delay = 60e9;      // ns
inline constexpr double longest_ramp = 86400e9;    // ns
inline constexpr double most_link_rate = 1e12;     // bits per second
inline constexpr double most_waiting = 1'000'000;  // packets
inline constexpr double most_overhead = 65535;     // bytes
inline constexpr double most_burst = 1e9;          // bytes
inline constexpr std::array<std::string_view, 4> delay_distributions{"uniform", "normal", "pareto", "paretonormal"};

constexpr Param wait_param(std::string_view name, std::string_view summary, std::string_view example) {
  return {.name = name, .type = ParamType::duration, .summary = summary, .example = example, .least = 0, .most = longest_delay};
}
constexpr Param share_param(std::string_view name, std::string_view summary, std::string_view example) {
  return {.name = name, .type = ParamType::percent, .summary = summary, .example = example};
}
constexpr Param count_param(std::string_view name, std::string_view summary, std::string_view example, double least, double most) {
  return {.name = name, .type = ParamType::integer, .summary = summary, .example = example, .least = least, .most = most};
}

inline constexpr std::array effect_params{
    wait_param("delay", "how long each packet is held, one way", "50ms"),
    wait_param("jitter", "how much the delay varies either way; at most the delay", "10ms"),
    share_param("delayCorrelation", "how much one packet's delay is like the one's before it", "25%"),
    Param{
        .name = "distribution",
        .type = ParamType::choice,
        .summary = "how the delay varies: evenly by at most the jitter, or with the jitter as the standard deviation; uniform unless given",
        .example = "normal",
        .choices = delay_distributions},
    Param{.name = "distributionTable",
          .type = ParamType::numbers,
          .summary = "a distribution of your own: whole numbers of which each is as likely, 8192 for one jitter (netem's .dist files)",
          .example = "[-8192, 0, 0, 8192]",
          .least = -32768,
          .most = 32767},
    share_param("loss", "how many of the packets are lost, at random", "1%"),
    share_param("lossCorrelation", "how much a loss depends on whether the packet before was lost", "25%"),
    Param{.name = "gemodel",
          .type = ParamType::percents,
          .summary = "losses in bursts (Gilbert-Elliott): p good to bad, r back, 1-h lost while bad, 1-k lost while good; only p is needed",
          .example = "[1%, 25%, 100%, 0%]"},
    Param{.name = "lossState",
          .type = ParamType::percents,
          .summary = "losses by netem's four states: p13, p31, p32, p23, p14; only p13 is needed",
          .example = "[1%, 90%, 5%, 50%, 0.5%]"},
    share_param("duplicate", "how many of the packets arrive twice", "1%"),
    share_param("duplicateCorrelation", "how much that depends on the packet before", "25%"),
    share_param("corrupt", "how many of the packets get one wrong bit", "0.1%"),
    share_param("corruptCorrelation", "how much that depends on the packet before", "25%"),
    share_param("reorder", "how many of the packets overtake those that are delayed", "5%"),
    share_param("reorderCorrelation", "how much that depends on the packet before", "50%"),
    count_param("gap", "with reorder: only each so-manieth packet may overtake", "5", 1, most_waiting),
    Param{.name = "rate",
          .type = ParamType::bandwidth,
          .summary = "how much goes through, for each direction and device",
          .example = "10mbit",
          .least = 1000,
          .most = most_link_rate},
    count_param("packetOverhead", "with rate: bytes that each packet costs on top of its frame", "20", -most_overhead, most_overhead),
    count_param("cellSize", "with rate: packets take whole cells of so many bytes", "48", 1, most_overhead),
    count_param("cellOverhead", "with cellSize: bytes that each cell costs", "5", -most_overhead, most_overhead),
    Param{.name = "burst",
          .type = ParamType::bytes,
          .summary = "with rate: how much may go at once after a rest",
          .example = "32K",
          .least = 1,
          .most = most_burst},
    count_param("limit", "how many packets may wait; more are lost", "1000", 1, most_waiting),
    wait_param("slotMin", "packets go together, this long or longer after the last ones", "5ms"),
    wait_param("slotMax", "with slotMin: and at most this long", "10ms"),
    Param{.name = "slotDistribution",
          .type = ParamType::choice,
          .summary = "instead of slotMin: slots come after slotDelay, which varies by slotJitter like this",
          .example = "normal",
          .choices = delay_distributions},
    wait_param("slotDelay", "with slotDistribution: the mean time between slots", "5ms"),
    wait_param("slotJitter", "with slotDistribution: how much that time varies", "1ms"),
    count_param("slotPackets", "at most so many packets go in one slot", "16", 1, most_waiting),
    Param{.name = "slotBytes",
          .type = ParamType::bytes,
          .summary = "at most so many bytes go in one slot",
          .example = "64K",
          .least = 1,
          .most = most_burst},
    Param{.name = "ramp",
          .type = ParamType::duration,
          .summary = "delay, jitter, loss and rate grow from nothing to their values over this time",
          .example = "30s",
          .least = 0,
          .most = longest_ramp},
};

}  // namespace arashi
