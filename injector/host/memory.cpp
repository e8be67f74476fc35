#include "injector/host/memory.hpp"

#include "injector/core/units.hpp"
#include "injector/host/files.hpp"

#include <sstream>

namespace arashi {

Result<void> check_memory(const Host& host, std::uint64_t bytes, const std::string& what) {
  std::istringstream lines(TRY(read_text(host.proc / "meminfo")));
  std::string name;
  std::uint64_t kib = 0;
  std::string rest;
  while (lines >> name >> kib && name != "MemAvailable:") std::getline(lines, rest);
  if (name != "MemAvailable:") return fail(Blame::system, "there is no MemAvailable in ", (host.proc / "meminfo").string());
  if (bytes <= kib * 1024 / 4) return {};
  return fail(Blame::refused, what, " would take ", bytes >> 20U, " MiB of the kernel's memory, more than a quarter of the ", kib >> 10U,
              " MiB that are available");
}

}  // namespace arashi
