#include "experiments/sli/answer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace arashi::sli {
namespace {

constexpr double clocks_agree = 2;  // seconds; the Date header is whole seconds
constexpr double longest_pause = 300;

const std::string* header(const HttpReply& reply, const char* name) {
  const auto found = reply.headers.find(name);
  return found == reply.headers.end() ? nullptr : &found->second;
}

std::optional<double> number(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text->c_str(), &end);
  if (end == text->c_str() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> date(const std::string* text) {
  const time_t parsed = text == nullptr ? -1 : curl_getdate(text->c_str(), nullptr);
  return parsed > 0 ? std::optional(static_cast<double>(parsed)) : std::nullopt;
}

Duration bounded(double pause) { return Duration(static_cast<std::int64_t>(std::clamp(pause, 0.0, longest_pause) * 1e9)); }

}  // namespace

Duration leave_alone(const HttpReply& reply, double wall) {
  const bool refused = reply.status == 429 || reply.status == 503;
  const std::string* after = header(reply, "retry-after");
  if (const auto pause = number(after); refused && pause) return bounded(*pause);
  if (const auto when = date(after); refused && when) return bounded(*when - server_time(reply).value_or(wall));
  // Seconds until the count of requests begins anew; some give the time of that instead.
  const auto reset = number(header(reply, "x-ratelimit-reset"));
  const auto remaining = number(header(reply, "x-ratelimit-remaining"));
  if (reset && (reply.status == 429 || (remaining && *remaining <= 0))) return bounded(*reset > 1e9 ? *reset - wall : *reset);
  return reply.status == 429 ? Duration(std::chrono::seconds(5)) : Duration{};
}

std::optional<double> server_time(const HttpReply& reply) {
  const auto whole = date(header(reply, "date"));
  return whole ? std::optional(*whole + 0.5) : std::nullopt;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '~') {
      result += c;
    } else {
      std::array<char, 4> code{};
      std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += code.data();
    }
  }
  return result;
}

double wall_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void ServerClock::learn(std::optional<double> server_time) {
  if (known_) return;
  known_ = true;
  const double wall = wall_now();
  if (server_time && std::fabs(*server_time - wall) > clocks_agree) skew_ = *server_time - wall;
  zero_ = now() - seconds(boot_now() - epoch_);
}

Duration ServerClock::since_epoch(double server_time) const {
  return Duration(static_cast<std::int64_t>(std::clamp(server_time - zero_, -1e9, 1e9) * 1e9));
}

}  // namespace arashi::sli
