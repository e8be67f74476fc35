#include "injector/host/written_value.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/record.hpp"
#include "injector/host/files.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace arashi;
using namespace arashi::testing;

namespace {

namespace fs = std::filesystem;

// A directory of files such as a cgroup's or a folder of sysctls.
class Limits {
 public:
  Limits() {
    fs::create_directory(at());
    set("cpu.max", "90000 100000");
    set("memory.max", "4194304");
  }
  [[nodiscard]] fs::path at() const { return directory_.path() / "limits"; }
  void set(const char* name, const std::string& text) const { std::ofstream(at() / name) << text << '\n'; }
  [[nodiscard]] std::string get(const char* name) const {
    std::ifstream file(at() / name);
    std::string line;
    std::getline(file, line);
    return line;
  }
  [[nodiscard]] std::vector<WrittenValue> noted() const {
    std::vector<WrittenValue> values;
    for (const auto& [name, ours] : {std::pair{"cpu.max", "50000 100000"}, std::pair{"memory.max", "1048576"}}) {
      auto value = note_value(at() / name, ours);
      REQUIRE(value.has_value());
      values.push_back(std::move(value).value());
    }
    return values;
  }

 private:
  Directory directory_;
};

bool is_drifted(const Result<void>& done) { return !done && done.error().code == Code::drifted; }

}  // namespace

TEST_CASE("written values: noted, written, read back, put back, and put back again") {
  const Limits limits;
  const auto values = limits.noted();
  CHECK(limits.get("cpu.max") == "90000 100000");  // to note changes nothing
  CHECK(restore_values(values).has_value());       // never written
  CHECK(are_written(values).value() == false);
  REQUIRE(write_values(values).has_value());
  CHECK(limits.get("cpu.max") == "50000 100000");
  CHECK(limits.get("memory.max") == "1048576");
  CHECK(are_written(values).value());
  REQUIRE(write_values(values).has_value());  // half of it may have been done before
  for (int time = 0; time < 2; ++time) {
    REQUIRE(restore_values(values).has_value());
    CHECK(limits.get("cpu.max") == "90000 100000");
    CHECK(limits.get("memory.max") == "4194304");
  }
}

TEST_CASE("written values: the record is all that a revert needs") {
  const Limits limits;
  const auto values = limits.noted();
  REQUIRE(write_values(values).has_value());
  const auto text = to_text(print_record(values));
  const auto read = read_record<std::vector<WrittenValue>>(parse_json(text).value());
  REQUIRE(read.has_value());
  CHECK(*read == values);
  REQUIRE(restore_values(*read).has_value());
  CHECK(limits.get("memory.max") == "4194304");
}

TEST_CASE("written values: what somebody else has written stays and is told, and the others are put back") {
  const Limits limits;
  const auto values = limits.noted();
  REQUIRE(write_values(values).has_value());
  limits.set("memory.max", "2097152");
  CHECK(are_written(values).value() == false);
  const auto done = restore_values(values);
  REQUIRE(is_drifted(done));
  CHECK(done.error().message.find("memory.max") != std::string::npos);
  CHECK(done.error().message.find("2097152") != std::string::npos);
  CHECK(limits.get("memory.max") == "2097152");
  CHECK(limits.get("cpu.max") == "90000 100000");
}

TEST_CASE("written values: somebody else's value is not overwritten when it came between looking and writing") {
  const Limits limits;
  const auto values = limits.noted();
  limits.set("memory.max", "2097152");
  const auto done = write_values(values);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().blame == Blame::refused);
  CHECK(limits.get("memory.max") == "2097152");
  CHECK(is_drifted(restore_values(values)));
  CHECK(limits.get("cpu.max") == "90000 100000");  // that one had been written
}

TEST_CASE("written values: a directory of the same name that was made since is not ours") {
  const Limits limits;
  const auto values = limits.noted();
  REQUIRE(write_values(values).has_value());
  fs::rename(limits.at(), limits.at().string() + ".old");
  CHECK(restore_values(values).has_value());
  CHECK(are_written(values).error().blame == Blame::missing);
  fs::create_directory(limits.at());
  limits.set("cpu.max", "50000 100000");
  limits.set("memory.max", "1048576");
  CHECK(restore_values(values).has_value());
  CHECK(limits.get("cpu.max") == "50000 100000");
  const auto done = write_values(values);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().blame == Blame::missing);
}

TEST_CASE("written values: nothing to do is refused, and so is a file that is not there") {
  const Limits limits;
  CHECK(note_value(limits.at() / "memory.max", "4194304").error().blame == Blame::input);
  CHECK(note_value(limits.at() / "none", "1").error().blame == Blame::missing);
}
