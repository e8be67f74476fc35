// How agents are found: where one is, what speaks to it, and the one that a run starts for itself.
#pragma once

#include "experiments/fleet/agent.hpp"
#include "experiments/fleet/loop.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace arashi::fleet {

struct Address {
  std::string name;                  // "local" or HOST:PORT
  std::string unix_socket;           // or
  std::string url;                   // https://HOST:PORT
  std::string ca, certificate, key;  // PEM files
};
// "unix:/run/arashi/agent.sock", "https://10.0.0.3:7340", "10.0.0.3:7340".
Result<Address> parse_address(const std::string& text, const std::filesystem::path& pki);

// The daemon behind an address, over HTTPS with mutual TLS or a unix socket.
std::shared_ptr<Agent> reach(std::shared_ptr<Loop> loop, Address address);
// All of them by one loop, which ends with the last of them. Refused when there are more than this process may have open files for.
Result<AgentList> reach(std::vector<Address> addresses);

// A local agent on a unix socket, started for this run and ended with it (also when this process is killed): the embedded default.
class Embedded {
 public:
  // `binary` arashi-agent; `run_directory` holds journal and socket. Refused when another agent holds the journal: the error names its pid
  // and socket and says to use --agents.
  static Result<Embedded> start(const std::filesystem::path& binary, const std::filesystem::path& run_directory);
  [[nodiscard]] Address address() const;
  [[nodiscard]] bool ended() const;  // its supervisor: what was below it has reverted and ended, or was killed too
  // For when it has ended: runs `arashi-agent recover`, which takes back what its journal holds. Blocks; may outlive this.
  [[nodiscard]] std::function<Result<void>()> recovery() const;
  ~Embedded();  // closes the pipe it lives by and waits until it has reverted and ended
  Embedded(Embedded&&) noexcept;
  Embedded& operator=(Embedded&&) noexcept;

 private:
  struct Child;
  explicit Embedded(std::unique_ptr<Child> child);
  std::unique_ptr<Child> child_;
};

// arashi-agent beside this program, else in PATH.
Result<std::filesystem::path> find_agent_binary();
// The fault table without an agent: runs `arashi-agent faults --json`.
Result<std::vector<protocol::FaultText>> fault_catalogue(const std::filesystem::path& binary);
// What is wrong with each, whatever the machine and the victim; "" where nothing is. Runs `arashi-agent check-params`.
Result<std::vector<std::string>> problems_of(const std::filesystem::path& binary, const std::vector<protocol::Ask>& asked);

}  // namespace arashi::fleet
