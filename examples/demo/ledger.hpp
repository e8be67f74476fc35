// The wallet's door to the ledger (Redis): moves money between accounts, each transfer once and whole or not at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct redisContext;

namespace demo {

struct Transfer {
  std::string key;  // the same key moves the money once, however often it is asked for
  std::uint64_t from = 0, to = 0, amount = 0;
};

enum class Booked { moved, repeated, short_of_money, no_account, ledger_down };

// Thread-safe: each call takes a connection of its own from a pool.
class Ledger {
 public:
  Ledger(std::string host, int port) : host_(std::move(host)), port_(port) {}

  // At most two tries with 600 ms each; the second is safe because of the key.
  Booked book(const Transfer& transfer);
  bool answers();

 private:
  struct Close {
    void operator()(redisContext* connection) const;
  };
  using Connection = std::unique_ptr<redisContext, Close>;
  Connection take();
  void give_back(Connection connection);
  Booked try_once(const Transfer& transfer);

  std::string host_;
  int port_;
  std::mutex mutex_;
  std::vector<Connection> idle_;
};

}  // namespace demo
