// netem's own part of its message, and of what a dump says. Used by netem_message alone.
#pragma once

#include "injector/network/netem_message.hpp"

namespace arashi::netem {

// `tables`: what its distributions and slots are made from; null: a change, which leaves these as they stand.
void put_options(netlink::Message& message, const Settings& settings, const Effects* tables, std::optional<std::uint64_t> seed);
void set_losses(Settings& settings, const Effects& effects);  // all of its losses
Settings settings_in(netlink::Bytes options);

}  // namespace arashi::netem
