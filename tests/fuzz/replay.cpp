// A fuzz target without libFuzzer: runs over its seeds, over their beginnings, and over copies with a few bytes changed, the same ones
// each time. Aborts as the target does. Usage: NAME FOLDER…
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t most_beginnings = 64;
constexpr int changed_copies = 128;
constexpr std::size_t most_bytes = 8192;  // as the fuzzer's

std::size_t runs = 0;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  ++runs;
}

void run_beginnings(const std::string& seed) {
  for (std::size_t i = 0; i <= most_beginnings; ++i) run(seed.substr(0, seed.size() * i / most_beginnings));
}

void run_changed(const std::string& seed, std::mt19937& random) {
  if (seed.empty()) return;
  for (int i = 0; i < changed_copies; ++i) {
    std::string copy = seed;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) copy[random() % copy.size()] = static_cast<char>(random() % 256);
    run(copy);
  }
}

std::vector<std::filesystem::path> files_of(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int count, char** arguments) {
  std::mt19937 random{1};  // NOLINT(cert-msc51-cpp): the same in each run
  run("");
  for (int i = 1; i < count; ++i)
    for (const auto& path : files_of(arguments[i])) {
      std::ifstream file(path, std::ios::binary);
      const std::string seed(std::istreambuf_iterator<char>(file), {});
      std::printf("%s\n", path.filename().c_str());
      std::fflush(stdout);  // the last one named is the one that aborts
      run_beginnings(seed);
      if (seed.size() <= most_bytes) run_changed(seed, random);
    }
  std::printf("%zu inputs\n", runs);
  return runs > 1 ? 0 : 1;
}
