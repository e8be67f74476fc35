// Small files: whole, bounded, and with errors that name the path. For cgroupfs and procfs a write is one write(2).
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace arashi {

// O_CLOEXEC is added. Blame::missing when there is no such file.
Result<Fd> open_file(const std::filesystem::path& path, int flags, unsigned mode = 0600);

// The whole file; one longer than `limit` bytes is an error.
Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 20U);

// Into a file that exists, with one write(2): what cgroupfs and procfs need.
Result<void> write_text(const std::filesystem::path& path, std::string_view text);

Result<void> write_all(int fd, std::string_view text);

// Makes the directory and its parents; right if it exists.
Result<void> make_directory(const std::filesystem::path& path, unsigned mode = 0755);

// The file's inode, which outlives a rename and tells a successor of the same name apart; follows links.
Result<std::uint64_t> inode_of(const std::filesystem::path& path);

// Two pipe ends, neither of them 0, 1 or 2 and both O_CLOEXEC.
struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe();

}  // namespace arashi
