// A value that is written into a small file of the kernel's (a sysctl, a limit of a cgroup) and put back: the old one only where ours still
// is. Such a fault's record holds one WrittenValue for each file.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace arashi {

struct WrittenValue {
  std::filesystem::path file;
  std::uint64_t directory = 0;  // inode of the file's directory: another cgroup of the same name is not ours
  std::string before, ours;     // without newline, as the kernel gives them back
  bool operator==(const WrittenValue&) const = default;
  static constexpr auto keys = std::tuple(key("file", &WrittenValue::file), key("directory", &WrittenValue::directory),
                                          key("before", &WrittenValue::before), key("ours", &WrittenValue::ours));
};

// What is there now, and what is to be there: as the kernel will give it back ("100000 100000", a whole number of pages). Reads only.
// Blame::input when it is there already, as there would be nothing to do and nothing to revert.
Result<WrittenValue> note_value(const std::filesystem::path& file, const std::string& ours);

// Writes each and reads it back. Blame::missing when a file has gone, Blame::refused when somebody has changed it since it was noted:
// then it is left as it is. What was written before an error stays: the revert knows.
Result<void> write_values(std::span<const WrittenValue> values);

// Puts back the old value wherever ours is, the last written first, all of them whatever becomes of one. Right twice, late, and when
// nothing was written; a file that has gone took its value along. What somebody else has written stays, and is told as Code::drifted.
Result<void> restore_values(std::span<const WrittenValue> values);

// Whether ours is in each file. Blame::missing when a file has gone.
Result<bool> are_written(std::span<const WrittenValue> values);

}  // namespace arashi
