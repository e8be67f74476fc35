#include "experiments/fleet/fleet.hpp"

#include "experiments/fleet/descriptors.hpp"
#include "experiments/fleet/loop.hpp"
#include "experiments/fleet/wire.hpp"
#include "experiments/stop_scope.hpp"
#include "injector/core/json.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace arashi::fleet {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration patience_to_inject = seconds(20);
constexpr Duration patience_to_read = seconds(10);    // about, resolve, prepare, status: reads only, but a busy machine is slow
constexpr Duration patience_to_revert = seconds(10);  // asked again after that; the agent goes on by itself meanwhile

// What curl and OpenSSL say of certificates, and what to do about it; "PKI" stands for the folder given by --pki.
struct TlsAdvice {
  std::string_view said, advice;
};
constexpr std::array tls_advice{
    TlsAdvice{"alert unknown ca", "the agent does not know the authority that made PKI/cert.pem: take one of the agent's own authority"},
    TlsAdvice{"alert certificate expired", "PKI/cert.pem has expired: make a new one (arashi pki runner)"},
    TlsAdvice{"alert unsupported certificate", "PKI/cert.pem lacks the role 'runner': make one (arashi pki runner)"},
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
  auto said = protocol::parse<protocol::ErrorReply>(reply.body);
  if (said) return because(protocol::error_of(*std::move(said)), "agent ", agent);
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
  return fail(Code::other_version, "agent ", agent, " (release ", release, ") speaks protocol ", theirs, ", this arashi (release ",
              ARASHI_VERSION, ") speaks protocol ", protocol::version, "; update the ", older ? "agent" : "runner");
}

Unexpected<Error> unreachable(const Address& address, const Error& cause) {
  if (!address.unix_socket.empty() && ::access(address.unix_socket.c_str(), F_OK) != 0)
    // Not Blame::missing, which is an agent's answer: what was asked of one that died meanwhile may have been done.
    return fail(Blame::system, "agent ", address.name, ": nothing runs here: there is no '", address.unix_socket,
                "'. Start arashi-agent, or name others by --agents");
  const Error advised{.message = cause.message + advice_on(cause.message, std::filesystem::path(address.ca).parent_path()),
                      .blame = cause.blame,
                      .code = cause.code};
  return because(advised, "agent ", address.name, address.unix_socket.empty() ? "" : " on '" + address.unix_socket + "'");
}

// What an agent said, or why it said nothing of use.
Result<HttpReply> answer_of(const Address& address, Result<HttpReply> reply) {
  if (!reply) return unreachable(address, reply.error());
  if (reply->status >= 400) return refusal(address.name, *reply);
  return reply;
}

template <class Reply>
Result<Reply> understood(const Address& address, const HttpReply& reply, const char* path) {
  auto parsed = protocol::parse<Reply>(reply.body);
  if (!parsed) return fail(Blame::system, "agent ", address.name, ": its answer to ", path, " is not understood: ", parsed.error().message);
  return parsed;
}

class NodeAgent : public Agent {
 public:
  NodeAgent(std::shared_ptr<Loop> loop, Address address)
      : Agent(std::move(loop)), address_(std::make_shared<const Address>(std::move(address))), peer_(std::make_shared<Peer>()) {
    if (!address_->url.empty()) peer_->keys = this->loop().keys(address_->ca, address_->certificate, address_->key);
  }

  [[nodiscard]] const std::string& name() const override { return address_->name; }

  void about(Then<protocol::About> then, Terms terms) override {
    send({"/v1/about", "", Urgency::rest, patience_to_read}, std::move(terms),
         [address = address_, then = std::move(then)](Result<HttpReply> reply) {
           if (!reply) return then(pass(reply.error()));
           const auto same = same_version(address->name, reply->body);
           then(same ? understood<protocol::About>(*address, *reply, "/v1/about") : pass(same.error()));
         });
  }
  void capabilities(Then<protocol::CapabilitiesReply> then, Terms terms) override {
    ask({"/v1/capabilities", "", Urgency::rest, patience_to_read}, std::move(terms), std::move(then));
  }
  void resolve(const Selector& selector, Then<protocol::ResolveReply> then, Terms terms) override {
    ask({"/v1/resolve", protocol::print(protocol::ResolveRequest{selector}), Urgency::rest, patience_to_read}, std::move(terms),
        std::move(then));
  }
  void prepare(const protocol::InjectRequest& request, Then<protocol::PrepareReply> then, Terms terms) override {
    ask({"/v1/prepare", protocol::print(request), Urgency::rest, patience_to_read}, std::move(terms), std::move(then));
  }
  void inject(const protocol::InjectRequest& request, Then<protocol::InjectReply> then, Terms terms) override {
    ask({"/v1/inject", protocol::print(request), Urgency::rest, patience_to_inject}, std::move(terms), std::move(then));
  }
  void status(Then<protocol::StatusReply> then, Terms terms) override {
    ask({"/v1/status", "", Urgency::rest, patience_to_read}, std::move(terms), std::move(then));
  }
  void lease(const protocol::LeaseRequest& request, Then<protocol::LeaseReply> then, Terms terms) override {
    // A renewal that takes longer than a third of its life is given up and sent again, over a new connection.
    const Duration patience = std::max<Duration>(request.ttl / 3, milliseconds(200));
    ask({"/v1/lease", protocol::print(request), Urgency::lease, patience}, std::move(terms), std::move(then));
  }
  void revert(const protocol::RevertRequest& request, Then<protocol::RevertReply> then, Terms terms) override {
    ask({"/v1/revert", protocol::print(request), Urgency::revert, patience_to_revert}, std::move(terms), std::move(then));
  }
  void halt(const protocol::HaltRequest& request, Then<protocol::RevertReply> then, Terms terms) override {
    ask({"/v1/halt", protocol::print(request), Urgency::revert, patience_to_revert}, std::move(terms), std::move(then));
  }

 private:
  struct Question {
    const char* path;
    std::string body;  // empty: GET
    Urgency urgency;
    Duration patience;  // unless the asker has another
  };

  template <class Reply>
  void ask(Question question, Terms terms, Then<Reply> then) {
    const char* path = question.path;
    send(std::move(question), std::move(terms), [address = address_, path, then = std::move(then)](const Result<HttpReply>& reply) {
      then(reply ? understood<Reply>(*address, *reply, path) : pass(reply.error()));
    });
  }

  void send(Question question, Terms terms, std::function<void(Result<HttpReply>)> then) {
    auto transfer = std::make_unique<Transfer>();
    auto& request = transfer->request;
    request.method = question.body.empty() ? "GET" : "POST";
    request.url = (address_->url.empty() ? "http://agent" : address_->url) + question.path;
    request.body = std::move(question.body);
    request.unix_socket = address_->unix_socket;
    request.timeout = terms.patience > Duration::zero() ? terms.patience : question.patience;
    if (!request.body.empty()) request.headers["content-type"] = "application/json";
    transfer->urgency = question.urgency;
    transfer->peer = peer_;
    transfer->stop = terms.stop.stop_possible() || question.urgency != Urgency::rest ? std::move(terms.stop) : stop_here();
    transfer->then = [address = address_, then = std::move(then)](Result<HttpReply> reply) { then(answer_of(*address, std::move(reply))); };
    loop().send(std::move(transfer));
  }

  std::shared_ptr<const Address> address_;
  std::shared_ptr<Peer> peer_;
};

}  // namespace

std::shared_ptr<Agent> reach(std::shared_ptr<Loop> loop, Address address) {
  return std::make_shared<NodeAgent>(std::move(loop), std::move(address));
}

Result<AgentList> reach(std::vector<Address> addresses) {
  AgentList agents;
  if (addresses.empty()) return agents;
  TRY(make_room_for(addresses.size()));
  const auto loop = TRY(Loop::start());
  for (auto& address : addresses) agents.push_back(reach(loop, std::move(address)));
  return agents;
}

}  // namespace arashi::fleet
