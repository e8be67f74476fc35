#include "experiments/engine/hands.hpp"
#include "experiments/fleet/child.hpp"
#include "experiments/http_client.hpp"

namespace arashi::engine {

namespace {

std::string first_line(std::string text) {
  const auto start = text.find_first_not_of("\r\n \t");
  text.erase(0, start == std::string::npos ? text.size() : start);
  text.erase(std::min(text.find('\n'), text.size()));
  if (text.size() > 300) text.resize(300);
  return text;
}

void run_command(const spec::Check& check, const std::string& directory, run::CheckResult& result) {
  const auto ended = fleet::run_program({.command = check.command, .directory = directory, .timeout = check.timeout});
  if (!ended) {
    result.detail = ended.error().message;
    return;
  }
  result.passed = !ended->timed_out && ended->exit == check.expect;
  result.detail = ended->timed_out ? "did not end within " + to_text(check.timeout) : "exit " + std::to_string(ended->exit);
  if (!result.passed && !ended->timed_out) result.detail += ", expected " + std::to_string(check.expect);
  const std::string said = first_line(result.passed || ended->errors.empty() ? ended->output : ended->errors);
  if (!said.empty()) result.detail += ": " + said;
}

void ask_url(const spec::Check& check, run::CheckResult& result) {
  const auto reply = HttpClient().send({.url = check.url, .timeout = check.timeout});
  if (!reply) {
    result.detail = reply.error().message;
    return;
  }
  result.passed = reply->status == check.expect;
  result.detail = "status " + std::to_string(reply->status);
  if (!result.passed) result.detail += ", expected " + std::to_string(check.expect);
}

}  // namespace

run::CheckResult run_check(const spec::Check& check, const std::string& when, const std::string& directory, Duration epoch) {
  const Duration began = boot_now();
  run::CheckResult result{.name = check.name, .when = when, .at = began - epoch};
  if (check.command.empty()) ask_url(check, result);
  if (!check.command.empty()) run_command(check, directory, result);
  result.took = boot_now() - began;
  return result;
}

}  // namespace arashi::engine
