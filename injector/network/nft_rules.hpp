// Which packets a chain of nftables lets pass, in nft's language. Pure.
#pragma once

#include "injector/network/traffic.hpp"

#include <cstdint>
#include <string>

namespace arashi {

// Rules by which a chain passes ("accept") all that is not of the traffic, direction and protocol apart; what comes to their end is of it.
// The control path passes first. `remote` says where in a packet the peer is: behind the destination on the way out.
enum class Remote { destination, source };
std::string pass_others(const Traffic& traffic, Remote remote);

// Passes all but a share of the connections, chosen by their addresses, ports and the seed, so that one connection has one fate.
std::string pass_unchosen(double share, std::uint32_t seed);

}  // namespace arashi
