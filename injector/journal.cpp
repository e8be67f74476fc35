#include "injector/journal.hpp"

#include "injector/core/crc.hpp"
#include "injector/core/id.hpp"
#include "injector/host/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view magic = "arashi journal 1\n";
constexpr std::string_view any_magic = "arashi journal ";
constexpr std::size_t crc_digits = 8;
constexpr std::size_t largest_file = std::size_t{256} << 20U;
constexpr std::size_t largest_line = std::size_t{4} << 20U;
constexpr std::size_t worth_compacting = std::size_t{256} << 10U;

std::string crc_text(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  auto crc = crc32c(text);
  std::string hex(crc_digits, '0');
  for (auto at = hex.rbegin(); at != hex.rend(); ++at, crc >>= 4U) *at = digits[crc & 0xFU];
  return hex;
}

std::string line_of(const Injection& injection) {
  const auto json = to_text(record_of(injection));
  return crc_text(json) + " " + json + "\n";
}

// A line without its newline; nothing when it is not a whole record of ours.
std::optional<Injection> injection_in(std::string_view line) {
  if (line.size() <= crc_digits + 1 || line[crc_digits] != ' ') return std::nullopt;
  const auto json_text = line.substr(crc_digits + 1);
  if (crc_text(json_text) != line.substr(0, crc_digits)) return std::nullopt;
  const auto json = parse_json(json_text, largest_line);
  if (!json) return std::nullopt;
  auto injection = injection_of(*json);
  return is_id(injection.id) ? std::optional(std::move(injection)) : std::nullopt;
}

struct Contents {
  std::map<std::string, Injection> open;
  std::size_t whole = 0;  // bytes up to the end of the last whole record
};

// A damaged line in the middle is skipped and what follows it still counts: forgetting a fault is worse than reverting one twice.
Contents read_records(std::string_view text) {
  Contents contents{.whole = magic.size()};
  std::size_t at = magic.size();
  for (auto end = text.find('\n', at); end != std::string_view::npos; end = text.find('\n', at)) {
    auto record = injection_in(text.substr(at, end - at));
    at = end + 1;
    if (!record) continue;
    contents.whole = at;
    contents.open.erase(record->id);
    if (!is_over(record->step)) contents.open.insert_or_assign(record->id, std::move(*record));
  }
  return contents;
}

std::int32_t pid_in(int fd) {
  std::array<char, 16> text{};
  const auto count = ::pread(fd, text.data(), text.size(), 0);
  std::int32_t pid = 0;
  if (count > 0) std::from_chars(text.data(), text.data() + count, pid);
  return pid;
}

// A holder that was killed keeps the lock until it is taken apart, and a child that it had just forked until that has run its program: a
// moment, which cannot be told from a holder that lives, so we wait for that, and not longer.
Result<Fd> take_lock(const fs::path& path) {
  constexpr int rounds = 500;
  auto lock = TRY(open_file(path, O_RDWR | O_CREAT));
  for (int round = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++round) {
    if (errno != EWOULDBLOCK) return sys_fail("lock '", path.string(), "'");
    if (round == rounds)
      return fail(Blame::refused, "journal '", path.parent_path().string(), "' is in use by process ", pid_in(lock.get()),
                  "; an agent may run there already");
    ::poll(nullptr, 0, 2);
  }
  const auto text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return sys_fail("write '", path.string(), "'");
  return lock;
}

Result<void> check_version(const fs::path& path, std::string_view text) {
  if (text.starts_with(magic)) return {};
  if (text.starts_with(any_magic))
    return fail(Blame::unsupported, "journal '", path.string(), "' is of another version (",
                text.substr(0, std::min(text.find('\n'), std::size_t{40})), "): recover with the release that wrote it");
  return fail(Blame::unsupported, "'", path.string(), "' is not a journal of ours: it is left as it is");
}

Result<void> sync_directory(const fs::path& directory) {
  const auto file = TRY(open_file(directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(file.get()) != 0) return sys_fail("sync '", directory.string(), "'");
  return {};
}

// Appends at `size`; cut back to it when that fails, so that a full disk leaves no half record.
Result<void> append_text(int fd, std::size_t size, std::string_view text, bool on_disk) {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pwrite(fd, text.data() + done, text.size() - done, static_cast<off_t>(size + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  if (done == text.size() && (!on_disk || ::fdatasync(fd) == 0)) return {};
  const auto problem = sys_fail("write the journal");
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
    return because(sys_fail("cut the journal back").error, problem.error.message, ", and then");
  return problem;
}

}  // namespace

Result<Journal> Journal::open(const fs::path& directory, Durability durability) {
  TRY(make_directory(directory, 0700));
  Journal journal;
  journal.path_ = directory / "journal";
  journal.durability_ = durability;
  journal.lock_ = TRY(take_lock(directory / "lock"));
  journal.file_ = TRY(open_file(journal.path_, O_RDWR | O_CREAT));
  const auto text = TRY(read_text(journal.path_, largest_file));
  const bool on_disk = durability == Durability::on_disk;
  // Made, but died before its first line was whole.
  if (magic.starts_with(text) && text.size() < magic.size()) {
    if (::ftruncate(journal.file_.get(), 0) != 0) return sys_fail("cut '", journal.path_.string(), "'");
    TRY(append_text(journal.file_.get(), 0, magic, on_disk));
    if (on_disk) TRY(sync_directory(directory));
    journal.size_ = magic.size();
    journal.cut_bytes_ = text.size();
    return journal;
  }
  TRY(check_version(journal.path_, text));
  auto contents = read_records(text);
  journal.cut_bytes_ = text.size() - contents.whole;
  if (journal.cut_bytes_ > 0 && ::ftruncate(journal.file_.get(), static_cast<off_t>(contents.whole)) != 0)
    return sys_fail("cut '", journal.path_.string(), "'");
  journal.size_ = contents.whole;
  journal.open_ = std::move(contents.open);
  std::size_t living = magic.size();
  for (const auto& [id, injection] : journal.open_) living += line_of(injection).size();
  journal.ended_bytes_ = journal.size_ - std::min(journal.size_, living);
  return journal;
}

Result<void> Journal::append(const Injection& injection) {
  const auto line = line_of(injection);
  if (line.size() > largest_line) return fail(Blame::input, "the record of ", injection.id, " has ", line.size(), " bytes: too long");
  TRY(append_text(file_.get(), size_, line, durability_ == Durability::on_disk));
  size_ += line.size();
  const bool known = open_.erase(injection.id) > 0;
  if (known || is_over(injection.step)) ended_bytes_ += line.size();  // as much as the record it replaces, near enough
  if (!is_over(injection.step)) open_.insert_or_assign(injection.id, injection);
  // What was asked is written; that the rewriting fails (a full disk) leaves the journal as long as it was, and right.
  if (size_ > worth_compacting && ended_bytes_ > size_ / 2)
    if (const auto compacted = compact(); !compacted) ended_bytes_ = 0;
  return {};
}

Result<void> Journal::compact() {
  const bool on_disk = durability_ == Durability::on_disk;
  const auto beside = fs::path(path_).concat(".new");
  auto fresh = TRY(open_file(beside, O_RDWR | O_CREAT | O_TRUNC));
  std::string text(magic);
  for (const auto& [id, injection] : open_) text += line_of(injection);
  if (auto written = append_text(fresh.get(), 0, text, on_disk); !written) {
    ::unlink(beside.c_str());
    return written;
  }
  if (::rename(beside.c_str(), path_.c_str()) != 0) return sys_fail("rename '", beside.string(), "'");
  if (on_disk) TRY(sync_directory(path_.parent_path()));
  file_ = std::move(fresh);
  size_ = text.size();
  ended_bytes_ = 0;
  return {};
}

std::vector<Injection> Journal::open_injections() const {
  std::vector<Injection> all;
  for (const auto& [id, injection] : open_) all.push_back(injection);
  return all;
}

}  // namespace arashi
