// An append-only log of injections: first line magic and version, then one line per record, "crc32c-hex json\n". The last record of an
// id wins; a torn tail is cut at the last whole record; when mostly made of ended injections it is rewritten beside and renamed over.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/injection.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace arashi {

class Journal {
 public:
  enum class Durability { until_reboot, on_disk };  // no fsync on tmpfs; fdatasync before append returns

  // Opens or makes `directory/journal` (directory 0700), takes the lock (Blame::refused with the holder's pid when another process has
  // it for longer than a second), cuts a torn tail, reads what is open. A file of another version is refused and left as it is.
  static Result<Journal> open(const std::filesystem::path& directory, Durability durability);

  // Written (and on disk, if so opened) when this returns; on failure (a full disk) nothing of the record remains.
  Result<void> append(const Injection& injection);

  // The newest record of every injection that is not over.
  [[nodiscard]] std::vector<Injection> open_injections() const;
  [[nodiscard]] std::size_t cut_bytes() const { return cut_bytes_; }  // length of the torn tail that open() cut

 private:
  Journal() = default;
  Result<void> compact();
  std::filesystem::path path_;
  Durability durability_{};
  Fd file_, lock_;
  std::map<std::string, Injection> open_;
  std::size_t size_ = 0, ended_bytes_ = 0, cut_bytes_ = 0;
};

}  // namespace arashi
