// Two network namespaces joined by a veth pair, made for one test and gone with it.
#pragma once

#include "injector/core/victim.hpp"
#include "injector/fault.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace arashi::test {

// What a shell command printed (both streams), and its exit code.
struct Said {
  int exit = -1;
  std::string text;
};
Said shell(const std::string& command);

class Wire {
 public:
  Wire();  // fails the test where it can't be made
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  static constexpr const char* here_v4 = "10.77.0.1";   // of the target, on its device "eth0"
  static constexpr const char* there_v4 = "10.77.0.2";  // of the peer; it has 10.77.0.3 too
  static constexpr const char* other_v4 = "10.77.0.3";
  static constexpr const char* here_v6 = "fd77::1";
  static constexpr const char* there_v6 = "fd77::2";

  [[nodiscard]] Victim victim() const;                        // the target's side
  [[nodiscard]] Said here(const std::string& command) const;  // runs in the target's namespace
  [[nodiscard]] Said there(const std::string& command) const;
  // Until somebody listens on these TCP ports; fails the test when nobody comes to. In the target's namespace, or the peer's.
  void await_servers_here(std::initializer_list<int> ports) const;
  void await_servers_there(std::initializer_list<int> ports) const;
  [[nodiscard]] std::string path_here() const { return "/run/netns/" + here_; }
  [[nodiscard]] std::string path_there() const { return "/run/netns/" + there_; }
  [[nodiscard]] std::string in_here(const std::string& command) const;  // the text of such a command
  [[nodiscard]] std::string in_there(const std::string& command) const;

 private:
  std::string here_, there_;
};

// What `ping -q -c COUNT` measured.
struct Pings {
  int sent = 0, received = 0;
  double mean = 0, deviation = 0, least = 0, most = 0;  // ms
};
Pings ping(const Wire& wire, const std::string& arguments);

// Canonical parameters from what a spec would say; the test fails where they are refused.
Json canonical(const Fault& fault, const Json& given);

// Prepares and applies one fault, and reverts it at the end of the scope at the latest.
class Injected {
 public:
  // more_notes: what the backend's prepare would have noted on another kernel.
  Injected(const Host& host, std::string_view fault, const Victim& victim, const Json& given, const Json& more_notes = {});
  ~Injected();
  Injected(const Injected&) = delete;
  Injected& operator=(const Injected&) = delete;
  [[nodiscard]] Evidence observe() const;
  void revert() const;
  PreparedRecord prepared;
  Evidence applied;

 private:
  const Host& host_;
  const Fault* fault_;
};

std::string unique_id();  // of an injection; derived from the pid and a counter

}  // namespace arashi::test
