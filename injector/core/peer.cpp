#include "injector/core/peer.hpp"

#include "injector/core/json.hpp"

#include <algorithm>
#include <cctype>

namespace arashi {

namespace {

constexpr std::string_view group_prefix = "target:";
constexpr std::size_t longest_name = 253;  // RFC 1035, 2.3.4
constexpr std::size_t longest_label = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label(std::string_view label) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= longest_label && label.front() != '-' && label.back() != '-' && std::ranges::all_of(label, fits);
}

// RFC 1123, 2.1, with the underscores that services have. A name whose last label is a number is a mistyped address.
bool is_host_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > longest_name) return false;
  const auto last = name.substr(name.rfind('.') + 1);
  if (std::ranges::all_of(last, is_digit)) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const auto end = std::min(name.find('.', begin), name.size());
    if (!is_label(name.substr(begin, end - begin))) return false;
    begin = end + 1;
  }
  return true;
}

Result<std::string> group_text(const Json& given) {
  if (given.contains("service"))
    return fail(Blame::unsupported,
                "a Kubernetes Service cannot be a peer yet: give its cluster address, or the addresses of its endpoints");
  const auto target = given.find("target");
  if (given.size() != 1 || target == given.end() || !target->is_string() || target->get_ref<const std::string&>().empty())
    return fail(Blame::input, to_text(given), " is not a peer: an address, a block, a host name or {target: NAME} is expected");
  return std::string(group_prefix) + target->get<std::string>();
}

}  // namespace

Result<Peer> parse_peer(std::string_view canonical) {
  if (canonical.starts_with(group_prefix))
    return Peer{.kind = Peer::Kind::group, .block = {}, .name = std::string(canonical.substr(group_prefix.size()))};
  auto block = parse_cidr(canonical);
  if (block) return Peer{.kind = Peer::Kind::block, .block = *block, .name = {}};
  if (is_host_name(canonical)) return Peer{.kind = Peer::Kind::name, .block = {}, .name = std::string(canonical)};
  const bool like_address = canonical.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string_view::npos;
  if (like_address || canonical.find('/') != std::string_view::npos) return pass(block.error());
  return fail(Blame::input, "'", canonical, "' is neither an IP address or block, such as 10.0.0.1 or 2001:db8::/32, nor a host name");
}

std::string to_text(const Peer& peer) {
  if (peer.kind == Peer::Kind::block) return to_text(peer.block);
  return peer.kind == Peer::Kind::group ? std::string(group_prefix) + peer.name : peer.name;
}

Result<std::string> canonical_peer(const Json& given) {
  if (given.is_object()) return group_text(given);
  const auto text = given.is_string() ? given.get<std::string>() : to_text(given);
  const auto peer = TRY(parse_peer(text));
  if (peer.kind == Peer::Kind::group) return fail(Blame::input, "'", text, "' is written as {target: ", peer.name, "}");
  return text;
}

}  // namespace arashi
