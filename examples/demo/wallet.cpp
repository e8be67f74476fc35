// The demo's wallet: POST /transfer moves money in the ledger, GET /healthz says whether the ledger answers, GET /metrics is for
// Prometheus. It keeps nothing: kill it at any moment and no money is lost.
//   wallet PORT LEDGER-HOST LEDGER-PORT
#include "http.hpp"
#include "ledger.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <sstream>

namespace {

using demo::Answer, demo::Booked, demo::Request, demo::Transfer;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t accounts = 100;  // demo.sh seeds as many
constexpr std::array<double, 9> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};
constexpr std::array<const char*, 5> outcomes{"moved", "repeated", "short_of_money", "no_account", "failed"};  // as in Booked

class Metrics {
 public:
  void count(Booked booked, double seconds) {
    ++by_outcome_[static_cast<std::size_t>(booked)];
    for (std::size_t i = 0; i < bounds.size(); ++i)
      if (seconds <= bounds[i]) ++within_[i];
    microseconds_ += static_cast<std::uint64_t>(seconds * 1e6);
  }

  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    std::uint64_t all = 0;
    out << "# HELP wallet_transfers_total Transfers answered, by outcome.\n# TYPE wallet_transfers_total counter\n";
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const std::uint64_t n = by_outcome_[i];
      out << "wallet_transfers_total{outcome=\"" << outcomes[i] << "\"} " << n << "\n";
      all += n;
    }
    out << "# HELP wallet_transfer_seconds Time to answer a transfer.\n# TYPE wallet_transfer_seconds histogram\n";
    for (std::size_t i = 0; i < bounds.size(); ++i)
      out << "wallet_transfer_seconds_bucket{le=\"" << bounds[i] << "\"} " << within_[i] << "\n";
    out << "wallet_transfer_seconds_bucket{le=\"+Inf\"} " << all << "\nwallet_transfer_seconds_sum " << std::fixed
        << static_cast<double>(microseconds_) / 1e6 << "\nwallet_transfer_seconds_count " << all << "\n";
    return out.str();
  }

 private:
  std::array<std::atomic<std::uint64_t>, outcomes.size()> by_outcome_{};
  std::array<std::atomic<std::uint64_t>, bounds.size()> within_{};
  std::atomic<std::uint64_t> microseconds_{0};
};

// What the body leaves out is drawn from the key, so that a retry moves the same money between the same accounts.
std::optional<Transfer> read_transfer(const Request& request) {
  Transfer transfer;
  if (const auto key = request.headers.find("idempotency-key"); key != request.headers.end()) transfer.key = key->second;
  if (transfer.key.empty() || transfer.key.size() > 100) return std::nullopt;
  const std::uint64_t draw = std::hash<std::string>{}(transfer.key);
  const auto body = nlohmann::json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
  if (!body.is_object()) return std::nullopt;
  const auto number = [&](const char* name, std::uint64_t fallback) -> std::optional<std::uint64_t> {
    const auto found = body.find(name);
    if (found == body.end()) return fallback;
    return found->is_number_unsigned() ? std::optional(found->get<std::uint64_t>()) : std::nullopt;
  };
  const auto from = number("from", draw % accounts);
  const auto to = number("to", (draw % accounts + 1 + draw / accounts % (accounts - 1)) % accounts);
  const auto amount = number("amount", 1 + draw / 7 % 100);
  if (!from || !to || !amount || *from == *to || *amount == 0 || *amount > 1'000'000) return std::nullopt;
  transfer.from = *from;
  transfer.to = *to;
  transfer.amount = *amount;
  return transfer;
}

Answer answer_to(Booked booked) {
  switch (booked) {
    case Booked::moved:
      return {200, R"({"transfer":"moved"})"};
    case Booked::repeated:
      return {200, R"({"transfer":"moved","note":"this key was booked before"})"};
    case Booked::short_of_money:
      return {409, R"({"error":"not enough money in the account"})"};
    case Booked::no_account:
      return {404, R"({"error":"no such account"})"};
    case Booked::ledger_down:
      break;
  }
  return {503, R"({"error":"the ledger does not answer"})"};
}

class Wallet {
 public:
  Wallet(std::string host, int port) : ledger_(std::move(host), port) {}

  Answer handle(const Request& request) {
    if (request.path == "/metrics") return {200, metrics_.text(), "text/plain; version=0.0.4"};
    if (request.path == "/healthz") return ledger_.answers() ? Answer{200, R"({"status":"ok"})"} : answer_to(Booked::ledger_down);
    if (request.path != "/transfer") return {404, R"({"error":"try /transfer, /healthz or /metrics"})"};
    if (request.method != "POST") return {405, R"({"error":"a transfer is a POST"})"};
    const auto transfer = read_transfer(request);
    if (!transfer) return {400, R"({"error":"needs the header Idempotency-Key and at most {from, to, amount}, numbers, in the body"})"};
    const auto begin = Clock::now();
    const Booked booked = ledger_.book(*transfer);
    metrics_.count(booked, std::chrono::duration<double>(Clock::now() - begin).count());
    return answer_to(booked);
  }

 private:
  demo::Ledger ledger_;
  Metrics metrics_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: wallet PORT LEDGER-HOST LEDGER-PORT\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  Wallet wallet(arguments[2], std::atoi(arguments[3]));
  const std::string problem = demo::serve(std::atoi(arguments[1]), [&](const Request& request) { return wallet.handle(request); });
  std::fprintf(stderr, "wallet: %s\n", problem.c_str());
  return 1;
}
