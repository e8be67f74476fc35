#include "experiments/fleet/fleet.hpp"

#include "experiments/http_client.hpp"
#include "injector/core/json.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <utility>

namespace arashi::fleet {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view default_port = "7340";
constexpr Duration patience_to_read = seconds(10);    // about, resolve, prepare, status: reads only, but a busy machine is slow
constexpr Duration patience_to_revert = seconds(10);  // asked again after that; the agent goes on by itself meanwhile

// What curl and OpenSSL say of certificates, and what to do about it; "PKI" stands for the folder given by --pki.
struct TlsAdvice {
  std::string_view said, advice;
};
constexpr std::array tls_advice{
    TlsAdvice{"alert unknown ca", "the agent does not know the authority that made PKI/cert.pem: take one of the agent's own authority"},
    TlsAdvice{"alert certificate expired", "PKI/cert.pem has expired: make a new one (arashi pki runner)"},
    TlsAdvice{"alert unsupported certificate", "PKI/cert.pem is none of a runner: make one (arashi pki runner)"},
    TlsAdvice{"has expired", "the agent's certificate has: make a new one (arashi pki agent) and start the agent with it"},
    TlsAdvice{"not yet valid", "compare this machine's clock with the agent's"},
    TlsAdvice{"no alternative certificate subject name",
              "name the agent as its certificate does, or make it one (arashi pki agent --address)"},
    TlsAdvice{"self-signed certificate", "the agent's certificate is not of PKI/ca.pem's authority: take the agent's own"},
    TlsAdvice{"unable to get local issuer", "the agent's certificate is not of PKI/ca.pem's authority: take the agent's own"},
};

std::string advice_on(const std::string& message, const std::filesystem::path& pki) {
  const auto found = std::ranges::find_if(tls_advice, [&](const auto& one) { return message.find(one.said) != std::string::npos; });
  if (pki.empty() || found == tls_advice.end()) return "";
  std::string advice(found->advice);
  if (const auto at = advice.find("PKI"); at != std::string::npos) advice.replace(at, 3, pki.string());
  return "; " + advice;
}

// The error of an agent's answer, with the agent's name in front.
Unexpected<Error> refusal(const std::string& agent, const HttpReply& reply) {
  const auto said = protocol::parse<protocol::ErrorReply>(reply.body);
  if (said) return fail(protocol::blame_from(said->blame), "agent ", agent, ": ", said->message);
  return fail(Blame::system, "agent ", agent, " answered with HTTP status ", reply.status, ", which is not an agent's answer");
}

// Only the number, so that an answer whose other fields changed between versions is still understood as far as this.
Result<void> same_version(const std::string& agent, const std::string& body) {
  const auto json = parse_json(body);
  const bool has_number = json && json->is_object() && json->contains("protocol") && (*json)["protocol"].is_number_integer();
  if (!has_number)
    return fail(Blame::system, "agent ", agent, ": its answer to /v1/about names no protocol version; is it an arashi-agent?");
  const int theirs = (*json)["protocol"].get<int>();
  if (theirs == protocol::version) return {};
  const bool older = theirs < protocol::version;
  const std::string release =
      json->contains("release") && (*json)["release"].is_string() ? (*json)["release"].get<std::string>() : "unknown";
  return fail(Blame::refused, "agent ", agent, " (release ", release, ") speaks protocol ", theirs, ", this arashi (release ",
              ARASHI_VERSION, ") speaks protocol ", protocol::version, "; update the ", older ? "agent" : "runner");
}

// "10.0.0.3:7340", "[fd00::3]:7340", "node-a" → with the port always there.
Result<std::string> host_and_port(const std::string& text) {
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  if (bracket == std::string::npos && std::count(text.begin(), text.end(), ':') > 1)
    return fail(Blame::input, "agent address '", text, "': write an IPv6 address in brackets, as in [fd00::3]:", default_port);
  const std::string host = has_port ? text.substr(0, colon) : text;
  const std::string port = has_port ? text.substr(colon + 1) : std::string(default_port);
  const bool plain = !host.empty() && host.find_first_of("/@?# \t") == std::string::npos;
  const bool number =
      !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain || !number || std::stoi(port) < 1 || std::stoi(port) > 65535)
    return fail(Blame::input, "agent address '", text, "' is not HOST:PORT, https://HOST:PORT or unix:PATH");
  return host + ":" + port;
}

}  // namespace

Result<Address> parse_address(const std::string& text, const std::filesystem::path& pki) {
  if (text.starts_with("unix:")) {
    const std::string path = text.substr(5);
    if (path.empty() || path.front() != '/' || path.size() > 107)
      return fail(Blame::input, "agent address '", text,
                  "': the socket must be an absolute path of at most 107 bytes, as in unix:/run/arashi/agent.sock");
    return Address{.name = text, .unix_socket = path};
  }
  if (text.starts_with("http://"))
    return fail(Blame::input, "agent address '", text,
                "': agents are reached over https:// with mutual TLS only; `arashi pki` makes the certificates");
  std::string rest = text.starts_with("https://") ? text.substr(8) : text;
  if (!rest.empty() && rest.back() == '/') rest.pop_back();
  const std::string place = TRY(host_and_port(rest));
  if (pki.empty())
    return fail(Blame::input, "agent ", place, " needs --pki DIR with ca.pem, cert.pem and key.pem (see `arashi pki --help`)");
  return Address{.name = place, .url = "https://" + place, .ca = pki / "ca.pem", .certificate = pki / "cert.pem", .key = pki / "key.pem"};
}

// The connections that are warm and not in use; as many may be open as calls run at once.
struct Agent::Pool {
  Address address;
  std::mutex mutex;
  std::vector<HttpClient> idle;

  HttpClient take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return {};
    HttpClient client = std::move(idle.back());
    idle.pop_back();
    return client;
  }
  void put(HttpClient client) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(client));
  }

  Result<HttpReply> call(const char* method, const char* path, std::string body, Duration patience) {
    HttpRequest request{.method = method, .url = (address.url.empty() ? "http://agent" : address.url) + path, .body = std::move(body)};
    request.unix_socket = address.unix_socket;
    request.ca = address.ca;
    request.certificate = address.certificate;
    request.key = address.key;
    request.timeout = patience;
    if (!request.body.empty()) request.headers["content-type"] = "application/json";
    HttpClient client = take();
    auto reply = client.send(request);
    if (!reply) return unreachable(reply.error());
    put(std::move(client));  // one that failed is dropped: the next call starts with a fresh connection
    if (reply->status >= 400) return refusal(address.name, *reply);
    return reply;
  }

  Unexpected<Error> unreachable(const Error& cause) const {
    if (!address.unix_socket.empty() && access(address.unix_socket.c_str(), F_OK) != 0)
      return fail(Blame::missing, "agent ", address.name, ": nothing runs here: there is no '", address.unix_socket,
                  "'. Start arashi-agent, or name others by --agents");
    const Error advised{.message = cause.message + advice_on(cause.message, std::filesystem::path(address.ca).parent_path()),
                        .blame = cause.blame};
    return because(advised, "agent ", address.name, address.unix_socket.empty() ? "" : " on '" + address.unix_socket + "'");
  }

  template <class Reply>
  Result<Reply> get(const char* path, Duration patience) {
    return read<Reply>(call("GET", path, "", patience), path);
  }
  template <class Reply, class Request>
  Result<Reply> post(const char* path, const Request& request, Duration patience) {
    return read<Reply>(call("POST", path, protocol::print(request), patience), path);
  }
  template <class Reply>
  Result<Reply> read(Result<HttpReply> reply, const char* path) {
    if (!reply) return pass(reply.error());
    auto parsed = protocol::parse<Reply>(reply->body);
    if (!parsed)
      return fail(Blame::system, "agent ", address.name, ": its answer to ", path, " is not understood: ", parsed.error().message);
    return parsed;
  }
};

Agent::Agent(Address address) : pool_(std::make_unique<Pool>()) { pool_->address = std::move(address); }
Agent::~Agent() = default;
const std::string& Agent::name() const { return pool_->address.name; }

Result<protocol::About> Agent::about() {
  auto reply = TRY(pool_->call("GET", "/v1/about", "", patience_to_read));
  TRY(same_version(name(), reply.body));
  return pool_->read<protocol::About>(std::move(reply), "/v1/about");
}

Result<std::vector<protocol::Capability>> Agent::capabilities() {
  return TRY(pool_->get<protocol::CapabilitiesReply>("/v1/capabilities", patience_to_read)).capabilities;
}

Result<protocol::ResolveReply> Agent::resolve(const Selector& selector) {
  return pool_->post<protocol::ResolveReply>("/v1/resolve", protocol::ResolveRequest{selector}, patience_to_read);
}

Result<protocol::PrepareReply> Agent::prepare(const protocol::InjectRequest& request) {
  return pool_->post<protocol::PrepareReply>("/v1/prepare", request, patience_to_read);
}

Result<protocol::InjectReply> Agent::inject(const protocol::InjectRequest& request, Duration patience) {
  return pool_->post<protocol::InjectReply>("/v1/inject", request, patience);
}

Result<protocol::LeaseReply> Agent::lease(const protocol::LeaseRequest& request) {
  // A renewal that takes longer than a third of its life is given up and sent again, over a new connection.
  const Duration patience = std::max<Duration>(request.ttl / 3, milliseconds(200));
  return pool_->post<protocol::LeaseReply>("/v1/lease", request, patience);
}

Result<protocol::RevertReply> Agent::revert(const protocol::RevertRequest& request) {
  return pool_->post<protocol::RevertReply>("/v1/revert", request, patience_to_revert);
}

Result<protocol::RevertReply> Agent::halt(const protocol::HaltRequest& request) {
  return pool_->post<protocol::RevertReply>("/v1/halt", request, patience_to_revert);
}

Result<protocol::StatusReply> Agent::status() { return pool_->get<protocol::StatusReply>("/v1/status", patience_to_read); }

}  // namespace arashi::fleet
