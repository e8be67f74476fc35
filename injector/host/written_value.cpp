#include "injector/host/written_value.hpp"

#include "injector/core/evidence.hpp"
#include "injector/host/files.hpp"

#include <ranges>

namespace arashi {

namespace {

constexpr std::size_t longest_value = 4096;

// Blame::missing also when another directory has taken the name of the one that was noted.
Result<std::string> value_of(const WrittenValue& value) {
  const auto directory = inode_of(value.file.parent_path());
  if (!directory || *directory != value.directory) return fail(Blame::missing, "'", value.file.string(), "' is gone");
  auto text = TRY(read_text(value.file, longest_value));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<void> restore_value(const WrittenValue& value) {
  const auto now = value_of(value);
  if (!now && now.error().blame == Blame::missing) return {};
  if (!now) return pass(now.error());
  if (*now == value.before) return {};
  if (*now != value.ours)
    return fail(Code::drifted, "'", value.file.string(), "' was changed by someone else to '", *now, "', left as it is");
  TRY(write_text(value.file, value.before));
  const auto then = TRY(value_of(value));
  if (then == value.before) return {};
  return fail(Blame::system, "'", value.file.string(), "' is '", then, "' after '", value.before, "' was written into it");
}

}  // namespace

Result<WrittenValue> note_value(const std::filesystem::path& file, const std::string& ours) {
  WrittenValue value{.file = file, .directory = 0, .before = {}, .ours = ours};
  value.directory = TRY(inode_of(file.parent_path()));
  value.before = TRY(value_of(value));
  if (value.before != ours) return value;
  return fail(Blame::input, "'", file.string(), "' is '", ours, "' already");
}

Result<void> write_values(std::span<const WrittenValue> values) {
  for (const auto& value : values) {
    const auto now = TRY(value_of(value));
    if (now != value.before && now != value.ours)
      return fail(Blame::refused, "'", value.file.string(), "' was changed by someone else from '", value.before, "' to '", now,
                  "' since it was looked at");
    TRY(write_text(value.file, value.ours));
    const auto then = TRY(value_of(value));
    if (then != value.ours)
      return fail(Blame::system, "'", value.file.string(), "' is '", then, "' after '", value.ours, "' was written into it");
  }
  return {};
}

// What could not be put back is tried again; what was changed by someone else is not.
Result<void> restore_values(std::span<const WrittenValue> values) {
  Result<void> drifted, failed;
  for (const auto& value : values | std::views::reverse) {
    auto done = restore_value(value);
    if (done) continue;
    auto& kept = done.error().code == Code::drifted ? drifted : failed;
    if (kept) kept = std::move(done);
  }
  return failed ? drifted : failed;
}

Result<bool> are_written(std::span<const WrittenValue> values) {
  bool all = true;
  for (const auto& value : values) all = TRY(value_of(value)) == value.ours && all;
  return all;
}

}  // namespace arashi
