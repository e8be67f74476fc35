#include "agent/options.hpp"

#include <charconv>

namespace arashi {

std::vector<std::string> arguments_of(const std::string& subcommand, const Options& options) {
  std::vector<std::string> arguments{"/proc/self/exe", subcommand};
  const auto add = [&arguments](const char* name, const std::string& value) {
    if (value.empty()) return;
    arguments.emplace_back(name);
    arguments.push_back(value);
  };
  add("--socket", options.socket);
  add("--listen", options.listen);
  add("--ca", options.ca);
  add("--certificate", options.certificate);
  add("--key", options.key);
  add("--run-dir", options.run_dir);
  add("--state-dir", options.state_dir);
  add("--policy", options.policy);
  add("--node", options.node);
  if (options.embedded) arguments.emplace_back("--embedded");
  const auto add_fd = [&add](const char* name, int fd) { add(name, fd < 0 ? "" : std::to_string(fd)); };
  add_fd("--control-fd", options.control_fd);
  add_fd("--lifeline-fd", options.lifeline_fd);
  add_fd("--channel-fd", options.channel_fd);
  add_fd("--copy-fd", options.copy_fd);
  return arguments;
}

std::optional<Endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  Endpoint endpoint{.address = text.substr(0, colon)};
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc{} || parsed != end) return std::nullopt;
  auto& address = endpoint.address;
  if (address.empty()) address = "::";
  if (address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  return endpoint;
}

}  // namespace arashi
