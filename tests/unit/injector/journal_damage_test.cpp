// What others may do to a journal: before it is opened, and while it is written.
#include "injector/host/files.hpp"
#include "injector/journal.hpp"
#include "tests/support/namespaces.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <fstream>
#include <functional>

using namespace arashi;
using namespace arashi::testing;
namespace fs = std::filesystem;

namespace {

Result<Journal> open(const fs::path& directory) { return Journal::open(directory, Journal::Durability::until_reboot); }

Injection injection(const std::string& id, Step step = Step::active) {
  return {.id = id, .experiment = "checkout", .fault = "process.pause", .boot = "b", .step = step};
}

std::string text_of(const fs::path& path) { return read_text(path).value_or(""); }
void write(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }

void flip(const fs::path& path, const std::function<bool(std::size_t line)>& wanted) {
  auto text = text_of(path);
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++line)
    if (wanted(line)) text[at] = static_cast<char>(text[at] ^ 1);
  write(path, text);
}

struct Harm {
  std::string_view name;
  std::function<void(const fs::path& directory)> does;
  std::size_t known;  // of two injections that live, when only the file tells of them
};

void put_link(const fs::path& directory) {
  fs::rename(directory / "journal", directory / "elsewhere");
  fs::create_symlink("elsewhere", directory / "journal");
}

const std::vector<Harm>& harms() {
  static const std::vector<Harm> all{
      {"file removed", [](const fs::path& in) { fs::remove(in / "journal"); }, 0},
      {"cut to nothing", [](const fs::path& in) { fs::resize_file(in / "journal", 0); }, 0},
      {"cut within its first line", [](const fs::path& in) { fs::resize_file(in / "journal", 9); }, 0},
      {"cut after its first line", [](const fs::path& in) { fs::resize_file(in / "journal", 17); }, 0},
      {"cut in its last record", [](const fs::path& in) { fs::resize_file(in / "journal", fs::file_size(in / "journal") - 5); }, 1},
      {"a bit flipped in its first line", [](const fs::path& in) { flip(in / "journal", [](auto line) { return line == 0; }); }, 2},
      {"a bit flipped in its first record", [](const fs::path& in) { flip(in / "journal", [](auto line) { return line == 1; }); }, 1},
      {"a bit flipped in each record", [](const fs::path& in) { flip(in / "journal", [](auto line) { return line > 0; }); }, 0},
      {"a bit flipped in each line", [](const fs::path& in) { flip(in / "journal", [](auto) { return true; }); }, 0},
      {"somebody else's file", [](const fs::path& in) { write(in / "journal", "#!/bin/sh\necho mine\n"); }, 0},
      {"a link", put_link, 0},
      {"a FIFO",
       [](const fs::path& in) {
         fs::remove(in / "journal");
         REQUIRE(::mkfifo((in / "journal").c_str(), 0600) == 0);
       },
       0},
      {"a directory",
       [](const fs::path& in) {
         fs::remove(in / "journal");
         fs::create_directory(in / "journal");
       },
       0},
      {"writable by all", [](const fs::path& in) { REQUIRE(::chmod((in / "journal").c_str(), 0666) == 0); }, 0},
  };
  return all;
}

void write_two(const fs::path& directory) {
  auto journal = open(directory);
  REQUIRE(journal);
  CHECK_FALSE(journal->was_there());
  REQUIRE(journal->append(injection("aaaaaaaa")));
  REQUIRE(journal->append(injection("bbbbbbbb")));
}

}  // namespace

TEST_CASE("a damaged journal tells that records may be missing, gives the good ones, and is whole afterwards") {
  for (const auto& harm : harms()) {
    CAPTURE(harm.name);
    const Directory directory("/dev/shm");
    write_two(directory.path());
    harm.does(directory.path());
    {
      auto journal = open(directory.path());
      REQUIRE_MESSAGE(journal, journal.error().message);
      CHECK(journal->damage() != "");
      CHECK(journal->open_injections().size() == harm.known);
      REQUIRE(journal->append(injection("cccccccc")));
    }
    const auto again = open(directory.path());
    REQUIRE(again);
    CHECK(again->damage() == "");
    CHECK(again->open_injections().size() == harm.known + 1);
  }
}

TEST_CASE("a journal that was not harmed tells of no damage, however it was ended") {
  const Directory directory("/dev/shm");
  write_two(directory.path());
  const auto whole = text_of(directory.path() / "journal");
  CHECK(open(directory.path())->damage() == "");
  write(directory.path() / "journal", whole + "00000000 {\"torn");
  const auto torn = open(directory.path());
  REQUIRE(torn);
  CHECK(torn->damage() == "");
  CHECK(torn->was_there());
  CHECK(torn->open_injections().size() == 2);
}

TEST_CASE("what was in the journal's place is kept for people to look at") {
  const Directory directory("/dev/shm");
  write_two(directory.path());
  write(directory.path() / "journal", "#!/bin/sh\necho mine\n");
  REQUIRE(open(directory.path()));
  CHECK(text_of(directory.path() / "journal.unreadable") == "#!/bin/sh\necho mine\n");
}

TEST_CASE("a journal that is harmed while it is written is written anew, before the next record or when asked") {
  std::vector<Harm> all = harms();
  all.push_back({"directory removed", [](const fs::path& in) { fs::remove_all(in); }, 0});
  all.push_back({"lock removed", [](const fs::path& in) { fs::remove(in / "lock"); }, 2});
  all.push_back({"directory moved",
                 [](const fs::path& in) {
                   fs::rename(in, in.parent_path() / "moved");
                   fs::create_directory(in);
                 },
                 0});
  for (const auto& harm : all) {
    for (const bool asked : {true, false}) {
      CAPTURE(harm.name);
      CAPTURE(asked);
      const Directory above("/dev/shm");
      const auto directory = above.path() / "run";
      auto journal = open(directory);
      REQUIRE(journal);
      REQUIRE(journal->append(injection("aaaaaaaa")));
      REQUIRE(journal->append(injection("bbbbbbbb")));
      CHECK(journal->mend().value_or("?") == "");
      harm.does(directory);
      if (asked) {
        const auto mended = journal->mend();
        REQUIRE_MESSAGE(mended, mended.error().message);
        CHECK_MESSAGE(*mended != "", harm.name);
      } else {
        // In a file of the right length it is not seen before somebody asks: reading all of it for each record would cost too much.
        const bool is_seen = harm.name.find("flipped") == std::string_view::npos;
        REQUIRE(journal->append(injection("cccccccc")));
        if (!is_seen) REQUIRE(journal->mend().value_or("") != "");
      }
      CHECK(journal->mend().value_or("?") == "");
      journal = fail(Blame::missing, "closed");
      const auto again = open(directory);
      REQUIRE_MESSAGE(again, again.error().message);
      CHECK(again->damage() == "");
      CHECK(again->open_injections().size() == (asked ? 2 : 3));
    }
  }
}

TEST_CASE("a directory that others can change is no place for a journal") {
  const Directory above("/dev/shm");
  const auto directory = above.path() / "run";
  fs::create_directory(directory);
  const auto refused = [&](const fs::path& path, const std::string& why) {
    const auto journal = open(path);
    REQUIRE_FALSE(journal.has_value());
    CHECK_MESSAGE(journal.error().message.find(why) != std::string::npos, journal.error().message);
  };
  for (const mode_t mode : {0777, 0770, 01777}) {
    REQUIRE(::chmod(directory.c_str(), mode) == 0);
    refused(directory, "writable by others");
  }
  REQUIRE(::chmod(directory.c_str(), 0755) == 0);
  CHECK(open(directory));
  fs::create_directory_symlink(directory, above.path() / "link");
  refused(above.path() / "link", "link");
  refused(above.path() / "link/", "link");
  REQUIRE(::chmod(above.path().c_str(), 0777) == 0);
  refused(directory, above.path().string());
  REQUIRE(::chmod(above.path().c_str(), 01777) == 0);  // as /tmp
  CHECK(open(directory));
  if (::geteuid() != 0) return;
  REQUIRE(::chown(directory.c_str(), 65534, 65534) == 0);
  refused(directory, "belongs to user 65534");
}

TEST_CASE("a journal that can't be written anew refuses the next record and says why") {
  const Directory above("/dev/shm");
  const auto directory = above.path() / "run";
  auto journal = open(directory);
  REQUIRE(journal);
  REQUIRE(journal->append(injection("aaaaaaaa")));
  REQUIRE(::chmod(directory.c_str(), 0777) == 0);
  CHECK_FALSE(journal->mend().has_value());
  const auto refused = journal->append(injection("bbbbbbbb"));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("writable by others") != std::string::npos);
}

TEST_CASE("a journal in memory is read by whoever has its descriptor") {
  const Fd file(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(file);
  {
    auto journal = Journal::in_memory(Fd(::dup(file.get())));
    REQUIRE(journal);
    CHECK_FALSE(journal->was_there());
    REQUIRE(journal->append(injection("aaaaaaaa")));
    REQUIRE(journal->append(injection("bbbbbbbb")));
    for (int round = 0; round < 2000; ++round)
      for (const auto step : {Step::active, Step::reverted}) REQUIRE(journal->append(injection("cccccccc", step)));
    REQUIRE(journal->append(injection("aaaaaaaa", Step::reverted)));
  }
  struct stat info {};
  REQUIRE(::fstat(file.get(), &info) == 0);
  CHECK(info.st_size < (1 << 20));
  const auto again = Journal::in_memory(Fd(::dup(file.get())));
  REQUIRE(again);
  CHECK(again->was_there());
  CHECK(again->damage() == "");
  REQUIRE(again->open_injections().size() == 1);
  CHECK(again->open_injections()[0].id == "bbbbbbbb");
}
