#include "experiments/sli/prometheus_query.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::sli {
namespace {

constexpr double clocks_agree = 2;  // seconds; the Date header is whole seconds

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.') {
      result += c;
    } else {
      std::array<char, 4> code{};
      std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += code.data();
    }
  }
  return result;
}

std::string fixed(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return text.data();
}

Result<Reply> reply_of(const HttpReply& http) {
  auto reply = read_reply(http.body);
  if (http.status == 200) return reply;
  // Prometheus explains a 400, 422 or 503 in its JSON; what stands before it (a proxy, a login page) does not.
  if (!reply && reply.error().message.starts_with("Prometheus says")) return reply;
  return fail(Blame::system, "HTTP status ", http.status);
}

std::optional<Duration> retry_after(const HttpReply& http) {
  const auto found = http.headers.find("retry-after");
  if (http.status != 429 && http.status != 503) return std::nullopt;
  if (found == http.headers.end()) return std::nullopt;
  const long wanted = std::strtol(found->second.c_str(), nullptr, 10);
  return std::chrono::seconds(std::clamp(wanted, 0L, 60L));
}

}  // namespace

Answer ask(HttpClient& client, const spec::PrometheusSource& source, const std::string& query, double time, Duration timeout) {
  std::string base = source.url;
  while (base.ends_with('/')) base.pop_back();
  HttpRequest request;
  request.url = base + "/api/v1/query?query=" + escaped(query) + "&time=" + fixed(time) +
                "&timeout=" + std::to_string(std::chrono::ceil<std::chrono::milliseconds>(timeout).count()) + "ms";
  request.headers = source.headers;
  request.timeout = timeout;
  const auto http = client.send(request);
  if (!http) {
    std::string reason = http.error().message;  // names the whole URL with the query: too long for a person
    const auto at = reason.find(request.url);
    if (at != std::string::npos) reason.replace(at, request.url.size(), base);
    return {fail(http.error().blame, reason), std::nullopt, std::nullopt};
  }
  Answer answer{reply_of(*http), retry_after(*http), std::nullopt};
  if (!answer.reply) answer.reply = because(answer.reply.error(), base);
  const auto date = http->headers.find("date");
  const time_t parsed = date == http->headers.end() ? -1 : curl_getdate(date->second.c_str(), nullptr);
  if (parsed > 0) answer.server_time = static_cast<double>(parsed) + 0.5;
  return answer;
}

double wall_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

double server_now(const Answer& answer) {
  const double wall = wall_now();
  return answer.server_time && std::fabs(*answer.server_time - wall) > clocks_agree ? *answer.server_time : wall;
}

}  // namespace arashi::sli
