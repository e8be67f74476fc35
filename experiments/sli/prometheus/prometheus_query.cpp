#include "experiments/sli/prometheus/prometheus_query.hpp"

#include "experiments/sli/answer.hpp"

#include <array>
#include <cstdio>

namespace arashi::sli {
namespace {

std::string fixed(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return text.data();
}

Result<Reply> reply_of(const HttpReply& http) {
  auto reply = read_reply(http.body);
  if (http.status == 200) return reply;
  // Prometheus explains a 400, 422 or 503 in its JSON; what stands before it (a proxy, a login page) does not.
  if (!reply && reply.error().code == Code::explained) return reply;
  return fail(Blame::system, "HTTP status ", http.status);
}

bool refused(const HttpReply& reply) { return reply.status == 401 || reply.status == 403; }

// Thanos would else leave out the stores that do not answer, and count replicated series twice.
std::string more_of(const spec::PrometheusSource& source) { return source.server == "thanos" ? "&partial_response=false&dedup=true" : ""; }

// libcurl names the whole URL with the query: too long for a person.
Error shortened(Error error, const std::string& url, const std::string& base) {
  const auto at = error.message.find(url);
  if (at != std::string::npos) error.message.replace(at, url.size(), base);
  if (at == std::string::npos) error.message.insert(0, base + ": ");
  return error;
}

}  // namespace

PrometheusServer::PrometheusServer(spec::PrometheusSource source, const std::string& directory)
    : source_(std::move(source)), token_(source_.token, "the token", directory), password_(source_.password, "the password", directory) {
  while (source_.url.ends_with('/')) source_.url.pop_back();
  if (source_.tenant.empty()) return;
  source_.headers[source_.server == "thanos" ? "THANOS-TENANT" : "X-Scope-OrgID"] = source_.tenant;
}

Result<void> PrometheusServer::authorise(HttpRequest& request) {
  if (token_.given()) request.headers["Authorization"] = "Bearer " + TRY(token_.get());
  if (!password_.given()) return {};
  request.user = source_.user;
  request.password = TRY(password_.get());
  return {};
}

Result<HttpReply> PrometheusServer::send(HttpRequest request) {
  TRY(authorise(request));
  auto reply = client_.send(request);
  if (!reply || !refused(*reply) || !(token_.given() || password_.given())) return reply;
  token_.refused();
  password_.refused();
  TRY(authorise(request));
  return client_.send(request);
}

Answer PrometheusServer::ask(const std::string& query, double time, Duration timeout, const std::stop_token& stop) {
  HttpRequest request;
  request.url = source_.url + "/api/v1/query?query=" + escaped(query) + "&time=" + fixed(time) +
                "&timeout=" + std::to_string(std::chrono::ceil<std::chrono::milliseconds>(timeout).count()) + "ms" + more_of(source_);
  request.headers = source_.headers;
  request.timeout = timeout;
  request.stop = stop;
  const std::string url = request.url;
  const auto http = send(std::move(request));
  if (!http) return {pass(shortened(http.error(), url, source_.url)), {}, std::nullopt};
  Answer answer{reply_of(*http), arashi::sli::leave_alone(*http, wall_now()), server_time(*http)};
  if (!answer.reply) answer.reply = because(answer.reply.error(), source_.url);
  return answer;
}

Result<RangeReply> PrometheusServer::ask_range(const std::string& query, double from, double to, double step) {
  HttpRequest request;
  request.url = source_.url + "/api/v1/query_range?query=" + escaped(query) + "&start=" + fixed(from) + "&end=" + fixed(to) +
                "&step=" + fixed(step) + more_of(source_);
  request.headers = source_.headers;
  request.timeout = std::chrono::minutes(2);
  request.largest_reply = std::size_t{256} << 20U;
  const std::string url = request.url;
  const auto http = send(std::move(request));
  if (!http) return pass(shortened(http.error(), url, source_.url));
  auto reply = read_range_reply(http->body);
  if (!reply && http->status != 200 && reply.error().code != Code::explained)
    return fail(Blame::system, source_.url, ": HTTP status ", http->status);
  if (!reply) return because(reply.error(), source_.url);
  return reply;
}

}  // namespace arashi::sli
