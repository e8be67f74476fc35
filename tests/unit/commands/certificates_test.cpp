#include "experiments/commands/certificates.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace arashi;
using commands::make_authority;
using commands::make_certificate;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "arashi-pki-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

// What another program, openssl, says.
std::string openssl(const std::string& arguments) {
  std::string text;
  FILE* pipe = popen(("openssl " + arguments + " 2>&1").c_str(), "re");
  REQUIRE(pipe != nullptr);
  std::array<char, 512> buffer{};
  while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) text += buffer.data();
  pclose(pipe);
  return text;
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("certificates are verified by openssl, for their purpose only") {
  const Folder folder;
  const auto pki = folder.path / "pki";
  REQUIRE(make_authority(pki, 30));
  REQUIRE(make_certificate(pki, {.name = "node-1", .role = "agent", .addresses = {"10.0.0.3", "fd00::3", "node-1.example"}, .days = 7}));
  REQUIRE(make_certificate(pki, {.name = "game-day", .role = "runner", .addresses = {}, .days = 7}));
  const auto verify = [&pki](const std::string& purpose, const std::string& name) {
    return openssl("verify -purpose " + purpose + " -CAfile " + (pki / "ca.pem").string() + " " + (pki / name / "cert.pem").string());
  };
  CHECK(contains(verify("sslserver", "node-1"), ": OK"));
  CHECK(contains(verify("sslclient", "game-day"), ": OK"));
  CHECK(contains(verify("sslclient", "node-1"), "unsuitable certificate purpose"));
  CHECK(contains(verify("sslserver", "game-day"), "unsuitable certificate purpose"));
  const auto text = openssl("x509 -noout -text -in " + (pki / "node-1/cert.pem").string());
  for (const char* part :
       {"OU = role=agent", "CN = node-1", "IP Address:10.0.0.3", "IP Address:FD00:", "DNS:node-1.example", "ASN1 OID: prime256v1"}) {
    CAPTURE(part);
    CHECK(contains(text, part));
  }
  CHECK(contains(openssl("x509 -noout -checkend 604000 -in " + (pki / "node-1/cert.pem").string()), "will not expire"));
  CHECK(contains(openssl("x509 -noout -checkend 605800 -in " + (pki / "node-1/cert.pem").string()), "will expire"));
}

TEST_CASE("keys are the owner's alone") {
  const Folder folder;
  const auto pki = folder.path / "pki";
  REQUIRE(make_authority(pki, 30));
  REQUIRE(make_certificate(pki, {.name = "game-day", .role = "runner", .addresses = {}, .days = 7}));
  CHECK(mode_of(pki) == 0700);
  CHECK(mode_of(pki / "ca-key.pem") == 0600);
  CHECK(mode_of(pki / "game-day/key.pem") == 0600);
}

TEST_CASE("nothing is overwritten, and wrong names, days and addresses are refused") {
  const Folder folder;
  const auto pki = folder.path / "pki";
  CHECK(contains(make_certificate(pki, {.name = "a", .role = "runner", .addresses = {}}).error().message, "arashi pki init"));
  REQUIRE(make_authority(pki, 30));
  CHECK(contains(make_authority(pki, 30).error().message, "exists already"));
  REQUIRE(make_certificate(pki, {.name = "a", .role = "runner", .addresses = {}}));
  CHECK(contains(make_certificate(pki, {.name = "a", .role = "runner", .addresses = {}}).error().message, "exists already"));
  CHECK(contains(make_certificate(pki, {.name = "../b", .role = "runner", .addresses = {}}).error().message, "lower-case letters"));
  CHECK(contains(make_certificate(pki, {.name = "b", .role = "runner", .addresses = {}, .days = 0}).error().message, "--days 0"));
  CHECK(contains(make_certificate(pki, {.name = "b", .role = "agent", .addresses = {"x,DNS:y"}}).error().message, "neither an IP address"));
  CHECK_FALSE(fs::exists(pki / "b"));
}
