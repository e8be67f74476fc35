// A unix socket that answers HTTP as it is told: for what a real agent never says.
#pragma once

#include "injector/core/fd.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace arashi::testing {

struct Canned {
  int status = 200;
  std::string body;
  bool silent = false;    // never answers
  bool hangs_up = false;  // after the answer
};

class CannedAgent {
 public:
  using Answer = std::function<Canned(const std::string& path)>;

  explicit CannedAgent(Answer answer) : answer_(std::move(answer)) {
    std::string name = "/tmp/arashi-canned-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_.get(), 16) != 0)
      std::abort();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~CannedAgent() {
    ending_ = true;
    acceptor_.join();
    for (auto& peer : peers_) peer.join();
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string socket() const { return (folder_ / "agent.sock").string(); }
  [[nodiscard]] int connections() const { return connections_; }  // all that there ever were
  [[nodiscard]] int open() const { return open_; }

 private:
  bool readable(int fd) const {
    while (!ending_) {
      pollfd wait{fd, POLLIN, 0};
      if (::poll(&wait, 1, 20) > 0) return true;
    }
    return false;
  }
  void accept_all() {
    while (readable(listener_.get())) {
      Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++connections_;
      ++open_;
      peers_.emplace_back([this, fd = peer.release()] {
        talk(Fd(fd));
        --open_;
      });
    }
  }
  void talk(Fd peer) const {
    std::string in;
    while (readable(peer.get())) {
      std::array<char, 4096> buffer;
      const ssize_t got = ::read(peer.get(), buffer.data(), buffer.size());
      if (got <= 0) return;
      in.append(buffer.data(), static_cast<std::size_t>(got));
      const auto head = in.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      const auto at = in.find("Content-Length: ");
      const std::size_t length = at < head ? std::stoul(in.substr(at + 16)) : 0;
      if (in.size() < head + 4 + length) continue;
      const auto from = in.find(' ') + 1;
      const Canned reply = answer_(in.substr(from, in.find(' ', from) - from));
      in.clear();
      if (reply.silent) continue;
      const std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nContent-Length: " + std::to_string(reply.body.size()) +
                               "\r\n\r\n" + reply.body;
      if (::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0 || reply.hangs_up) return;
    }
  }

  Answer answer_;
  std::filesystem::path folder_;
  Fd listener_;
  std::atomic<bool> ending_ = false;
  std::atomic<int> connections_ = 0, open_ = 0;
  std::vector<std::thread> peers_;
  std::thread acceptor_;
};

}  // namespace arashi::testing
