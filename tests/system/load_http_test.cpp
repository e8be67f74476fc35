// The load generator against real nginx: HTTP/2, TLS, client certificates and templates, as nginx' access log has them.
#include "experiments/load/load.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <thread>
#include <utility>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

void must(std::vector<std::string> argv) {
  const auto ran = testing::run(std::move(argv), 30s);
  REQUIRE_MESSAGE(ran.exit_code == 0, ran.output);
}

// One nginx, a port for each way to speak to it. A line of its log: port, protocol, status, connection, client certificate, SNI, Host,
// request line and a header, body.
class Nginx {
 public:
  Nginx() {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    for (int* port : {&plain, &clear_two, &tls_one, &tls_two, &mutual, &named, &few_one, &few_two}) *port = testing::free_port();
    const std::string pki = file("pki");
    must({BIN_DIR "/arashi", "pki", "init", pki});
    must({BIN_DIR "/arashi", "pki", "agent", pki, "shop", "--address", "127.0.0.1"});
    must({BIN_DIR "/arashi", "pki", "agent", pki, "named", "--address", "shop.internal"});
    must({BIN_DIR "/arashi", "pki", "runner", pki, "me"});
    write_config();
    child_.emplace(testing::spawn({.argv = {"nginx", "-c", file("nginx.conf"), "-e", file("error.log")}}));
    const std::string url = "http://127.0.0.1:" + std::to_string(plain) + "/ready";
    REQUIRE(testing::eventually([&] { return testing::run({"curl", "-sf", "-o", "/dev/null", url}).exit_code == 0; }, 30s));
    REQUIRE(testing::eventually([&] { return std::filesystem::file_size(file("access.log")) > 0; }));
    forget();
  }
  // What it was asked until now, once it has written all of it.
  void forget() const {
    std::uintmax_t size = 0;
    const auto stands = [&] {
      const auto before = std::exchange(size, std::filesystem::file_size(file("access.log")));
      std::this_thread::sleep_for(200ms);
      return before == size;
    };
    (void)testing::eventually(stands, 5s);
    std::filesystem::resize_file(file("access.log"), 0);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (directory_.path() / name).string(); }
  // The log's fields, of each request, once there are so many: nginx writes a line when the answer is out.
  [[nodiscard]] std::vector<std::vector<std::string>> log(std::size_t at_least = 0) const {
    std::vector<std::vector<std::string>> lines;
    (void)testing::eventually([&] { return (lines = read_log()).size() >= at_least; }, 10s);
    return lines;
  }
  int plain = 0, clear_two = 0, tls_one = 0, tls_two = 0, mutual = 0, named = 0, few_one = 0,
      few_two = 0;  // few: connections end after five requests

 private:
  [[nodiscard]] std::vector<std::vector<std::string>> read_log() const {
    std::vector<std::vector<std::string>> lines;
    std::ifstream in(file("access.log"));
    for (std::string line; std::getline(in, line);) {
      std::vector<std::string>& fields = lines.emplace_back();
      for (std::size_t at = 0; at <= line.size();) {
        const auto end = std::min(line.find('|', at), line.size());
        fields.push_back(line.substr(at, end - at));
        at = end + 1;
      }
    }
    return lines;
  }
  void write_config() const {
    const auto server = [&](int port, const std::string& more, const std::string& certificate, const std::string& inside = {}) {
      std::string text = "  server { listen 127.0.0.1:" + std::to_string(port) + more + ";\n";
      if (!certificate.empty())
        text += "    ssl_certificate " + file("pki/" + certificate + "/cert.pem") + "; ssl_certificate_key " +
                file("pki/" + certificate + "/key.pem") + ";\n";
      return text + "    " + inside + "\n    location / { proxy_pass http://127.0.0.1:" + std::to_string(plain) +
             "/answer; }\n    location /answer { access_log off; return 200 ok; }\n    location /cut { return 444; }\n  }\n";
    };
    std::ofstream out(file("nginx.conf"));
    out << "daemon off; master_process on; worker_processes 1; user root; pid " << file("pid") << "; error_log " << file("error.log")
        << ";\nevents { worker_connections 4096; }\nhttp {\n  log_format all '$server_port|$server_protocol|$status|$connection|"
           "$ssl_client_verify|$ssl_server_name|$http_host|$request_method $request_uri|$http_idempotency_key|$request_body';\n"
        << "  access_log " << file("access.log") << " all;\n  keepalive_requests 1000000;\n";
    for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      out << "  " << name << "_temp_path " << file(name) << ";\n";
    const std::string client = "ssl_client_certificate " + file("pki/ca.pem") + "; ssl_verify_client on;";
    out << server(plain, "", "") << server(clear_two, " http2", "") << server(tls_one, " ssl", "shop")
        << server(tls_two, " ssl http2", "shop") << server(mutual, " ssl http2", "shop", client) << server(named, " ssl http2", "named")
        << server(few_one, " ssl", "shop", "keepalive_requests 5;") << server(few_two, " ssl http2", "shop", "keepalive_requests 5;")
        << "}\n";
  }
  testing::Directory directory_;  // outlives the child
  std::optional<Child> child_;
};

spec::Load load_to(const std::string& scheme, int port) {
  spec::Load load;
  load.name = "l";
  load.url = scheme + "://127.0.0.1:" + std::to_string(port) + "/buy";
  load.rate = {50};  // a busy machine takes no more handshakes
  return load;
}

// Until so many requests are decided, however long a busy machine takes for them.
load::Summary shoot(const spec::Load& load, std::uint64_t requests) {
  auto generator = load::Generator::start(load, {0s}, boot_now());
  REQUIRE_MESSAGE(generator, generator.error().message);
  CHECK(testing::eventually([&] { return (*generator)->summary().total >= requests; }, 30s));
  (*generator)->stop();
  return (*generator)->summary();
}

std::size_t distinct(const std::vector<std::vector<std::string>>& log, std::size_t field) {
  std::set<std::string> values;
  for (const auto& line : log) values.insert(line.at(field));
  return values.size();
}

void check_all(const std::vector<std::vector<std::string>>& log, std::size_t field, const std::string& value) {
  for (const auto& line : log) {
    if (line.at(field) == value) continue;
    FAIL_CHECK("field " << field << " is '" << line.at(field) << "' instead of '" << value << "'");
    return;
  }
}

// 499: broken off by us, at the end.
void check_answered(const std::vector<std::vector<std::string>>& log) {
  const auto of = [&](const char* status) {
    return static_cast<std::size_t>(std::ranges::count_if(log, [&](const auto& line) { return line.at(2) == status; }));
  };
  CHECK(of("200") + of("499") == log.size());
  CHECK(of("200") > log.size() / 2);
}

std::string failures(const load::Summary& summary) {
  std::string text;
  for (const auto& [why, count] : summary.failures) text += std::to_string(count) + " " + why + "\n";
  return text;
}

}  // namespace

TEST_CASE("HTTP/2 over TLS shares a connection, HTTP/1.1 does not") {
  const Nginx nginx;
  auto two = load_to("https", nginx.tls_two);
  two.http = spec::Http::two;
  two.tls.ca = nginx.file("pki/ca.pem");
  two.connections = 1;
  const auto summary = shoot(two, 100);
  CHECK_MESSAGE(summary.failures.empty(), failures(summary));
  const auto log = nginx.log(summary.total);
  REQUIRE(log.size() >= 100);
  CHECK(summary.total + 100 >= log.size());  // so many may be under way on the connection
  CHECK(summary.total <= log.size());
  check_all(log, 1, "HTTP/2.0");
  check_answered(log);
  CHECK(distinct(log, 3) == 1);

  nginx.forget();
  auto one = load_to("https", nginx.tls_two);
  one.tls.ca = two.tls.ca;
  const auto apart = shoot(one, 100);
  CHECK(apart.bad == 0);
  const auto lines = nginx.log(apart.total);
  REQUIRE(lines.size() >= 100);
  check_all(lines, 1, "HTTP/1.1");
}

TEST_CASE("HTTP/2 without TLS, by prior knowledge") {
  const Nginx nginx;
  auto load = load_to("http", nginx.clear_two);
  load.http = spec::Http::two_in_clear;
  const auto summary = shoot(load, 100);
  CHECK_MESSAGE(summary.bad == 0, failures(summary));
  const auto log = nginx.log(summary.total);
  REQUIRE(log.size() >= 100);
  check_all(log, 1, "HTTP/2.0");
  check_answered(log);
}

TEST_CASE("a server that does not speak HTTP/2 fails every request, and the reason is counted") {
  const Nginx nginx;
  auto load = load_to("https", nginx.tls_one);
  load.http = spec::Http::two;
  load.tls.ca = nginx.file("pki/ca.pem");
  const auto summary = shoot(load, 20);
  CHECK(summary.bad == summary.total);
  CHECK(summary.failures.contains("the server does not speak HTTP/2"));
}

TEST_CASE("who answers is checked, unless it is told not to") {
  const Nginx nginx;
  auto load = load_to("https", nginx.tls_one);
  const auto unknown = shoot(load, 20);
  CHECK(unknown.bad == unknown.total);
  CHECK(nginx.log().empty());
  load.tls.insecure = true;
  const auto anyone = shoot(load, 20);
  CHECK_MESSAGE(anyone.bad == 0, failures(anyone));
}

TEST_CASE("the server's name is asked for and must be in its certificate, and the Host stays the URL's") {
  const Nginx nginx;
  auto load = load_to("https", nginx.named);
  load.http = spec::Http::two;
  load.tls.ca = nginx.file("pki/ca.pem");
  const auto address = shoot(load, 20);
  CHECK(address.bad == address.total);  // the certificate is shop.internal's
  load.tls.server_name = "shop.internal";
  const auto named = shoot(load, 20);
  CHECK_MESSAGE(named.bad == 0, failures(named));
  const auto log = nginx.log(named.total);
  REQUIRE(log.size() >= 20);
  check_all(log, 5, "shop.internal");
  check_all(log, 6, "127.0.0.1:" + std::to_string(nginx.named));
}

TEST_CASE("a client's certificate is shown") {
  const Nginx nginx;
  auto load = load_to("https", nginx.mutual);
  load.http = spec::Http::two;
  load.tls.ca = nginx.file("pki/ca.pem");
  const auto nobody = shoot(load, 20);
  CHECK(nobody.bad == nobody.total);
  CHECK(nobody.failures.contains("HTTP 400"));
  nginx.forget();
  load.tls.cert = nginx.file("pki/me/cert.pem");
  load.tls.key = nginx.file("pki/me/key.pem");
  const auto me = shoot(load, 20);
  CHECK_MESSAGE(me.bad == 0, failures(me));
  const auto log = nginx.log(me.total);
  REQUIRE(log.size() >= 20);
  check_all(log, 4, "SUCCESS");
}

TEST_CASE("weights, methods, keys and data arrive as the spec has them") {
  const Nginx nginx;
  auto load = load_to("http", nginx.plain);
  load.url.clear();
  load.rate = {200};
  load.data = {.columns = {"item"}, .rows = {{"tea pot"}, {"cup"}}};
  const std::string base = "http://127.0.0.1:" + std::to_string(nginx.plain);
  load.requests = {{.url = base + "/items/{{data.item}}?n={{seq 1..3}}", .weight = 3},
                   {.url = base + "/orders",
                    .method = "POST",
                    .body = R"({"key":"{{uuid}}","n":{{request}}})",
                    .headers = {{"Idempotency-Key", "{{uuid}}"}}}};
  const auto summary = shoot(load, 610);
  CHECK_MESSAGE(summary.bad == 0, failures(summary));
  std::size_t gets = 0;
  std::set<std::string> targets, keys;
  const auto log = nginx.log(summary.total);
  for (const auto& line : log) {
    if (line.at(7).starts_with("GET ")) {
      ++gets;
      targets.insert(line.at(7));
      continue;
    }
    CHECK(line.at(7) == "POST /orders");
    CHECK(line.at(9).find(line.at(8)) != std::string::npos);  // the key of the header is the body's
    CHECK(keys.insert(line.at(8)).second);
  }
  CHECK(targets.size() == 6);
  CHECK(targets.contains("GET /items/tea%20pot?n=1"));
  REQUIRE(log.size() > 600);
  CHECK(static_cast<double>(gets) / static_cast<double>(log.size()) == doctest::Approx(0.75).epsilon(0.08));
}

// 444: nginx reads the request and ends the connection.
TEST_CASE("a request whose connection dies is bad and is sent once, over TLS too") {
  const Nginx nginx;
  struct Case {
    std::string scheme;
    int port;
    spec::Http http;
  };
  for (const Case& each : {Case{"http", nginx.plain, spec::Http::one}, Case{"https", nginx.tls_one, spec::Http::one},
                           Case{"https", nginx.tls_two, spec::Http::two}}) {
    CAPTURE(each.port);
    nginx.forget();
    auto load = load_to(each.scheme, each.port);
    const std::string base = each.scheme + "://127.0.0.1:" + std::to_string(each.port);
    load.http = each.http;
    load.tls.ca = each.scheme == "https" ? nginx.file("pki/ca.pem") : "";
    load.requests = {{.url = base + "/buy/{{request}}", .method = "POST", .body = "{{request}}", .weight = 2},
                     {.url = base + "/cut/{{request}}", .method = "POST", .body = "{{request}}"}};
    load.url.clear();
    const auto summary = shoot(load, 100);
    const auto log = nginx.log(summary.total);
    CHECK(distinct(log, 7) == log.size());
    const auto cut = std::ranges::count_if(log, [](const auto& line) { return line.at(7).starts_with("POST /cut/"); });
    CHECK(cut >= 10);
    CHECK_MESSAGE(summary.bad >= static_cast<std::uint64_t>(cut), failures(summary));
  }
}

TEST_CASE("a connection that a server ends after some requests costs none, and none is sent twice") {
  const Nginx nginx;
  for (const int port : {nginx.few_one, nginx.few_two}) {
    CAPTURE(port);
    nginx.forget();
    auto load = load_to("https", port);
    load.url += "/{{request}}";
    load.http = port == nginx.few_two ? spec::Http::two : spec::Http::one;
    load.tls.ca = nginx.file("pki/ca.pem");
    const auto summary = shoot(load, 100);
    const auto log = nginx.log(summary.total);
    CHECK(distinct(log, 7) == log.size());
    CHECK(distinct(log, 3) >= 20);
    CHECK_MESSAGE(summary.bad <= summary.total / 20, failures(summary));
  }
}
