// netem's own part of its message, and of what a dump says. Used by netem_message alone.
#pragma once

#include "injector/host/netem_message.hpp"

namespace arashi::netem {

void put_options(netlink::Message& message, const Effects& effects, std::optional<std::uint64_t> seed);
Settings settings_in(netlink::Bytes options);

}  // namespace arashi::netem
