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
    else if (c == '\n' || c == '\t')
      safe += c;
    else if (static_cast<unsigned char>(c) < 0x20)
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

std::vector<Case> cases_of(const Json& result) {
  std::vector<Case> cases{verdict_case(result)};
  const auto& abort = result.at("abort");
  for (const auto& slo : result.at("slos")) {
    Case made{.group = "slo", .name = text_at(slo, "name")};
    if (abort.is_object())
      for (const auto& reason : abort.at("reasons"))
        if (reason.at("slo") == slo.at("name")) made.failure = text_at(reason, "text");
    cases.push_back(made);
  }
  for (const auto& check : result.at("checks"))
    cases.push_back({.group = "check",
                     .name = text_at(check, "name") + " (" + text_at(check, "when") + ")",
                     .failure = check.at("passed").get<bool>() ? "" : "check failed",
                     .detail = text_at(check, "detail"),
                     .took = check.value("took", 0.0)});
  for (const auto& fault : result.at("faults")) {
    const bool clean = fault.at("step") == "reverted" && fault.at("evidence").at("bit").get<bool>();
    cases.push_back({.group = "fault",
                     .name = text_at(fault, "fault") + " on " + text_at(fault, "victim"),
                     .failure = clean                            ? ""
                                : fault.at("activeAt").is_null() ? "not injected"
                                : fault.at("step") == "reverted" ? "did not bite"
                                                                 : text_at(fault, "step"),
                     .detail = text_at(fault, "problem") + " " + text_at(fault.at("evidence"), "detail")});
  }
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
  const auto counts = " tests=\"" + std::to_string(cases.size()) + "\" failures=\"" + std::to_string(failures) + "\" errors=\"0\"";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts + ">\n  <testsuite name=\"" + escaped(suite) + "\"" + counts +
         " timestamp=\"" + escaped(text_at(result, "started")) + "\">\n" + body + "  </testsuite>\n</testsuites>\n";
}

}  // namespace arashi::report
