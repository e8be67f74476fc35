// Journal::open on a file of any bytes: never crashes, never invents an injection that it cannot write again.
#include "injector/journal.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

// A journal that starts as a real one gets deeper than the magic line.
constexpr std::string_view magic = "arashi journal 1\n";

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
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size > 0 && data[0] % 2 == 0) bytes.insert(0, magic);
  std::ofstream(place.path / "journal", std::ios::binary | std::ios::trunc) << bytes;
  auto journal = arashi::Journal::open(place.path, arashi::Journal::Durability::until_reboot);
  if (!journal) return 0;
  for (const auto& injection : journal->open_injections())
    if (!journal->append(injection)) std::abort();
  if (!journal->append({.id = "abcdefgh"})) std::abort();
  return 0;
}
