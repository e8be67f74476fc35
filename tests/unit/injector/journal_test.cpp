#include "injector/journal.hpp"
#include "injector/core/id.hpp"
#include "injector/host/files.hpp"
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"

#include <sys/resource.h>

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

using namespace arashi;
using namespace arashi::testing;
namespace fs = std::filesystem;

namespace {

Result<Journal> open(const fs::path& directory) { return Journal::open(directory, Journal::Durability::until_reboot); }

Injection injection(const std::string& id, Step step = Step::active) {
  Injection made{.id = id, .experiment = "checkout", .fault = "process.pause", .boot = "b", .made = Duration(5), .step = step};
  made.victim = {.kind = "process",
                 .scope = Scope::process,
                 .label = "sleep (pid 7)",
                 .pid = 7,
                 .start_time = 99,
                 .selector = {"process", {{"pid", "7"}}}};
  made.params = {{"mechanism", "auto"}};
  made.change = {{"id", id}, {"text", "line\nbreak \xc3\xa9"}};
  made.claims = {"process:7/99"};
  made.evidence = {
      .in_place = true, .bit = true, .seen = 3, .affected = 2, .values = {{.what = "kills", .unit = "count", .requested = 1.0}}};
  return made;
}

std::string text_of(const fs::path& path) { return read_text(path).value_or(""); }
void write(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }

// A journal of three records: two injections, one of which is over.
std::string three_records(const fs::path& directory) {
  auto journal = open(directory);
  REQUIRE(journal);
  REQUIRE(journal->append(injection("aaaaaaaa", Step::intended)));
  REQUIRE(journal->append(injection("bbbbbbbb")));
  REQUIRE(journal->append(injection("aaaaaaaa", Step::reverted)));
  return text_of(directory / "journal");
}

}  // namespace

TEST_CASE("a journal gives back what is not over, exactly as it was") {
  const Directory directory("/dev/shm");
  three_records(directory.path());
  const auto journal = open(directory.path());
  REQUIRE(journal);
  const auto left = journal->open_injections();
  REQUIRE(left.size() == 1);
  CHECK(record_of(left[0]) == record_of(injection("bbbbbbbb")));
  CHECK(journal->cut_bytes() == 0);
}

TEST_CASE("a journal cut at any byte gives the whole records before it, and can be written on") {
  const Directory directory("/dev/shm");
  const auto whole = three_records(directory.path());
  std::vector<std::size_t> ends;
  for (std::size_t at = whole.find('\n'); at != std::string::npos; at = whole.find('\n', at + 1)) ends.push_back(at + 1);
  REQUIRE(ends.size() == 4);
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    CAPTURE(length);
    write(directory.path() / "journal", whole.substr(0, length));
    const auto records = static_cast<std::size_t>(std::ranges::count_if(ends, [&](std::size_t end) { return end <= length; }));
    {
      auto journal = open(directory.path());
      REQUIRE(journal);
      const std::size_t open_ones = records <= 1 ? 0 : records == 2 ? 1 : records == 3 ? 2 : 1;
      REQUIRE(journal->open_injections().size() == open_ones);
      REQUIRE(journal->cut_bytes() == length - (records == 0 ? 0 : ends[records - 1]));
      REQUIRE(journal->append(injection("cccccccc")));
    }
    auto again = open(directory.path());
    REQUIRE(again);
    REQUIRE(again->cut_bytes() == 0);
    REQUIRE(again->open_injections().back().id == "cccccccc");
  }
}

TEST_CASE("a journal with any byte flipped never forgets an injection that another line holds, and never invents one") {
  const Directory directory("/dev/shm");
  const auto whole = three_records(directory.path());
  const auto header = whole.find('\n') + 1;
  for (std::size_t at = header; at < whole.size(); ++at) {
    CAPTURE(at);
    auto flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x20);
    write(directory.path() / "journal", flipped);
    const auto journal = open(directory.path());
    REQUIRE(journal);
    for (const auto& each : journal->open_injections()) {
      const bool is_known = each.id == "aaaaaaaa" || each.id == "bbbbbbbb";
      REQUIRE(is_known);
      REQUIRE(each.change == injection(each.id).change);
    }
    // The second record is lost only when its own line (or the line's end before it) is hit.
    const auto second_begins = whole.find('\n', header);
    const auto second_ends = whole.find('\n', second_begins + 1);
    if (at < second_begins || at > second_ends) REQUIRE(journal->open_injections().back().id == "bbbbbbbb");
  }
}

TEST_CASE("a file of another version is refused and left as it is, one that was only begun is begun again") {
  const Directory directory("/dev/shm");
  for (const std::string text : {"arashi journal 2\nsomething newer\n", "arashi journal 1", "arashi journal 12\n"}) {
    CAPTURE(text);
    write(directory.path() / "journal", text);
    const auto journal = open(directory.path());
    const bool is_begun = text == "arashi journal 1";  // our own first line, torn
    CHECK(journal.has_value() == is_begun);
    if (is_begun) CHECK(journal->damage() == "");
    if (!is_begun) CHECK(text_of(directory.path() / "journal") == text);
    if (!is_begun) CHECK(journal.error().blame == Blame::unsupported);
  }
}

TEST_CASE("a file where a journal's directory should be is an error") {
  const Directory directory("/dev/shm");
  write(directory.path() / "two", "a file");
  const auto journal = open(directory.path() / "two");
  REQUIRE_FALSE(journal.has_value());
  CHECK(journal.error().message.find("two") != std::string::npos);
}

TEST_CASE("a journal has one holder, whose number is told, and is free when that one is gone") {
  const Directory directory("/dev/shm");
  {
    const auto first = open(directory.path());
    REQUIRE(first);
    const auto second = open(directory.path());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().blame == Blame::refused);
    CHECK(second.error().message.find("process " + std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(open(directory.path()).has_value());
}

TEST_CASE("a record that does not fit leaves nothing of itself, and what fits later is written") {
  const Directory directory("/dev/shm");
  auto journal = open(directory.path());
  REQUIRE(journal);
  REQUIRE(journal->append(injection("aaaaaaaa")));
  const auto before = text_of(directory.path() / "journal");
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const struct rlimit tight { before.size() + 40, old.rlim_max };  // in the middle of the next record
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto refused = journal->append(injection("bbbbbbbb"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
  REQUIRE_FALSE(refused.has_value());
  CHECK(text_of(directory.path() / "journal") == before);
  CHECK(journal->open_injections().size() == 1);
  REQUIRE(journal->append(injection("cccccccc")));
  CHECK(text_of(directory.path() / "journal").starts_with(before));
}

TEST_CASE("a journal stays small however many injections come and go, and keeps those that live") {
  const Directory directory("/dev/shm");
  {
    auto journal = Journal::open(directory.path(), Journal::Durability::until_reboot);
    REQUIRE(journal);
    REQUIRE(journal->append(injection("livesons")));
    for (int i = 0; i < 2000; ++i) {
      const auto id = new_id();
      REQUIRE(journal->append(injection(id)));
      REQUIRE(journal->append(injection(id, Step::reverted)));
    }
    CHECK(fs::file_size(directory.path() / "journal") < (std::size_t{1} << 20U));
    CHECK_FALSE(fs::exists(directory.path() / "journal.new"));
  }
  const auto again = open(directory.path());
  REQUIRE(again);
  REQUIRE(again->open_injections().size() == 1);
  CHECK(again->open_injections()[0].id == "livesons");
}

TEST_CASE("a journal on disk is written the same way") {
  const Directory directory("/dev/shm");
  REQUIRE(Journal::open(directory.path(), Journal::Durability::on_disk)->append(injection("aaaaaaaa")));
  CHECK(open(directory.path())->open_injections().size() == 1);
}
