#include "agent/api.hpp"

#include "agent/channel.hpp"
#include "agent/confine.hpp"
#include "agent/http/server.hpp"
#include "agent/protocol/protocol.hpp"
#include "agent/routes.hpp"
#include "agent/say.hpp"
#include "injector/host/files.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <map>

namespace arashi {

namespace {

http::Response refusal(int status, const Error& error) { return {.status = status, .body = protocol::print(protocol::reply_of(error))}; }

class Api {
 public:
  explicit Api(Options options)
      : options_(std::move(options)),
        server_({}, [this](http::Request request, http::Respond respond) { take(std::move(request), std::move(respond)); }) {}

  int run() {
    const auto tcp = listen();
    if (!tcp) return give_up(tcp.error());
    const auto parent = getppid();
    if (const auto confined = confine({}); !confined) return give_up(confined.error());
    if (getppid() != parent) return 1;
    server_.watch(options_.channel_fd, [this] { return read_answers(); });
    tell({.method = "READY", .path = *tcp});
    server_.run();
    return 0;
  }

 private:
  Result<std::string> listen() {
    TRY(server_.listen_unix(options_.socket, 0600));
    if (options_.listen.empty()) return std::string();
    const auto endpoint = parse_endpoint(options_.listen);
    if (!endpoint) return fail(Blame::input, "--listen '", options_.listen, "': must be ADDRESS:PORT, such as 10.0.0.3:7340 or [::1]:7340");
    http::Tls tls;
    tls.ca = TRY(read_text(options_.ca));
    tls.certificate = TRY(read_text(options_.certificate));
    tls.key = TRY(read_text(options_.key));
    return server_.listen_tcp(endpoint->address, endpoint->port, tls);
  }

  int give_up(const Error& error) {
    tell({.method = "FAILED", .body = protocol::print(protocol::reply_of(error))});
    return 1;
  }

  // Roles are a matter of certificates. Over the unix socket, whose file only its owner may open, there is one: everything.
  static bool is_allowed(const http::Peer& peer, Right right) {
    if (peer.user) return *peer.user == 0 || *peer.user == owner_;
    return may(peer.roles, right);
  }

  void take(http::Request request, http::Respond respond) {
    NoRoute why;
    const auto* entry = find_route(request.method, request.target, why);
    if (entry == nullptr) {
      auto response = refusal(why.status, {.message = why.message, .blame = why.status == 404 ? Blame::missing : Blame::input});
      response.allow = std::move(why.allow);
      return respond(std::move(response));
    }
    if (!is_allowed(request.peer, entry->right))
      return respond(
          refusal(403, fail(Code::not_allowed, entry->path, " takes the right to ", name_of(entry->right), ", which ",
                            request.peer.user ? "user " + std::to_string(*request.peer.user) : "certificate '" + request.peer.name + "'",
                            " does not have")
                           .error));
    std::string body;
    if (entry->canonical != nullptr) {
      auto canonical = entry->canonical(request.body);
      if (!canonical) return respond(refusal(protocol::http_status(canonical.error().blame), canonical.error()));
      body = *std::move(canonical);
    }
    const auto id = ++last_id_;
    waiting_.emplace(id, std::move(respond));
    tell({.id = id,
          .method = std::string(entry->method),
          .path = std::string(entry->path),
          .body = std::move(body),
          .peer = std::move(request.peer.address),
          .reached = std::move(request.peer.reached)});
  }

  // The injector process always reads, so this waits for long only when that one is stuck, and then there is nothing else to do.
  void tell(const Call& call) {
    auto bytes = encode(call);
    while (!bytes.empty()) {
      if (!send_from(bytes, options_.channel_fd)) return server_.stop();
      pollfd wait{.fd = options_.channel_fd, .events = POLLOUT, .revents = 0};
      if (!bytes.empty()) (void)poll(&wait, 1, -1);
    }
  }

  bool read_answers() {
    const auto open = receive_into(frames_, options_.channel_fd);
    for (;;) {
      const auto frame = frames_.next();
      if (!frame || !frame->has_value()) break;
      auto answer = decode_answer(**frame);
      if (!answer) break;
      const auto found = waiting_.find(answer->id);
      if (found == waiting_.end()) continue;
      const auto respond = std::move(found->second);
      waiting_.erase(found);
      respond({.status = answer->status, .type = std::move(answer->type), .body = std::move(answer->body)});
    }
    if (open && *open) return true;
    server_.stop();  // the injector process is gone; so are we, before the next one starts its own
    return false;
  }

  inline static const std::uint32_t owner_ = geteuid();  // before confine()
  const Options options_;
  http::Server server_;
  Frames frames_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, http::Respond> waiting_;
};

}  // namespace

int run_api(const Options& options) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGINT, SIG_IGN);   // a terminal's: the supervisor sees it too and ends us in order
  (void)std::signal(SIGTERM, SIG_IGN);  // a service manager's, the same; we answer until the injector process is gone
  const int code = Api(options).run();
  _exit(code);  // sessions that wait for an answer have no destructor worth waiting for
}

}  // namespace arashi
