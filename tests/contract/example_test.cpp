// The worked example of injector/faults/how-to-add-a-fault.md, built out of that page (tests/example.cmake).
#include "agent/workers/worker_main.hpp"
#include "injector/core/id.hpp"
#include "injector/fault.hpp"
#include "tests/contract/stage.hpp"
#include "tests/support/forked_workers.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

namespace arashi {
extern const Fault port_taken_fault;
namespace workers {
extern const Worker port_taken_worker;
}
}  // namespace arashi

using namespace arashi;
using namespace arashi::testing;

namespace {

Result<void> engine(const Json& config, int input, int output) {
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  return workers::port_taken_worker.run(config);
}

// Whether a program of the target's namespace can listen on the port.
bool is_free(const Pair& pair) {
  const auto ran = pair.left.run({"python3", "-c", "import socket; s = socket.socket(); s.bind(('0.0.0.0', 8080)); s.listen()"});
  const bool taken = ran.output.find("Address already in use") != std::string::npos;
  REQUIRE_MESSAGE((taken || ran.exit_code == 0), ran.output);
  return !taken;
}

}  // namespace

TEST_CASE("the worked example of how-to-add-a-fault is a fault like all others") {
  const Pair pair;
  const Directory directory;
  test::ForkedWorkers workers(engine);
  Host host = host_in(directory.path());
  host.workers = &workers;
  const auto& fault = port_taken_fault;
  CHECK(fault.worker == "port-taken");
  const auto check = check_params(fault.params, {{"port", 8080}});
  REQUIRE(check.problems.empty());
  const Request asked{
      .id = new_id(), .experiment = "test", .victim = the_victim(host, {"netns", {{"name", pair.left.name()}}}), .params = check.canonical};
  const auto prepared = fault.prepare(host, asked);
  REQUIRE_MESSAGE(prepared.has_value(), prepared.error().message);
  CHECK(is_free(pair));
  CHECK(fault.revert(host, prepared->change).has_value());  // never applied
  const auto applied = fault.apply(host, prepared->change);
  REQUIRE_MESSAGE(applied.has_value(), applied.error().message);
  CHECK(applied->in_place);
  CHECK_FALSE(is_free(pair));
  CHECK(fault.observe(host, prepared->change)->in_place);
  for (int time = 0; time < 2; ++time) CHECK(fault.revert(host, prepared->change).has_value());
  CHECK(is_free(pair));
  CHECK(fault.observe(host, prepared->change).error().blame == Blame::missing);
  for (const auto& [name, value] : prepared->change.items()) {
    auto broken = prepared->change;
    broken.erase(name);
    CHECK(fault.revert(host, broken).error().message.find("change." + name) != std::string::npos);
  }
}
