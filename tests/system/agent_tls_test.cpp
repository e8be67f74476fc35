// Mutual TLS, with certificates made by openssl and requests made by curl.
#include "agent/http/ask.hpp"
#include "experiments/fleet/awaited.hpp"
#include "experiments/fleet/fleet.hpp"
#include "injector/core/id.hpp"
#include "tests/support/agent.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

class Authority {
 public:
  Authority() {
    make_ca("ca");
    make_ca("other");
    issue("agent", "ca", "role=agent", "serverAuth", 2);
    issue("runner", "ca", "role=runner", "clientAuth", 2);
    issue("halter", "ca", "role=halt-only", "clientAuth", 2);
    issue("nobody", "ca", "nothing", "clientAuth", 2);
    issue("expired", "ca", "role=runner", "clientAuth", -1);
    issue("stranger", "other", "role=runner", "clientAuth", 2);
    issue("late", "ca", "role=agent", "serverAuth", -1);
  }
  // A folder as --pki takes it.
  [[nodiscard]] std::string folder(const std::string& who, const std::string& authority) const {
    const auto made = directory_.path() / (who + "-by-" + authority);
    std::filesystem::create_directory(made);
    for (const auto& [from, to] : {std::pair(authority + ".pem", "ca.pem"), {who + ".pem", "cert.pem"}, {who + ".key", "key.pem"}})
      std::filesystem::copy_file(file(from), made / to);
    return made;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

 private:
  void must(std::vector<std::string> argv) {
    const auto ran = run(std::move(argv));
    REQUIRE_MESSAGE(ran.exit_code == 0, ran.output);
  }
  void make_key(const std::string& name) { must({"openssl", "genpkey", "-algorithm", "ED25519", "-out", file(name + ".key")}); }
  void make_ca(const std::string& name) {
    make_key(name);
    must({"openssl", "req", "-x509", "-key", file(name + ".key"), "-subj", "/CN=" + name, "-days", "3", "-out", file(name + ".pem")});
  }
  void issue(const std::string& name, const std::string& authority, const std::string& unit, const std::string& use, int days) {
    make_key(name);
    std::ofstream(file(name + ".ext")) << "extendedKeyUsage=" << use << "\nsubjectAltName=IP:127.0.0.1\n";
    must({"openssl", "req", "-new", "-key", file(name + ".key"), "-subj", "/OU=" + unit + "/CN=" + name, "-out", file(name + ".csr")});
    must({"openssl", "x509", "-req", "-in", file(name + ".csr"), "-CA", file(authority + ".pem"), "-CAkey", file(authority + ".key"),
          "-CAcreateserial", "-days", std::to_string(days), "-extfile", file(name + ".ext"), "-out", file(name + ".pem")});
  }
  Directory directory_;
};

struct Secured {
  explicit Secured(const std::string& certificate = "agent")
      : agent({"--listen", "127.0.0.1:0", "--ca", authority.file("ca.pem"), "--certificate", authority.file(certificate + ".pem"), "--key",
               authority.file(certificate + ".key")}) {}

  Authority authority;
  Agent agent;
  std::string where = agent.ready_line().substr(agent.ready_line().rfind(' ') + 1);

  // The HTTP status, "000" when there was no answer.
  [[nodiscard]] std::string ask(const std::string& who, const std::string& path, const std::string& body = "",
                                std::vector<std::string> more = {}) const {
    std::vector<std::string> argv{"curl", "-s", "-o", "/dev/null", "-m", "10", "-w", "%{http_code}", "--cacert", authority.file("ca.pem")};
    if (!who.empty()) argv.insert(argv.end(), {"--cert", authority.file(who + ".pem"), "--key", authority.file(who + ".key")});
    if (!body.empty()) argv.insert(argv.end(), {"-d", body});
    argv.insert(argv.end(), more.begin(), more.end());
    argv.push_back("https://" + where + path);
    return run(argv, 20s).output;
  }
};

const std::string lease = R"({"experiment":"tls","ttl":5000000000})";
const std::string halt = R"({"experiment":""})";

}  // namespace

TEST_CASE("over TCP only a certificate of the authority gets an answer, and only as far as its role goes") {
  const Secured secured;
  CHECK(secured.agent.ready_line().starts_with("ready "));
  CHECK(secured.ask("runner", "/v1/about") == "200");
  CHECK(secured.ask("runner", "/v1/lease", lease) == "200");
  CHECK(secured.ask("halter", "/v1/status") == "200");
  CHECK(secured.ask("halter", "/v1/halt", halt) == "200");
  CHECK(secured.ask("halter", "/v1/lease", lease) == "403");
  CHECK(secured.ask("halter", "/v1/inject", "{}") == "403");
  CHECK(secured.ask("nobody", "/metrics") == "200");
  CHECK(secured.ask("nobody", "/v1/halt", halt) == "403");
  CHECK(secured.ask("", "/healthz") == "000");
  CHECK(secured.ask("stranger", "/healthz") == "000");
  CHECK(secured.ask("expired", "/healthz") == "000");
  CHECK(secured.ask("runner", "/healthz", "", {"--tls-max", "1.2"}) == "000");
  // An agent's own certificate is for serving: nobody becomes a runner with it.
  CHECK(secured.ask("agent", "/healthz") == "000");
  CHECK(run({"curl", "-s", "-m", "5", "http://" + secured.where + "/healthz"}).exit_code != 0);
  CHECK(secured.agent.answers());
}

TEST_CASE("what is wrong with a certificate, and what to do about it, is told to whoever runs arashi") {
  struct Wrong {
    std::string who, authority, says;
    std::string agent = "agent", host = "127.0.0.1";
  };
  const Wrong table[] = {{"stranger", "ca", "does not know the authority that made"},
                         {"expired", "ca", "-by-ca/cert.pem has expired"},
                         {"agent", "ca", "-by-ca/cert.pem lacks the role 'runner'"},
                         {"runner", "other", "the agent's certificate is not of"},
                         {"runner", "ca", "the agent's certificate has: make a new one", "late"},
                         {"runner", "ca", "name the agent as its certificate does", "agent", "localhost"}};
  for (const auto& wrong : table) {
    const Secured secured(wrong.agent);
    const auto address = wrong.host + secured.where.substr(secured.where.rfind(':'));
    const auto told =
        run({BIN_DIR "/arashi", "status", "--agents", address, "--pki", secured.authority.folder(wrong.who, wrong.authority)});
    INFO(told.output);
    CHECK(told.exit_code == 3);
    CHECK(told.output.find(wrong.says) != std::string::npos);
  }
}

TEST_CASE("peers that open connections and say nothing do not keep a halt out") {
  const Secured secured;
  const auto host = secured.where.substr(0, secured.where.rfind(':'));
  const auto port = secured.where.substr(secured.where.rfind(':') + 1);
  std::vector<Child> silent;
  silent.reserve(40);
  for (int index = 0; index < 40; ++index) silent.push_back(spawn({.argv = {"nc", host, port}, .piped_input = true}));
  CHECK(secured.ask("halter", "/v1/halt", halt) == "200");
}

TEST_CASE("certificates that are replaced while a run goes on are used for its next connection") {
  const Secured secured;
  const std::filesystem::path pki = secured.authority.folder("stranger", "ca");
  const auto agent = fleet::reach(fleet::Loop::start().value(), fleet::parse_address(secured.where, pki).value());
  const auto ask = [&] { return fleet::answer_of<protocol::StatusReply>([&](auto then) { agent->status(then); }); };
  CHECK_FALSE(ask());
  const auto replace = [&](const std::string& with, const std::string& name) {
    std::filesystem::copy_file(secured.authority.file(with), pki / (name + ".new"));
    std::filesystem::rename(pki / (name + ".new"), pki / name);
  };
  replace("runner.pem", "cert.pem");  // for a moment it does not fit the key: the former ones stay in use
  CHECK_FALSE(ask());
  replace("runner.key", "key.pem");
  const auto reply = ask();
  CHECK_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
}
