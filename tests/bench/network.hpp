// What the network benchmarks share: two namespaces on a wire, commands, and percentiles.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace arashi::bench {

inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), got);
  pclose(pipe);
  return text;
}

inline void must(const std::string& command) {
  if (std::system(command.c_str()) == 0) return;
  std::fprintf(stderr, "failed: %s\n", command.c_str());
  std::exit(1);
}

// 10.77.0.1 (here, eth0) and 10.77.0.2, .3 (there).
struct Wire {
  std::string here = "arashi-b" + std::to_string(getpid()) + "h";
  std::string there = "arashi-b" + std::to_string(getpid()) + "t";
  Wire() {
    must("ip netns add " + here + " && ip netns add " + there);
    must("ip -n " + here + " link add eth0 type veth peer name eth0 netns " + there);
    must("ip -n " + here + " addr add 10.77.0.1/24 dev eth0 && ip -n " + there + " addr add 10.77.0.2/24 dev eth0");
    must("ip -n " + there + " addr add 10.77.0.3/24 dev eth0");
    for (const auto& ns : {here, there}) must("ip -n " + ns + " link set eth0 up && ip -n " + ns + " link set lo up");
    must("ip netns exec " + here + " ping -q -c 1 -W 5 10.77.0.2 >/dev/null");
  }
  ~Wire() { output_of("ip netns del " + here + "; ip netns del " + there); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  [[nodiscard]] std::string path() const { return "/run/netns/" + here; }
  [[nodiscard]] std::uint64_t inode() const {
    struct stat found {};
    return stat(path().c_str(), &found) == 0 ? found.st_ino : 0;
  }
};

// iperf3 waits at the far end for as long as this lives.
class IperfServer {
 public:
  explicit IperfServer(const Wire& wire) : pid_file_("/tmp/" + wire.there + ".pid") {
    must("ip netns exec " + wire.there + " iperf3 -s -D -I " + pid_file_);
    must("sleep 0.5");
  }
  ~IperfServer() { output_of("kill $(tr -d '\\0' <" + pid_file_ + "); rm -f " + pid_file_); }
  IperfServer(const IperfServer&) = delete;
  IperfServer& operator=(const IperfServer&) = delete;

 private:
  std::string pid_file_;
};

// TCP, one stream, as the receiver counts it.
inline double gigabits(const Wire& wire, int seconds) {
  return std::atof(output_of("ip netns exec " + wire.here + " iperf3 -c 10.77.0.2 -C cubic -J -t " + std::to_string(seconds) +
                             " | jq .end.sum_received.bits_per_second")
                       .c_str()) /
         1e9;
}

inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values.at(static_cast<std::size_t>(share * static_cast<double>(values.size() - 1)));
}

// Of 25 values, by their order: whatever their distribution, the median lies between the 8th and the 18th with 95.7 %.
inline constexpr int turns = 25;
inline std::pair<double, double> interval_of_median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.at(7), values.at(17)};
}

}  // namespace arashi::bench
