#include "injector/host/ephemeral_ports.hpp"

#include "injector/core/ports.hpp"
#include "injector/host/files.hpp"
#include "injector/host/memory.hpp"
#include "injector/host/netns.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

namespace arashi {

namespace {

constexpr std::size_t bytes_of_socket = std::size_t{5} << 10U;  // 4.1 KiB were measured on Linux 6.18
constexpr std::size_t own_files = 64;
constexpr std::size_t most_in_one_process = 8192;  // so that several processors share the closing, which takes one of them 8 us for each

}  // namespace

Result<std::vector<std::uint16_t>> ephemeral_from(std::string_view range, std::string_view reserved) {
  std::istringstream words{std::string(range)};
  unsigned first = 0;
  unsigned last = 0;
  if (!(words >> first >> last) || first == 0 || first > last || last > 65535)
    return fail(Blame::system, "ip_local_port_range is '", range, "', which is no range of ports");
  std::set<std::uint16_t> ports;
  for (unsigned port = first; port <= last; ++port) ports.insert(static_cast<std::uint16_t>(port));
  std::istringstream blocks{std::string(reserved)};
  for (std::string block; std::getline(blocks, block, ',');) {
    std::erase_if(block, [](char letter) { return letter == '\n' || letter == ' '; });
    if (block.empty()) continue;
    const auto taken = TRY(parse_ports(block));
    ports.erase(ports.lower_bound(taken.first), ports.upper_bound(taken.last));
  }
  return std::vector(ports.begin(), ports.end());
}

Result<std::vector<std::uint16_t>> ephemeral_ports(const Host& host, const Fd& netns) {
  std::string range;
  std::string reserved;
  const auto read = inside(netns, [&]() -> Result<void> {  // /proc/sys/net shows the namespace of the thread that reads
    range = TRY(read_text(host.proc / "sys/net/ipv4/ip_local_port_range"));
    reserved = TRY(read_text(host.proc / "sys/net/ipv4/ip_local_reserved_ports"));
    return {};
  });
  if (!read) return pass(read.error());
  return ephemeral_from(range, reserved);
}

std::size_t most_sockets_of_a_process() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const auto most = std::min<rlim_t>(limit.rlim_max, most_in_one_process + own_files);
  return most > own_files ? static_cast<std::size_t>(most) - own_files : 0;
}

Result<void> check_room_for_sockets(const Host& host, std::size_t sockets) {
  TRY(check_memory(host, sockets * bytes_of_socket, std::to_string(sockets) + " sockets"));
  std::istringstream words(TRY(read_text(host.proc / "sys/fs/file-nr")));
  std::uint64_t open = 0;
  std::uint64_t unused = 0;
  std::uint64_t most = 0;
  if (!(words >> open >> unused >> most)) return fail(Blame::system, "fs.file-nr cannot be read");
  if (open + sockets > most / 10 * 9)
    return fail(Blame::refused, sockets, " sockets beside the ", open,
                " files that are open would leave the machine less than a tenth of its ", most, " (fs.file-max)");
  return {};
}

}  // namespace arashi
