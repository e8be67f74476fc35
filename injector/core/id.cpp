#include "injector/core/id.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace arashi {

namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t id_length = 8;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string new_id() {
  std::string id;
  while (id.size() < id_length) {
    unsigned char byte = 0;
    if (getrandom(&byte, 1, 0) != 1) continue;  // EINTR only: one byte is never short once the pool is ready
    if (byte >= 252) continue;                  // 252 = 7 * 36: every letter equally likely
    const char letter = letters[byte % letters.size()];
    if (id.empty() && letter <= '9') continue;  // starts with a letter: an interface name may be taken for an index
    id += letter;
  }
  return id;
}

bool is_id(std::string_view text) { return text.size() == id_length && std::ranges::all_of(text, is_letter_or_digit); }

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 63) return false;
  if (!is_letter_or_digit(text.front()) || !is_letter_or_digit(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return c == '-' || is_letter_or_digit(c); });
}

Result<std::string> boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!(file >> id)) return sys_fail("read '/proc/sys/kernel/random/boot_id'");
  return id;
}

}  // namespace arashi
