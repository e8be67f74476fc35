#include "ledger.hpp"

#include <hiredis/hiredis.h>

#include <sys/time.h>

#include <string_view>

namespace demo {
namespace {

// One script is one atomic step of Redis: nobody sees the money between two accounts, and a killed wallet leaves none there.
constexpr const char* script = R"(
if redis.call('EXISTS', KEYS[2]) == 1 then return 'repeated' end
local balance = redis.call('HGET', KEYS[1], ARGV[1])
if not balance or redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then return 'no account' end
if tonumber(balance) < tonumber(ARGV[3]) then return 'short' end
redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[3])
redis.call('HINCRBY', KEYS[1], ARGV[2], ARGV[3])
redis.call('SET', KEYS[2], 1, 'EX', 600)
return 'moved'
)";

struct Free {
  void operator()(void* reply) const { freeReplyObject(reply); }
};

Booked meaning(std::string_view answer) {
  if (answer == "moved") return Booked::moved;
  if (answer == "repeated") return Booked::repeated;
  return answer == "short" ? Booked::short_of_money : Booked::no_account;
}

constexpr timeval connect_timeout{0, 300'000}, answer_timeout{0, 600'000};
constexpr std::size_t most_idle = 64;

}  // namespace

void Ledger::Close::operator()(redisContext* connection) const { redisFree(connection); }

Ledger::Connection Ledger::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  Connection connection(redisConnectWithTimeout(host_.c_str(), port_, connect_timeout));
  if (connection == nullptr || connection->err != 0) return nullptr;
  redisSetTimeout(connection.get(), answer_timeout);
  return connection;
}

void Ledger::give_back(Connection connection) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < most_idle) idle_.push_back(std::move(connection));
}

Booked Ledger::try_once(const Transfer& transfer) {
  Connection connection = take();
  if (connection == nullptr) return Booked::ledger_down;
  const std::unique_ptr<redisReply, Free> reply(
      static_cast<redisReply*>(redisCommand(connection.get(), "EVAL %s 2 accounts done:%s %llu %llu %llu", script, transfer.key.c_str(),
                                            static_cast<unsigned long long>(transfer.from), static_cast<unsigned long long>(transfer.to),
                                            static_cast<unsigned long long>(transfer.amount))));
  // After an error the connection may still carry the late answer: it is dropped, not reused.
  if (reply == nullptr || reply->type != REDIS_REPLY_STRING) return Booked::ledger_down;
  give_back(std::move(connection));
  return meaning({reply->str, static_cast<std::size_t>(reply->len)});
}

Booked Ledger::book(const Transfer& transfer) {
  const Booked first = try_once(transfer);
  return first == Booked::ledger_down ? try_once(transfer) : first;
}

bool Ledger::answers() {
  Connection connection = take();
  if (connection == nullptr) return false;
  const std::unique_ptr<redisReply, Free> reply(static_cast<redisReply*>(redisCommand(connection.get(), "PING")));
  if (reply == nullptr || reply->type != REDIS_REPLY_STATUS) return false;
  give_back(std::move(connection));
  return true;
}

}  // namespace demo
