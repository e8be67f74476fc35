#include "injector/network/nft_rules.hpp"

#include <algorithm>
#include <vector>

namespace arashi {

namespace {

// nft refuses blocks that overlap: one inside another goes.
std::vector<Cidr> without_nested(const std::vector<Cidr>& blocks) {
  std::vector<Cidr> kept;
  for (const auto& block : blocks) {
    const auto holds = [&](const Cidr& other) { return other != block && other.contains(block); };
    if (std::none_of(blocks.begin(), blocks.end(), holds) && std::find(kept.begin(), kept.end(), block) == kept.end())
      kept.push_back(block);
  }
  return kept;
}

struct Families {
  std::string v4, v6;  // "{ 10.0.0.1, 10.1.0.0/16 }"; empty: none
  bool all_v4 = false;
};

Families families_of(const std::vector<Cidr>& blocks) {
  static const Cidr whole_v4 = *parse_cidr("0.0.0.0/0");
  Families sets;
  for (const auto& block : without_nested(blocks)) {
    if (block.contains(whole_v4)) sets.all_v4 = true;
    auto& set = block.v4() ? sets.v4 : sets.v6;
    set += (set.empty() ? "{ " : ", ") + to_text(block);
  }
  if (!sets.v4.empty()) sets.v4 += " }";
  if (!sets.v6.empty()) sets.v6 += " }";
  return sets;
}

std::string pass_blocks(const std::vector<Cidr>& blocks, const std::string& field) {
  const auto sets = families_of(blocks);
  std::string rules;
  if (sets.all_v4) rules += "    meta nfproto ipv4 accept\n";
  if (!sets.v4.empty() && !sets.all_v4) rules += "    ip " + field + " " + sets.v4 + " accept\n";
  if (!sets.v6.empty()) rules += "    ip6 " + field + " " + sets.v6 + " accept\n";
  return rules;
}

std::string pass_all_but(const std::vector<Cidr>& blocks, const std::string& field) {
  if (blocks.empty()) return {};
  const auto sets = families_of(blocks);
  std::string rules;
  if (!sets.all_v4) rules += sets.v4.empty() ? "    meta nfproto ipv4 accept\n" : "    ip " + field + " != " + sets.v4 + " accept\n";
  rules += sets.v6.empty() ? "    meta nfproto ipv6 accept\n" : "    ip6 " + field + " != " + sets.v6 + " accept\n";
  return rules;
}

std::string pass_other_ports(const std::vector<PortRange>& ranges, const std::string& field) {
  std::string list;
  for (const auto& range : ranges) list += (list.empty() ? "" : ", ") + to_text(range);
  return list.empty() ? "" : "    th " + field + " != { " + list + " } accept\n";
}

}  // namespace

std::string pass_others(const Traffic& traffic, Remote remote) {
  const bool out = remote == Remote::destination;
  const std::string peer = out ? "daddr" : "saddr";
  const std::string theirs = out ? "dport " : "sport ";
  const std::string ours = out ? "sport " : "dport ";
  std::string rules;
  if (traffic.control_port != 0) rules += "    tcp " + theirs + std::to_string(traffic.control_port) + " accept\n";
  if (traffic.control_port != 0 && traffic.at_home) rules += "    tcp " + ours + std::to_string(traffic.control_port) + " accept\n";
  rules += pass_blocks(traffic.except, peer) + pass_all_but(traffic.peers, peer);
  return rules + pass_other_ports(traffic.ports, out ? "dport" : "sport") + pass_other_ports(traffic.local_ports, out ? "sport" : "dport");
}

std::string pass_unchosen(double share, std::uint32_t seed) {
  constexpr double whole = 1e6;
  if (share >= 1) return {};
  const auto rest = " . th sport . th dport mod 1000000 seed " + std::to_string(seed) +
                    " >= " + std::to_string(static_cast<std::uint64_t>(share * whole)) + " accept\n";
  return "    ip version 4 jhash ip saddr . ip daddr" + rest + "    ip6 version 6 jhash ip6 saddr . ip6 daddr" + rest;
}

}  // namespace arashi
