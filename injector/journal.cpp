#include "injector/journal.hpp"

#include "injector/core/crc.hpp"
#include "injector/core/id.hpp"
#include "injector/host/files.hpp"
#include "injector/host/own_files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
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
constexpr std::size_t holder_size = 40;
constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;
constexpr const char* new_name = "journal.new";
constexpr const char* aside_name = "journal.unreadable";  // what was found in the journal's place, for people to look at

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
  std::size_t good = 0, bad = 0;
};

// A damaged line in the middle is skipped and what follows it still counts: forgetting a fault is worse than reverting one twice.
Contents read_records(std::string_view text, std::size_t at) {
  Contents contents{.whole = at};
  for (auto end = text.find('\n', at); end != std::string_view::npos; end = text.find('\n', at)) {
    auto record = injection_in(text.substr(at, end - at));
    at = end + 1;
    ++(record ? contents.good : contents.bad);
    if (!record) continue;
    contents.whole = at;
    contents.open.erase(record->id);
    if (!is_over(record->step)) contents.open.insert_or_assign(record->id, std::move(*record));
  }
  return contents;
}

// What the lock file tells: its holder, and the journal's least length when it last wrote.
struct Holder {
  std::int32_t pid = 0;
  std::size_t length = 0;
};

Holder holder_in(int fd) {
  std::array<char, holder_size> text{};
  const auto count = ::pread(fd, text.data(), text.size(), 0);
  const char* const end = text.data() + std::max<ssize_t>(count, 0);
  Holder holder;
  const auto pid = std::from_chars(text.data(), end, holder.pid);
  if (pid.ec == std::errc{} && pid.ptr != end && *pid.ptr == ' ') std::from_chars(pid.ptr + 1, end, holder.length);
  return holder;
}

// A holder that was killed keeps the lock until it is taken apart, and a child that it had just forked until that has run its program: a
// moment, which cannot be told from a holder that lives, so we wait for that, and not longer.
Result<Fd> take_lock(const Fd& directory, const fs::path& path) {
  constexpr int rounds = 500;
  auto lock = open_own_file(directory, "lock", O_RDWR | O_CREAT);
  if (!lock) return because(lock.error(), "'", path.string(), "'");
  for (int round = 0; ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0; ++round) {
    if (errno != EWOULDBLOCK) return sys_fail("lock '", path.string(), "'");
    if (round == rounds)
      return fail(Blame::refused, "journal '", path.string(), "' is in use by process ", holder_in(lock->get()).pid,
                  "; an agent may run there already");
    ::poll(nullptr, 0, 2);
  }
  return lock;
}

Result<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const auto count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return sys_fail("read the journal");
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > largest_file) return fail(Blame::input, "a journal of more than ", largest_file, " bytes");
  }
}

bool is_of_another_version(std::string_view text) {
  return text.starts_with(any_magic) && !text.starts_with(magic) && read_records(text, 0).good == 0;
}

// A second name for it, so that it is never without one; what can't have two (a directory) gets another.
Result<void> keep_aside(const Fd& directory) {
  ::unlinkat(directory.get(), aside_name, 0);
  if (::linkat(directory.get(), "journal", directory.get(), aside_name, 0) == 0) return {};
  if (::renameat(directory.get(), "journal", directory.get(), aside_name) == 0) return {};
  return sys_fail("move what is in the journal's place to '", aside_name, "'");
}

bool is_same_file(const struct stat& one, const struct stat& other) { return one.st_ino == other.st_ino && one.st_dev == other.st_dev; }

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
  Journal journal;
  journal.path_ = directory / "journal";
  journal.durability_ = durability;
  journal.directory_ = TRY(open_own_directory(directory));
  journal.lock_ = TRY(take_lock(journal.directory_, directory));
  TRY(journal.start());
  return journal;
}

Result<Journal> Journal::in_memory(Fd file) {
  Journal journal;
  const auto text = TRY(read_all(file.get()));
  journal.file_ = std::move(file);
  journal.was_there_ = !text.empty();
  TRY(text.empty() ? journal.compact() : journal.take_over(text));
  return journal;
}

Result<void> Journal::start() {
  const auto noted = holder_in(lock_.get()).length;
  auto file = open_own_file(directory_, "journal", O_RDWR);
  if (!file && file.error().blame == Blame::system) return pass(file.error());
  was_there_ = file || file.error().blame != Blame::missing;
  std::string text;
  if (file) {
    file_ = std::move(file).value();
    text = TRY(read_all(file_.get()));
    const bool is_begun = magic.starts_with(text) && text.size() < magic.size();  // died before its first line was whole
    if (!is_begun && is_of_another_version(text))
      return fail(Blame::unsupported, "journal '", path_.string(), "' is of another version (",
                  text.substr(0, std::min(text.find('\n'), std::size_t{40})), "): recover with the release that wrote it");
    if (!is_begun) TRY(take_over(text));
    if (is_begun) cut_bytes_ = text.size();
  } else if (was_there_) {
    damage_ = file.error().message;
  }
  if (text.size() < noted && damage_.empty())
    damage_ = was_there_ ? "it has " + std::to_string(text.size()) + " bytes, and at least " + std::to_string(noted) + " were written"
                         : "it is gone";
  if (!damage_.empty()) damage_ = "journal '" + path_.string() + "': " + damage_;
  if (damage_.empty() && file_ && text.size() >= magic.size()) return note_length(size_);
  if (!damage_.empty() && was_there_) TRY(keep_aside(directory_));
  return compact();
}

// Reads what it holds; cuts what is torn at its end.
Result<void> Journal::take_over(const std::string& text) {
  const bool is_ours = text.starts_with(magic);
  auto contents = read_records(text, is_ours ? magic.size() : 0);
  if (!is_ours && contents.good == 0)
    damage_ = "it is not a journal of ours";
  else if (!is_ours && contents.bad == 1)
    damage_ = "its first line can't be read";
  else if (contents.bad > 0)
    damage_ = std::to_string(contents.bad) + " of " + std::to_string(contents.bad + contents.good) + " lines can't be read";
  cut_bytes_ = text.size() - contents.whole;
  if (damage_.empty() && cut_bytes_ > 0 && ::ftruncate(file_.get(), static_cast<off_t>(contents.whole)) != 0)
    return sys_fail("cut '", path_.string(), "'");
  size_ = contents.whole;
  crc_ = crc32c(std::string_view(text).substr(0, size_));
  open_ = std::move(contents.open);
  std::size_t living = magic.size();
  for (const auto& [id, injection] : open_) living += line_of(injection).size();
  ended_bytes_ = size_ - std::min(size_, living);
  return {};
}

Result<void> Journal::append(const Injection& injection) {
  const auto line = line_of(injection);
  if (line.size() > largest_line) return fail(Blame::input, "the record of ", injection.id, " has ", line.size(), " bytes: too long");
  if (const auto wrong = wrong_place(); !wrong.empty())
    if (const auto written = write_anew(); !written) return because(written.error(), "journal '", path_.string(), "' ", wrong);
  TRY(append_text(file_.get(), size_, line, durability_ == Durability::on_disk));
  size_ += line.size();
  crc_ = crc32c(line, crc_);
  [[maybe_unused]] const auto noted = note_length(size_);  // the record is written; only a cut would not be known
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
  std::string text(magic);
  for (const auto& [id, injection] : open_) text += line_of(injection);
  if (path_.empty()) {
    TRY(append_text(file_.get(), 0, text, false));
    if (::ftruncate(file_.get(), static_cast<off_t>(text.size())) != 0) return sys_fail("shorten the journal");
  } else {
    ::unlinkat(directory_.get(), new_name, 0);
    auto fresh = TRY(open_own_file(directory_, new_name, O_RDWR | O_CREAT | O_EXCL));
    if (auto written = append_text(fresh.get(), 0, text, on_disk); !written) {
      ::unlinkat(directory_.get(), new_name, 0);
      return written;
    }
    TRY(note_length(std::min(size_, text.size())));
    if (::renameat(directory_.get(), new_name, directory_.get(), "journal") != 0) return sys_fail("rename '", new_name, "'");
    if (on_disk && ::fsync(directory_.get()) != 0) return sys_fail("sync '", path_.parent_path().string(), "'");
    file_ = std::move(fresh);
  }
  size_ = text.size();
  crc_ = crc32c(text);
  ended_bytes_ = 0;
  return note_length(size_);
}

// Never more than there is: it is raised after what was written, and lowered before what is shorter takes its place.
Result<void> Journal::note_length(std::size_t length) {
  if (path_.empty()) return {};
  auto text = std::to_string(::getpid()) + " " + std::to_string(length);
  text.resize(holder_size - 1, ' ');
  text += '\n';
  if (::pwrite(lock_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      (durability_ == Durability::on_disk && length < size_ && ::fdatasync(lock_.get()) != 0))
    return sys_fail("write '", (path_.parent_path() / "lock").string(), "'");
  return {};
}

// ── what others may have done to it ────────────────────────────────────────────────────────────────────────────────

std::string Journal::wrong_place() const {
  if (path_.empty()) return {};
  struct stat there {};
  struct stat ours {};
  if (::lstat(path_.parent_path().c_str(), &there) != 0 || ::fstat(directory_.get(), &ours) != 0 || !is_same_file(there, ours))
    return "its directory is gone or another one";
  if ((there.st_mode & writable_by_others) != 0) return "its directory is writable by others";
  if (::fstatat(directory_.get(), "lock", &there, AT_SYMLINK_NOFOLLOW) != 0 || ::fstat(lock_.get(), &ours) != 0 ||
      !is_same_file(there, ours))
    return "its lock is gone or another file";
  if (::fstatat(directory_.get(), "journal", &there, AT_SYMLINK_NOFOLLOW) != 0) return "is gone";
  if (::fstat(file_.get(), &ours) != 0 || !is_same_file(there, ours)) return "is another file than the one that was written";
  if ((there.st_mode & writable_by_others) != 0 || there.st_uid != ::geteuid()) return "is writable by others";
  if (static_cast<std::size_t>(there.st_size) != size_)
    return "has " + std::to_string(there.st_size) + " bytes, and " + std::to_string(size_) + " were written";
  return {};
}

std::string Journal::wrong_content() {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) return "can't be read";
  const auto& changed = info.st_ctim;
  if (changed.tv_sec == looked_at_.tv_sec && changed.tv_nsec == looked_at_.tv_nsec) return {};
  const auto text = read_all(file_.get());
  if (!text) return text.error().message;
  if (crc32c(*text) != crc_) return "does not hold what was written";
  // The kernel's file times are some milliseconds coarse: a change in the same moment would show the same one.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec > changed.tv_sec + 1) looked_at_ = changed;
  return {};
}

Result<std::string> Journal::mend() {
  if (path_.empty()) return std::string();
  auto wrong = wrong_place();
  if (wrong.empty()) wrong = wrong_content();
  if (wrong.empty()) return wrong;
  wrong = "journal '" + path_.string() + "' " + wrong;
  if (const auto written = write_anew(); !written) return because(written.error(), wrong, ", and could not be written anew");
  return wrong;
}

Result<void> Journal::write_anew() {
  directory_ = TRY(open_own_directory(path_.parent_path()));
  struct stat there {};
  struct stat ours {};
  const bool has_lock = ::fstatat(directory_.get(), "lock", &there, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(lock_.get(), &ours) == 0 &&
                        is_same_file(there, ours);
  if (!has_lock) lock_ = TRY(take_lock(directory_, path_.parent_path()));
  const bool has_file = ::fstatat(directory_.get(), "journal", &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (has_file) TRY(keep_aside(directory_));
  return compact();
}

std::vector<Injection> Journal::open_injections() const {
  std::vector<Injection> all;
  for (const auto& [id, injection] : open_) all.push_back(injection);
  return all;
}

}  // namespace arashi
