// A query sent on in its client's own name: the server's answer goes to the client, and not to who sent it on.
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/network/dns_message.hpp"

namespace arashi::workers::dns {

// As one UDP packet from this namespace, which needs CAP_NET_RAW. Blame::input for ends of two families, or a query larger than a packet.
Result<void> send_as(const AddressPort& client, const AddressPort& server, arashi::dns::Bytes query);

}  // namespace arashi::workers::dns
