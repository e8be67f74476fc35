// What the bpf backend costs: TCP's throughput through a fault that matches every packet and loses next to none, beside no fault at all.
// The two take turns, so that what else the machine does meets both.
#include "injector/fault.hpp"
#include "tests/bench/network.hpp"

#include <cstdlib>

using namespace arashi;
using namespace arashi::bench;

namespace {

class Faulted {
 public:
  explicit Faulted(const Wire& wire) {
    Victim victim;
    victim.kind = "netns";
    victim.scope = Scope::netns;
    victim.label = wire.here;
    victim.netns = wire.inode();
    victim.netns_path = wire.path();
    const Json asked{{"loss", "0.0000001%"}, {"direction", "both"}, {"peers", {"10.77.0.2"}}, {"protocol", "tcp"}, {"ports", {"5201"}}};
    auto prepared = fault_.prepare(
        host_, {.id = "benchbpf", .experiment = "bench", .victim = victim, .params = check_params(fault_.params, asked).canonical});
    if (!prepared) std::exit((std::fprintf(stderr, "%s\n", prepared.error().message.c_str()), 1));
    change_ = std::move(prepared->change);
    if (!fault_.apply(host_, change_)) std::exit((std::fprintf(stderr, "not applied\n"), 1));
  }
  ~Faulted() { (void)fault_.revert(host_, change_); }
  Faulted(const Faulted&) = delete;
  Faulted& operator=(const Faulted&) = delete;

 private:
  const Host host_;
  const Fault& fault_ = *find_fault("network.impair");
  Json change_;
};

}  // namespace

int main() {
  const Wire wire;
  const IperfServer server(wire);
  std::vector<double> ratios;
  for (int turn = 0; turn < turns; ++turn) {
    const double without = gigabits(wire, 1);
    const Faulted fault(wire);
    ratios.push_back(gigabits(wire, 1) / without);
  }
  const auto [low, high] = interval_of_median(ratios);
  std::printf("TCP through a bpf fault at 0 %% loss, beside none right before: %.3f, with 95 %% from %.3f to %.3f (hold 0.95)\n",
              percentile(ratios, 0.5), low, high);
  return 0;
}
