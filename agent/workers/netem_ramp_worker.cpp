#include "agent/workers/netem_ramp_worker.hpp"

#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/host/files.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/network/netem_ramp.hpp"
#include "injector/network/network_scope.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace arashi::workers {

extern const Worker netem_ramp_worker;

namespace {

// False when the holder has let go.
bool wait_until(int input, Duration deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - boot_now()).count();
    if (left <= 0) return true;
    pollfd watched{.fd = input, .events = POLLIN, .revents = 0};
    const int count = ::poll(&watched, 1, static_cast<int>(std::min<long>(left, 1'000'000)));
    if (count > 0 || (count < 0 && errno != EINTR)) return false;
  }
}

Result<std::vector<std::int32_t>> devices_of(netlink::Socket& socket, const std::vector<std::string>& ends) {
  std::vector<std::int32_t> devices;
  for (const auto& link : TRY(links(socket)))
    if (std::ranges::find(ends, link.device.name) != ends.end()) devices.push_back(link.device.index);
  if (devices.size() != ends.size())
    return fail(Blame::missing, "only ", devices.size(), " of the ", ends.size(), " devices with netem are there");
  return devices;
}

class Growth {
 public:
  Growth(netlink::Socket socket, Impairment impairment, std::vector<std::int32_t> devices)
      : socket_(std::move(socket)),
        impairment_(std::move(impairment)),
        devices_(std::move(devices)),
        whole_(netem::settings_for(impairment_.effects)),
        steps_(netem::ramp_steps(impairment_.effects)) {}

  // Of the whole ramp; one that is late goes to where it should be by now.
  Result<void> run(int input, Duration begin) {
    std::size_t done = 0;
    while (done < steps_) {
      if (!wait_until(input, begin + time_of(done + 1))) return {};
      const auto passed = boot_now() - begin;
      while (done < steps_ && time_of(done + 1) <= passed) ++done;
      TRY(go_to(done));
    }
    return {};
  }

 private:
  [[nodiscard]] Duration time_of(std::size_t step) const {
    return Duration(impairment_.effects.ramp.count() / static_cast<std::int64_t>(steps_) * static_cast<std::int64_t>(step));
  }

  // Newer kernels begin their random numbers anew at each change: the same seed would give each step the same fates.
  Result<void> go_to(std::size_t step) {
    const auto settings = netem::grown(impairment_.effects, whole_, step);
    const auto root = netem::handle_of(impairment_.id);
    const auto seed = impairment_.seed ? std::optional(*impairment_.seed + step) : std::nullopt;
    for (const auto device : devices_) {
      const auto ack = TRY(socket_.change(netem::change_netem(device, root, settings, seed)));
      if (!ack) return netlink::ack_fail(ack, "let netem grow");
    }
    return {};
  }

  netlink::Socket socket_;
  Impairment impairment_;
  std::vector<std::int32_t> devices_;
  netem::Settings whole_;
  std::size_t steps_ = 0;
};

}  // namespace

Result<void> let_netem_grow(const RampConfig& config, int input, int output) {
  const auto& impairment = config.impairment;
  auto socket = TRY(socket_in(Host{}, impairment.netns));
  auto devices = TRY(devices_of(socket, config.ends));
  const RampStats stats{.begin = boot_now()};
  TRY(write_all(output, to_text(Json{{"ready", print_record(stats)}}) + "\n"));
  return Growth(std::move(socket), impairment, std::move(devices)).run(input, stats.begin);
}

namespace {
Result<void> run(const RampConfig& config) { return let_netem_grow(config, Channel::input(), STDOUT_FILENO); }
}  // namespace

const Worker netem_ramp_worker = make_worker<run>("netem-ramp");

}  // namespace arashi::workers
