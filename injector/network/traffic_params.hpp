// The parameters by which a network fault chooses its traffic, declared once; all given are ANDed. traffic.hpp reads them.
#pragma once

#include "injector/core/params.hpp"

#include <array>
#include <string_view>

namespace arashi {

inline constexpr std::array<std::string_view, 3> traffic_directions{"egress", "ingress", "both"};
inline constexpr std::array<std::string_view, 5> traffic_protocols{"any", "tcp", "udp", "icmp", "sctp"};

// What holds when a spec does not say it differs from fault to fault.
constexpr Param direction_param(std::string_view fallback) {
  return {.name = "direction",
          .type = ParamType::choice,
          .summary = "which way, as seen from the target",
          .example = "both",
          .fallback = fallback,
          .choices = traffic_directions};
}

inline constexpr Param except_param{.name = "except",
                                    .type = ParamType::peers,
                                    .summary = "never traffic with these; written like peers",
                                    .example = "[10.0.0.1, {target: probe}]"};
inline constexpr Param protocol_param{.name = "protocol",
                                      .type = ParamType::choice,
                                      .summary = "only this protocol",
                                      .example = "tcp",
                                      .fallback = "any",
                                      .choices = traffic_protocols};
inline constexpr Param ports_param{
    .name = "ports", .type = ParamType::ports, .summary = "only traffic with these ports of the peer", .example = "[6379, 8000-8100]"};
inline constexpr Param local_ports_param{
    .name = "localPorts", .type = ParamType::ports, .summary = "only traffic with these ports of the target", .example = "[8080]"};
inline constexpr Param dscp_param{.name = "dscp",
                                  .type = ParamType::list,
                                  .summary = "only packets with one of these DSCPs, by name or number",
                                  .example = "[ef, af41, 8]"};
inline constexpr Param device_param{.name = "device",
                                    .type = ParamType::text,
                                    .summary = "only on this device; else the one on the way to the peers, or every one but loopback",
                                    .example = "eth0"};

inline constexpr std::array network_scopes{Scope::netns, Scope::process, Scope::cgroup, Scope::node};

}  // namespace arashi
