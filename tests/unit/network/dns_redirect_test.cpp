#include "injector/network/dns_redirect.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace arashi {

TEST_CASE("the ports of a redirection are named from the injection, differ, and are none that the kernel gives by itself") {
  for (const char* id : {"iol6qefx", "s378mm5f", "x"}) {
    const auto ports = redirect_ports(id);
    CHECK(ports.size() >= 4);
    CHECK(std::set(ports.begin(), ports.end()).size() == ports.size());
    CHECK(std::ranges::all_of(ports, [](std::uint16_t port) { return port >= 1024 && port < 32768; }));
    CHECK(redirect_ports(id) == ports);
  }
  CHECK(redirect_ports("iol6qefx") != redirect_ports("s378mm5f"));
}

}  // namespace arashi
