// Journal::open on a file of any bytes: never crashes, never invents an injection that it cannot write again.
#include "injector/core/crc.hpp"
#include "injector/journal.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

constexpr std::string_view magic = "arashi journal 1\n";

// A journal that starts as a real one, each line with its CRC: else the fuzzer would get no further than these.
std::string made_whole(std::string_view lines) {
  std::string text(magic);
  std::array<char, 16> crc{};
  for (std::size_t at = 0; at < lines.size();) {
    const auto line = lines.substr(at, lines.find('\n', at) - at);
    std::snprintf(crc.data(), crc.size(), "%08x ", arashi::crc32c(line));
    text.append(crc.data()).append(line).append("\n");
    at += line.size() + 1;
  }
  return text;
}

// The first byte chooses: bytes as they are, after the magic line, or as whole records.
std::string contents(std::string_view input) {
  const auto first = static_cast<unsigned char>(input.empty() ? 1 : input.front());
  if (first % 4 == 0) return made_whole(input.substr(1));
  return (first % 2 == 0 ? std::string(magic) : std::string()).append(input);
}

std::filesystem::path make_directory() {
  std::string text = (std::filesystem::temp_directory_path() / "arashi-fuzz-XXXXXX").string();
  if (::mkdtemp(text.data()) == nullptr) std::abort();
  return text;
}

struct Place {
  std::filesystem::path path = make_directory();
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  std::ofstream(place.path / "journal", std::ios::binary | std::ios::trunc)
      << contents(std::string_view(reinterpret_cast<const char*>(data), size));
  auto journal = arashi::Journal::open(place.path, arashi::Journal::Durability::until_reboot);
  if (!journal) return 0;
  for (const auto& injection : journal->open_injections())
    if (!journal->append(injection)) std::abort();
  if (!journal->append({.id = "abcdefgh"})) std::abort();
  return 0;
}
