#include "experiments/spec/parse.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace arashi;

namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "arashi-spec-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string reason(const std::string& file) {
  const auto read = spec::read_spec(file);
  return read ? "" : read.error().message;
}

}  // namespace

TEST_CASE("a spec file is read as it is") {
  const Folder folder;
  const auto file = folder.path / "a.yaml";
  std::ofstream(file) << "a: 1\n";
  const auto read = spec::read_spec(file);
  REQUIRE(read);
  CHECK(*read == "a: 1\n");
}

TEST_CASE("what is no spec file is refused with a reason, and without waiting for it or reading it") {
  const Folder folder;
  CHECK(reason((folder.path / "none.yaml").string()).find("No such file or directory") != std::string::npos);
  CHECK(reason(folder.path.string()).find("is a directory") != std::string::npos);
  const auto fifo = folder.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(reason(fifo.string()).find("is not a regular file") != std::string::npos);
  CHECK(reason("/dev/zero").find("is not a regular file") != std::string::npos);
  const auto huge = folder.path / "huge.yaml";
  std::ofstream(huge) << "a";
  std::filesystem::resize_file(huge, 100U << 20U);
  CHECK(reason(huge.string()).find("is 104857600 bytes long: at most 1M is read") != std::string::npos);
}
