#include "experiments/report/report.hpp"
#include "injector/core/json.hpp"

#include <vector>

namespace arashi::report {

namespace {

// One <testcase>; an empty failure means passed.
struct Case {
  std::string group, name, failure, detail;
  double took = 0;
};

// Text for XML 1.0: markup is escaped, and characters that XML cannot carry become U+FFFD.
std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      safe += "\xEF\xBF\xBD";
    else
      safe += c;
  }
  return safe;
}

std::string text_at(const Json& json, const char* key) { return json.value(key, std::string()); }

std::string joined(const Json& reasons) {
  std::string text;
  for (const auto& reason : reasons) text.append(text.empty() ? "" : "; ").append(reason.get<std::string>());
  return text;
}

Case verdict_case(const Json& result) {
  const auto outcome = text_at(result, "outcome");
  return {.group = "verdict",
          .name = result.value("hypothesis", std::string()).empty() ? text_at(result, "experiment") : text_at(result, "hypothesis"),
          .failure = outcome == "held" ? "" : outcome,
          .detail = joined(result.at("reasons"))};
}

Case slo_case(const Json& slo, const Json& abort) {
  Case made{.group = "slo", .name = text_at(slo, "name")};
  if (!abort.is_object()) return made;
  for (const auto& reason : abort.at("reasons"))
    if (reason.at("slo") == slo.at("name")) made.failure = text_at(reason, "text");
  return made;
}

Case check_case(const Json& check) {
  return {.group = "check",
          .name = text_at(check, "name") + " (" + text_at(check, "when") + ")",
          .failure = check.at("passed").get<bool>() ? "" : "check failed",
          .detail = text_at(check, "detail"),
          .took = check.value("took", 0.0)};
}

// What is wrong with a fault; empty if it bit and was taken back.
std::string flaw_of(const Json& fault) {
  if (fault.at("activeAt").is_null()) return "not injected";
  if (fault.at("step") != "reverted") return text_at(fault, "step");
  return fault.at("evidence").at("bit").get<bool>() ? "" : "no effect observed";
}

Case fault_case(const Json& fault) {
  return {.group = "fault",
          .name = text_at(fault, "fault") + " on " + text_at(fault, "victim"),
          .failure = flaw_of(fault),
          .detail = text_at(fault, "problem") + " " + text_at(fault.at("evidence"), "detail")};
}

std::vector<Case> cases_of(const Json& result) {
  std::vector<Case> cases{verdict_case(result)};
  for (const auto& slo : result.at("slos")) cases.push_back(slo_case(slo, result.at("abort")));
  for (const auto& check : result.at("checks")) cases.push_back(check_case(check));
  for (const auto& fault : result.at("faults")) cases.push_back(fault_case(fault));
  return cases;
}

std::string xml_of(const Case& made, const std::string& suite) {
  std::string xml = "    <testcase classname=\"" + escaped(suite) + "." + made.group + "\" name=\"" + escaped(made.name) + "\" time=\"" +
                    to_text(Json(made.took)) + "\"";
  if (made.failure.empty()) return xml + "/>\n";
  return xml + ">\n      <failure message=\"" + escaped(made.failure) + "\">" + escaped(made.detail) + "</failure>\n    </testcase>\n";
}

}  // namespace

std::string junit(const Json& result) {
  const auto suite = text_at(result, "experiment");
  std::string body;
  std::size_t failures = 0;
  const auto cases = cases_of(result);
  for (const auto& made : cases) {
    body += xml_of(made, suite);
    failures += made.failure.empty() ? 0 : 1;
  }
  const auto counts = " tests=\"" + std::to_string(cases.size()) + "\" failures=\"" + std::to_string(failures) + R"(" errors="0")";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts + ">\n  <testsuite name=\"" + escaped(suite) + "\"" + counts +
         " timestamp=\"" + escaped(text_at(result, "started")) + "\">\n" + body + "  </testsuite>\n</testsuites>\n";
}

}  // namespace arashi::report
