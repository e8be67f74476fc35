// The ports at which processes are served, from their open files and the tables of their network namespace.
#include "injector/host/files.hpp"
#include "injector/host/proc.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t table_limit = std::size_t{64} << 20U;

struct Table {
  const char* file;
  std::uint8_t protocol;
};
constexpr std::array tables{Table{"net/tcp", IPPROTO_TCP}, Table{"net/tcp6", IPPROTO_TCP}, Table{"net/udp", IPPROTO_UDP},
                            Table{"net/udp6", IPPROTO_UDP}};

// "socket:[4711]" of all of them.
std::set<std::string> sockets_of(const Host& host, const std::vector<std::int32_t>& pids) {
  std::set<std::string> sockets;
  for (const auto pid : pids) {
    std::error_code error;
    for (fs::directory_iterator entry(host.proc / std::to_string(pid) / "fd", error), end; !error && entry != end; entry.increment(error)) {
      std::error_code unreadable;
      auto link = fs::read_symlink(entry->path(), unreadable).string();
      if (link.starts_with("socket:[")) sockets.insert(std::move(link));
    }
  }
  return sockets;
}

// A line of proc_pid_net(5): "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode".
std::optional<std::uint16_t> served_by(const std::string& line, std::uint8_t protocol, const std::set<std::string>& sockets) {
  std::istringstream words(line);
  std::array<std::string, 10> word;
  for (auto& each : word) words >> each;
  const auto colon = word[1].rfind(':');
  if (!words || colon == std::string::npos || (protocol == IPPROTO_TCP && word[3] != "0A")) return std::nullopt;
  if (!sockets.contains("socket:[" + word[9] + "]")) return std::nullopt;
  std::uint16_t port = 0;
  std::from_chars(word[1].data() + colon + 1, word[1].data() + word[1].size(), port, 16);
  return port == 0 ? std::nullopt : std::optional(port);
}

}  // namespace

std::vector<ServedPort> served_ports(const Host& host, const std::vector<std::int32_t>& pids) {
  const auto sockets = sockets_of(host, pids);
  const auto lives = [&host](std::int32_t pid) { return netns_of(host, pid).has_value(); };
  const auto one = std::ranges::find_if(pids, lives);
  std::set<ServedPort> found;
  if (one == pids.end() || sockets.empty()) return {};
  for (const auto& table : tables) {
    std::istringstream lines(read_text(host.proc / std::to_string(*one) / table.file, table_limit).value_or(""));
    for (std::string line; std::getline(lines, line);)
      if (const auto port = served_by(line, table.protocol, sockets)) found.insert({table.protocol, *port});
  }
  return {found.begin(), found.end()};
}

}  // namespace arashi
