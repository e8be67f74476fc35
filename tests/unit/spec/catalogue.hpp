// A fault catalogue by hand, so that these tests do not change when a fault does.
#pragma once

#include "agent/protocol/protocol.hpp"

#include <vector>

namespace arashi::test {

inline std::vector<protocol::FaultText> catalogue() {
  return {
      {.name = "network.impair",
       .summary = "delay, loss",
       .scopes = {Scope::netns, Scope::process, Scope::cgroup},
       .reversible = true,
       .params = {{.name = "delay", .type = "duration", .summary = "added to each packet", .example = "200ms", .least = 0, .most = 60e9},
                  {.name = "jitter", .type = "duration", .summary = "around it", .example = "20ms"},
                  {.name = "loss", .type = "percent", .summary = "lost at random", .example = "1%"},
                  {.name = "direction",
                   .type = "choice",
                   .summary = "which way",
                   .example = "egress",
                   .fallback = "both",
                   .choices = {"egress", "ingress", "both"}},
                  {.name = "peers", .type = "list", .summary = "addresses", .example = "[10.0.0.0/24]"},
                  {.name = "ports", .type = "list", .summary = "ports", .example = "[6379]"}}},
      {.name = "process.kill",
       .summary = "sends a signal",
       .scopes = {Scope::process, Scope::cgroup},
       .reversible = false,
       .params = {{.name = "signal", .type = "text", .summary = "which", .example = "KILL", .fallback = "KILL"},
                  {.name = "every", .type = "duration", .summary = "again and again", .example = "10s"}}},
      {.name = "command.run",
       .summary = "your own",
       .scopes = {Scope::node},
       .reversible = true,
       .params = {{.name = "do", .type = "list", .summary = "the command", .example = "[touch, /tmp/x]", .required = true},
                  {.name = "undo", .type = "list", .summary = "its undo", .example = "[rm, /tmp/x]", .required = true}}},
  };
}

}  // namespace arashi::test
