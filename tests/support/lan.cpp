#include "tests/support/lan.hpp"

#include <doctest/doctest.h>

namespace arashi::testing {

namespace {

void ip(const Namespace& netns, std::vector<std::string> words) {
  words.insert(words.begin(), {"ip", "-n", netns.name()});
  const auto ran = run(words);
  if (ran.exit_code != 0) FAIL(words.at(3) << " in " << netns.name() << ": " << ran.output);
}

}  // namespace

Lan::Lan(const std::vector<std::string>& prefixes) {
  ip(hub_, {"link", "add", "br0", "up", "type", "bridge", "forward_delay", "0"});
  for (std::size_t i = 0; i < prefixes.size(); ++i) {
    ends_.push_back(std::make_unique<Namespace>(prefixes[i]));
    const auto& one = *ends_.back();
    const auto port = "port" + std::to_string(i);
    ip(hub_, {"link", "add", port, "master", "br0", "type", "veth", "peer", "name", "eth0", "netns", one.name()});
    ip(hub_, {"link", "set", port, "up"});
    ip(one, {"link", "set", "eth0", "up"});
    ip(one, {"address", "add", v4(i) + "/24", "dev", "eth0"});
    ip(one, {"address", "add", v6(i) + "/64", "dev", "eth0", "nodad"});
  }
  // Neighbours are known from here on, so that what is measured later is not the first packet's wait for them.
  for (std::size_t i = 0; i + 1 < ends_.size(); ++i)
    for (std::size_t j = i + 1; j < ends_.size(); ++j)
      for (const auto& address : {v4(j), v6(j)}) REQUIRE(eventually([&] { return reaches(i, address); }));
}

bool Lan::reaches(std::size_t from, const std::string& address) const {
  return end(from).run({"ping", "-q", "-c", "1", "-W", "1", address}).exit_code == 0;
}

}  // namespace arashi::testing
