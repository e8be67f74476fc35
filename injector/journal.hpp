// An append-only log of injections: first line magic and version, then one line per record, "crc32c-hex json\n". The last record of an
// id wins; a torn tail is cut at the last whole record; when mostly made of ended injections it is rewritten beside and renamed over.
// Beside it lies "lock": who writes here, and how many bytes at least were written, so that a journal that was cut is known.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/injection.hpp"

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace arashi {

class Journal {
 public:
  enum class Durability { until_reboot, on_disk };  // no fsync on tmpfs; fdatasync before append returns

  // Opens or makes `directory/journal`, takes the lock (Blame::refused with the holder's pid when another process has it for longer than
  // a second), cuts a torn tail, reads what is open. Directory and file are believed only when they are ours alone (host/own_files.hpp): a
  // directory that is not is refused; what cannot be our journal is moved aside as "journal.unreadable". One of another version is refused
  // and left as it is.
  static Result<Journal> open(const std::filesystem::path& directory, Durability durability);
  // The same records in a file that only has a descriptor: nobody else can reach it, and it has no lock.
  static Result<Journal> in_memory(Fd file);

  // Written (and on disk, if so opened) when this returns; on failure (a full disk) nothing of the record remains. What has become of the
  // file meanwhile is mended first.
  Result<void> append(const Injection& injection);

  // Whether the file is still there and what was written to it; if not it is written anew, and what was wrong is returned: "" where nothing
  // was. An error: it can't be written anew, so that what lives is written down nowhere.
  Result<std::string> mend();

  // The newest record of every injection that is not over.
  [[nodiscard]] std::vector<Injection> open_injections() const;
  [[nodiscard]] std::size_t cut_bytes() const { return cut_bytes_; }  // length of the torn tail that open() cut
  [[nodiscard]] bool was_there() const { return was_there_; }         // or open() has made it
  // Why records may be missing in what open() has read: "2 of 5 records can't be read"; "" when it was whole.
  [[nodiscard]] const std::string& damage() const { return damage_; }

 private:
  Journal() = default;
  Result<void> start();
  Result<void> take_over(const std::string& text);
  Result<void> compact();
  Result<void> note_length(std::size_t length);
  [[nodiscard]] std::string wrong_place() const;
  std::string wrong_content();
  Result<void> write_anew();

  std::filesystem::path path_;  // empty: in memory
  Durability durability_{};
  Fd directory_, file_, lock_;
  std::map<std::string, Injection> open_;
  std::size_t size_ = 0, ended_bytes_ = 0, cut_bytes_ = 0;
  std::uint32_t crc_ = 0;  // of all that was written
  timespec looked_at_{};   // the file's change time when its content was last compared
  bool was_there_ = false;
  std::string damage_;
};

}  // namespace arashi
