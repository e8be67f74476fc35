#include "experiments/fleet/fleet.hpp"

#include <algorithm>

namespace arashi::fleet {

namespace {

constexpr std::string_view default_port = "7340";

// "10.0.0.3:7340", "[fd00::3]:7340", "node-a" → with the port always there.
Result<std::string> host_and_port(const std::string& text) {
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (bracket == std::string::npos && std::count(text.begin(), text.end(), ':') > 1)
    return fail(Blame::input, "agent address '", text, "': write an IPv6 address in brackets, as in [fd00::3]:", default_port);
  const std::string host = has_port ? text.substr(0, colon) : text;
  const std::string port = has_port ? text.substr(colon + 1) : std::string(default_port);
  const bool plain = !host.empty() && host.find_first_of("/@?# \t") == std::string::npos;
  const bool number =
      !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain || !number || std::stoi(port) < 1 || std::stoi(port) > 65535)
    return fail(Blame::input, "agent address '", text, "' is not HOST:PORT, https://HOST:PORT or unix:PATH");
  return host + ":" + port;
}

}  // namespace

Result<Address> parse_address(const std::string& text, const std::filesystem::path& pki) {
  if (text.starts_with("unix:")) {
    const std::string path = text.substr(5);
    if (path.empty() || path.front() != '/' || path.size() > 107)
      return fail(Blame::input, "agent address '", text,
                  "': the socket must be an absolute path of at most 107 bytes, as in unix:/run/arashi/agent.sock");
    return Address{.name = text, .unix_socket = path};
  }
  if (text.starts_with("http://"))
    return fail(Blame::input, "agent address '", text,
                "': agents are reached over https:// with mutual TLS only; `arashi pki` makes the certificates");
  std::string rest = text.starts_with("https://") ? text.substr(8) : text;
  if (!rest.empty() && rest.back() == '/') rest.pop_back();
  const std::string place = TRY(host_and_port(rest));
  if (pki.empty())
    return fail(Blame::input, "agent ", place, " needs --pki DIR with ca.pem, cert.pem and key.pem (see `arashi pki --help`)");
  return Address{.name = place, .url = "https://" + place, .ca = pki / "ca.pem", .certificate = pki / "cert.pem", .key = pki / "key.pem"};
}

}  // namespace arashi::fleet
