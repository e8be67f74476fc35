// Every test binary is also the program of its workers, so that a fault can be tested without the agent.
#define DOCTEST_CONFIG_IMPLEMENT
#include "agent/workers/worker_main.hpp"
#include "tests/support/remains.hpp"

#include <doctest/doctest.h>

#include <string_view>

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "worker") return arashi::workers::run_worker(argv[2]);
  arashi::testing::clear_remains();
  return doctest::Context(argc, argv).run();
}
