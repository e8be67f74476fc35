// The BPF classifier of the network faults (impair.bpf.c): loads it for one injection and reads its counters back.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace arashi {

// What becomes of a packet that matches.
struct OnMatch {
  enum class Act {
    lose,      // and duplicate, corrupt, by the effects; what is lost is stolen on egress (the sender's TCP takes it for a loss on the way)
    redirect,  // to the device `tap`, as long as the worker beats
    queue,     // to the device `tap`, whose qdisc holds it; back_program() is at the device that it comes out of
  } act = Act::lose;
  std::int32_t tap = 0;
  bool comes_again = false;  // what matched on egress will pass the same program once more, and is then left alone
};

struct Counters {
  std::uint64_t seen = 0, matched = 0, affected = 0;  // packets through the hook; of the traffic; to which something was done
  std::uint64_t lost = 0, duplicated = 0, corrupted = 0;
  Counters& operator+=(const Counters& other);
};

// A loaded program with its maps; the kernel keeps them as long as a filter or link holds the program.
class Classifier {
 public:
  // Takes one from the host's stock, if it has one, and tells it what to do.
  static Result<Classifier> load(const Host& host, const Impairment& impairment, Hook hook, const OnMatch& act);
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;
  ~Classifier();
  [[nodiscard]] int program() const;       // for the device
  [[nodiscard]] int back_program() const;  // for the tap's ingress, or the queue's far end: sends what comes from there on its way
  // For the device's egress, in front of the others, where one cgroup's incoming packets are hit (it learns from what the cgroup sends
  // which these are); else -1. know() tells it beforehand of ports that have only received.
  [[nodiscard]] int learn_program() const;
  [[nodiscard]] Result<void> know(const std::vector<ServedPort>& ports) const;
  void beat(Duration monotonic) const;  // the worker lives; without a beat for 250 ms the program passes everything
  [[nodiscard]] Result<Counters> counters() const;

 private:
  friend class ClassifierStock;
  struct Held;
  explicit Classifier(std::unique_ptr<Held> held);
  struct Needs {
    bool way_back = false, learner = false;
  };
  static Result<Classifier> load_blank(Needs needs);
  Result<void> tell(const Impairment& impairment, Hook hook, const OnMatch& act);
  std::unique_ptr<Held> held_;
};

// Follows a changed set of peers in an attached program: only what differs is written. Blame::missing when the program is gone.
Result<void> change_peers(std::uint32_t program_id, const std::vector<PeerRule>& before, const std::vector<PeerRule>& now);

// The ports that an attached program takes for the cgroup's own, told or learned. Blame::missing when the program is gone.
Result<std::vector<ServedPort>> known_ports(std::uint32_t program_id);
// Sockets are opened and closed later too: tells it which ports are the cgroup's now, and takes those of `known` away that are not.
Result<void> change_ports(std::uint32_t program_id, const std::vector<ServedPort>& known, const std::vector<ServedPort>& now);

// From now on an attached program whose traffic spares open connections hits them as well. Blame::missing when it is gone.
Result<void> hit_open_connections(std::uint32_t program_id);

// The counters of an attached program, by its kernel id; Blame::missing when the program is gone.
Result<Counters> counters_of(std::uint32_t program_id);

// When the worker of an attached redirecting program beat last (CLOCK_MONOTONIC).
Result<Duration> beat_of(std::uint32_t program_id);
inline constexpr Duration longest_silence = std::chrono::milliseconds(250);  // then the program passes everything by itself

Result<std::uint32_t> id_of_program(int program);
std::string name_of_program(std::uint32_t id);  // as the kernel has it, cut to 15 characters; empty when it is gone

// Whether programs of this kind load at all here; the reason if not. Loads an empty one and lets it go.
Result<void> probe_bpf();

}  // namespace arashi
