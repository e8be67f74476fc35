#include "agent/http/server.hpp"

#include "agent/http/tls.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <type_traits>

namespace arashi::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Code = boost::system::error_code;
using Local = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;
using LocalStream = beast::basic_stream<Local>;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// How many connections a listener has; the listener goes on accepting when one of them ends.
struct Door {
  std::size_t open = 0;
  std::function<void()> one_closed;
};

class Seat {
 public:
  explicit Seat(std::shared_ptr<Door> door) : door_(std::move(door)) { ++door_->open; }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() {
    --door_->open;
    if (door_->one_closed) door_->one_closed();
  }

 private:
  std::shared_ptr<Door> door_;
};

// One connection: request, answer, request, ... It lives by the callbacks that hold it.
template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(Stream stream, Peer peer, const Limits& limits, const Handler& handler, std::shared_ptr<Door> door)
      : stream_(std::move(stream)), peer_(std::move(peer)), limits_(limits), handler_(handler), seat_(std::move(door)) {}

  void start() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      patience(limits_.handshake);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](Code error) {
        if (error) return;
        self->read_certificate();
        self->wait_for_request();
      });
    } else {
      wait_for_request();
    }
  }

 private:
  void read_certificate() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      auto subject = peer_certificate(stream_.native_handle());
      peer_.name = std::move(subject.name);
      peer_.roles = std::move(subject.roles);
    }
  }

  void patience(Duration time) { beast::get_lowest_layer(stream_).expires_after(time); }

  // The first bytes may be long in coming; the rest may not (a peer that sends a byte a minute would hold its seat for ever).
  void wait_for_request() {
    parser_.emplace();
    parser_->header_limit(limits_.header);
    parser_->body_limit(limits_.body);
    patience(limits_.idle);
    beast::http::async_read_some(stream_, buffer_, *parser_, [self = this->shared_from_this()](Code error, std::size_t) {
      if (error || self->parser_->is_done()) return self->got_request(error);
      self->patience(self->limits_.request);
      beast::http::async_read(self->stream_, self->buffer_, *self->parser_,
                              [self](Code rest_error, std::size_t) { self->got_request(rest_error); });
    });
  }

  void got_request(Code error) {
    namespace bh = beast::http;
    if (error == bh::error::end_of_stream) return close();
    if (error == bh::error::body_limit) return refuse(413, "a request's body may have at most " + std::to_string(limits_.body) + " bytes");
    if (error == bh::error::header_limit)
      return refuse(431, "a request's header may have at most " + std::to_string(limits_.header) + " bytes");
    if (error && error.category() == bh::make_error_code(bh::error::bad_method).category())
      return refuse(400, "not HTTP/1.1: " + error.message());
    if (error) return;  // the peer is gone or too slow
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == bh::verb::head;
    beast::get_lowest_layer(stream_).expires_never();
    handler_({.method = std::string(message.method_string()),
              .target = std::string(message.target()),
              .body = std::move(message.body()),
              .peer = peer_},
             [self = this->shared_from_this()](Response response) { self->answer(std::move(response)); });
  }

  void refuse(int status, const std::string& why) {
    keep_alive_ = false;
    answer({.status = status, .body = R"({"blame":"input","message":")" + why + "\"}"});
  }

  void answer(Response response) {
    reply_ = {};
    reply_.version(11);
    reply_.result(static_cast<unsigned>(response.status));
    reply_.set(beast::http::field::content_type, response.type);
    reply_.set(beast::http::field::cache_control, "no-store");
    for (const auto& method : response.allow) reply_.insert(beast::http::field::allow, method);
    reply_.keep_alive(keep_alive_);
    reply_.body() = std::move(response.body);
    reply_.prepare_payload();
    if (head_only_) reply_.body().clear();
    patience(limits_.reply);
    beast::http::async_write(stream_, reply_, [self = this->shared_from_this()](Code error, std::size_t) {
      if (error) return;
      self->reply_ = {};
      if (!self->keep_alive_) return self->close();
      self->wait_for_request();
    });
  }

  void close() {
    Code ignored;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      patience(limits_.handshake);
      stream_.async_shutdown([self = this->shared_from_this()](Code) {});
    } else {
      beast::get_lowest_layer(stream_).socket().shutdown(asio::socket_base::shutdown_both, ignored);
    }
  }

  Stream stream_;
  Peer peer_;
  const Limits& limits_;
  const Handler& handler_;
  Seat seat_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  beast::http::response<beast::http::string_body> reply_;
  bool keep_alive_ = false;
  bool head_only_ = false;
};

Peer peer_of(Local::socket& socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return {};
  return {.user = credentials.uid};
}

std::string plain(asio::ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address.to_string();
}

Peer peer_of(Tcp::socket& socket) {
  Code no_peer;
  Code no_place;
  const auto peer = socket.remote_endpoint(no_peer);
  const auto place = socket.local_endpoint(no_place);
  return {.address = no_peer ? "" : plain(peer.address()), .reached = no_place ? "" : plain(place.address())};
}

// Accepts while there are free seats.
template <class Protocol>
class Listener : public std::enable_shared_from_this<Listener<Protocol>> {
 public:
  using Welcome = std::function<void(typename Protocol::socket, std::shared_ptr<Door>)>;
  Listener(typename Protocol::acceptor acceptor, std::size_t seats, Welcome welcome)
      : acceptor_(std::move(acceptor)), seats_(seats), welcome_(std::move(welcome)), pause_(acceptor_.get_executor()) {}

  void start() {
    door_->one_closed = [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->accept();
    };
    accept();
  }

 private:
  void accept() {
    if (accepting_ || door_->open >= seats_) return;
    accepting_ = true;
    acceptor_.async_accept([self = this->shared_from_this()](Code error, typename Protocol::socket socket) {
      self->accepting_ = false;
      if (error == asio::error::operation_aborted) return;
      if (error) return self->accept_later();  // out of file descriptors: going on at once would be a busy loop
      self->welcome_(std::move(socket), self->door_);
      self->accept();
    });
  }

  void accept_later() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([self = this->shared_from_this()](Code error) {
      if (!error) self->accept();
    });
  }

  typename Protocol::acceptor acceptor_;
  std::size_t seats_;
  Welcome welcome_;
  asio::steady_timer pause_;
  std::shared_ptr<Door> door_ = std::make_shared<Door>();
  bool accepting_ = false;
};

// Whether somebody serves this socket file now.
bool is_served(asio::io_context& context, const std::filesystem::path& path) {
  Local::socket probe(context);
  Code error;
  probe.connect(Local::endpoint(path.string()), error);
  return !error;
}

}  // namespace

struct Server::Inside {
  Inside(Limits limits_in, Handler handler_in) : limits(limits_in), handler(std::move(handler_in)) {}
  Limits limits;
  Handler handler;
  std::vector<std::unique_ptr<asio::ssl::context>> tls;  // before the context: sessions hold references
  asio::io_context context{1};
  std::vector<std::shared_ptr<void>> listeners;  // one without a free seat is held by nothing else

  template <class Stream>
  void welcome(Stream stream, Peer peer, std::shared_ptr<Door> door) {
    std::make_shared<Session<Stream>>(std::move(stream), std::move(peer), limits, handler, std::move(door))->start();
  }

  void watch(const std::shared_ptr<asio::posix::stream_descriptor>& descriptor, const std::function<bool()>& ready) {
    descriptor->async_wait(asio::posix::stream_descriptor::wait_read, [this, descriptor, ready](Code error) {
      if (!error && ready()) return watch(descriptor, ready);
      (void)descriptor->release();
    });
  }
};

Server::Server(Limits limits, Handler handler) : inside_(std::make_unique<Inside>(limits, std::move(handler))) {}
Server::~Server() = default;

Result<void> Server::listen_unix(const std::filesystem::path& path, unsigned mode) {
  if (path.string().size() > 107)
    return fail(Blame::input, "socket path '", path.string(), "' is longer than the 107 bytes that a unix socket may have");
  std::error_code ignored;
  if (std::filesystem::is_socket(path, ignored)) {
    if (is_served(inside_->context, path)) return fail(Blame::refused, "socket '", path.string(), "' is served by another process");
    std::filesystem::remove(path, ignored);
  }
  Code error;
  Local::acceptor acceptor(inside_->context);
  acceptor.open(Local(), error);
  const auto old_mask = umask(0777U & ~mode);  // from its first moment on nobody else may connect
  if (!error) acceptor.bind(Local::endpoint(path.string()), error);
  umask(old_mask);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Blame::system, "listen on '", path.string(), "': ", error.message());
  auto* inside = inside_.get();
  auto listener = std::make_shared<Listener<Local>>(
      std::move(acceptor), inside->limits.connections, [inside](Local::socket socket, std::shared_ptr<Door> door) {
        auto peer = peer_of(socket);
        inside->welcome<LocalStream>(LocalStream(std::move(socket)), std::move(peer), std::move(door));
      });
  listener->start();
  inside->listeners.push_back(std::move(listener));
  return {};
}

Result<std::string> Server::listen_tcp(const std::string& address, std::uint16_t port, const std::optional<Tls>& tls) {
  Code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return fail(Blame::input, "'", address, "' is no IP address to listen on");
  const Tcp::endpoint endpoint(ip, port);
  Tcp::acceptor acceptor(inside_->context);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Blame::system, "listen on ", address, " port ", port, ": ", error.message());
  std::ostringstream where;
  where << acceptor.local_endpoint(error);
  auto* inside = inside_.get();
  asio::ssl::context* keys = nullptr;
  if (tls) keys = inside->tls.emplace_back(TRY(tls_context(*tls))).get();
  auto listener = std::make_shared<Listener<Tcp>>(
      std::move(acceptor), inside->limits.connections, [inside, keys](Tcp::socket socket, std::shared_ptr<Door> door) {
        Code ignored;
        socket.set_option(Tcp::no_delay(true), ignored);
        auto peer = peer_of(socket);
        if (keys != nullptr)
          inside->welcome<TlsStream>(TlsStream(std::move(socket), *keys), std::move(peer), std::move(door));
        else
          inside->welcome<beast::tcp_stream>(beast::tcp_stream(std::move(socket)), std::move(peer), std::move(door));
      });
  listener->start();
  inside->listeners.push_back(std::move(listener));
  return where.str();
}

void Server::watch(int fd, const std::function<bool()>& ready) {
  inside_->watch(std::make_shared<asio::posix::stream_descriptor>(inside_->context, fd), ready);
}

void Server::run() { inside_->context.run(); }
void Server::stop() { inside_->context.stop(); }

}  // namespace arashi::http
