// What the agent's processes are told, on their command lines: the supervisor hands its options on to the injector, that one to the api.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace arashi {

struct Options {
  std::filesystem::path socket = "/run/arashi/agent.sock";
  std::string listen;  // "ADDRESS:PORT", "[::1]:7340"; empty: unix socket only
  std::filesystem::path ca, certificate, key;
  std::filesystem::path run_dir = "/run/arashi";
  std::filesystem::path state_dir = "/var/lib/arashi";
  std::filesystem::path policy;  // empty: the default places, if there is a file
  std::string node;              // empty: the host's name
  bool embedded = false;
  int control_fd = -1;   // injector: to the supervisor
  int lifeline_fd = -1;  // injector, embedded: the supervisor's standard input
  int channel_fd = -1;   // api: to the injector
  int copy_fd = -1;      // injector, recover: the supervisor's copy of what the journals hold
};

// The arguments with which `arashi-agent SUBCOMMAND` reads these options back.
std::vector<std::string> arguments_of(const std::string& subcommand, const Options& options);

struct Endpoint {
  std::string address;
  unsigned short port = 0;
};
// "10.0.0.3:7340", "[::1]:7340", ":7340" (all addresses); nothing if it is not one of these.
std::optional<Endpoint> parse_endpoint(const std::string& text);

}  // namespace arashi
