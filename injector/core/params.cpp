#include "injector/core/params.hpp"

#include "injector/core/json.hpp"
#include "injector/core/peer.hpp"
#include "injector/core/ports.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace arashi {

namespace {

struct TypeName {
  ParamType type;
  std::string_view name;
};
constexpr std::array type_names{
    TypeName{ParamType::duration, "duration"},   TypeName{ParamType::percent, "percent"},   TypeName{ParamType::bytes, "bytes"},
    TypeName{ParamType::rate, "rate"},           TypeName{ParamType::integer, "integer"},   TypeName{ParamType::text, "text"},
    TypeName{ParamType::boolean, "boolean"},     TypeName{ParamType::choice, "choice"},     TypeName{ParamType::list, "list"},
    TypeName{ParamType::bandwidth, "bandwidth"}, TypeName{ParamType::percents, "percents"}, TypeName{ParamType::numbers, "numbers"},
    TypeName{ParamType::peers, "peers"},         TypeName{ParamType::ports, "ports"}};

std::string written(const Json& given) {
  auto text = to_text(given);
  constexpr std::size_t enough = 60;
  if (text.size() > enough) text = text.substr(0, enough) + "…";
  return text;
}

// Text with a unit → number; a bare number says which unit is missing.
template <class Parse, class Number>
Result<Json> measured(const ParamText& param, const Json& given, Parse parse, Number number) {
  if (given.is_number() && given.get<double>() == 0 && param.type != "rate" && param.type != "bandwidth")
    return Json(number(*parse(param.type == "percent" ? "0%" : "0")));
  if (!given.is_string())
    return fail(Blame::input, "is ", written(given), ": a ", param.type, " with its unit is expected, such as ", param.example);
  auto parsed = parse(given.get<std::string>());
  if (!parsed) return pass(parsed.error());
  return Json(number(*parsed));
}

Result<Json> chosen(const ParamText& param, const Json& given) {
  const std::vector<std::string_view> known(param.choices.begin(), param.choices.end());
  if (given.is_string() && std::ranges::find(param.choices, given.get<std::string>()) != param.choices.end()) return given;
  return fail(Blame::input, "is ", written(given), suggestion(given.is_string() ? given.get<std::string>() : "", known));
}

Result<Json> listed(const ParamText& param, const Json& given) {
  const auto is_scalar = [](const Json& item) { return item.is_string() || item.is_number_integer(); };
  const auto as_text = [](const Json& item) { return item.is_string() ? item.get<std::string>() : to_text(item); };
  if (is_scalar(given)) return Json::array({as_text(given)});
  if (!given.is_array() || !std::ranges::all_of(given, is_scalar))
    return fail(Blame::input, "is ", written(given), ": a list of texts is expected, such as ", param.example);
  Json texts = Json::array();
  for (const auto& item : given) texts.push_back(as_text(item));
  return texts;
}

// Of a list, or of the one that stands for it; every item that is wrong is named, not only the first.
template <class Read>
Result<Json> listed_of(const Json& given, Read read) {
  constexpr int shown = 5;
  const Json one = Json::array({given});
  Json texts = Json::array();
  std::string problems;
  int wrong = 0;
  for (const auto& item : given.is_array() ? given : one) {
    auto text = read(item);
    if (text) {
      texts.push_back(std::move(*text));
    } else if (++wrong <= shown) {
      problems.append(problems.empty() ? "" : "; ").append(text.error().message);
    }
  }
  if (wrong == 0) return texts;
  return fail(Blame::input, problems, wrong > shown ? "; and " + std::to_string(wrong - shown) + " more" : "");
}

Result<std::string> canonical_ports(const Json& given) {
  if (!given.is_string() && !given.is_number_integer())
    return fail(Blame::input, "is ", written(given), ": ports and ranges of them are expected, such as [6379, 8000-8100]");
  auto text = given.is_string() ? given.get<std::string>() : to_text(given);
  TRY(parse_ports(text));
  return text;
}

Result<Json> shares(const ParamText& param, const Json& given) {
  const auto expected = [&] {
    return fail(Blame::input, "is ", written(given), ": a list of percentages is expected, such as ", param.example);
  };
  const Json items = given.is_array() ? given : Json::array({given});
  if (items.empty()) return expected();
  Json fractions = Json::array();
  for (const auto& item : items) {
    const bool is_zero = item.is_number() && item.get<double>() == 0;
    if (!item.is_string() && !is_zero) return expected();
    const auto share = is_zero ? Result<Percent>(Percent{0}) : parse_percent(item.get<std::string>());
    if (!share) return pass(share.error());
    fractions.push_back(share->fraction);
  }
  return fractions;
}

// As in a file: numbers with white space between, and comments from # to the end of a line.
Result<Json> numbers_in(std::string_view text) {
  Json numbers = Json::array();
  while (!text.empty()) {
    if (const auto skip = text.find_first_not_of(" \t\r\n"); skip > 0) {
      text.remove_prefix(std::min(skip, text.size()));
    } else if (text.front() == '#') {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    } else {
      const auto word = text.substr(0, text.find_first_of(" \t\r\n#"));
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
      if (error != std::errc{} || end != word.data() + word.size())
        return fail(Blame::input, "has '", word, "' where a whole number is expected");
      numbers.push_back(number);
      text.remove_prefix(word.size());
    }
  }
  return numbers;
}

Result<Json> numbered(const ParamText& param, const Json& given) {
  auto numbers = given.is_string() ? TRY(numbers_in(given.get<std::string>())) : given;
  const auto is_whole = [](const Json& item) { return item.is_number_integer(); };
  if (!numbers.is_array() || numbers.empty() || !std::ranges::all_of(numbers, is_whole))
    return fail(Blame::input, "is ", written(given), ": a list of whole numbers is expected, such as ", param.example);
  return numbers;
}

Result<Json> plain(const ParamText& param, const Json& given) {
  if (param.type == "integer" && given.is_number_integer()) return given;
  if (param.type == "boolean" && given.is_boolean()) return given;
  if (param.type == "text" && given.is_string()) return given;
  if (param.type == "text" && given.is_number_integer()) return Json(to_text(given));
  return fail(Blame::input, "is ", written(given), ": ",
              param.type == "integer"   ? "a whole number"
              : param.type == "boolean" ? "true or false"
                                        : "a text",
              " is expected, such as ", param.example);
}

Result<Json> converted(const ParamText& param, const Json& given) {
  if (param.type == "duration") return measured(param, given, parse_duration, [](Duration value) { return value.count(); });
  if (param.type == "percent") return measured(param, given, parse_percent, [](Percent value) { return value.fraction; });
  if (param.type == "rate") return measured(param, given, parse_rate, [](Rate value) { return value.per_second; });
  if (param.type == "bytes")
    return given.is_number_unsigned() ? Result<Json>(given) : measured(param, given, parse_bytes, [](Bytes value) { return value.count; });
  if (param.type == "bandwidth") return measured(param, given, parse_bandwidth, [](Bandwidth value) { return value.bits_per_second; });
  if (param.type == "percents") return shares(param, given);
  if (param.type == "numbers") return numbered(param, given);
  if (param.type == "choice") return chosen(param, given);
  if (param.type == "list") return listed(param, given);
  if (param.type == "peers") return listed_of(given, canonical_peer);
  if (param.type == "ports") return listed_of(given, canonical_ports);
  return plain(param, given);
}

std::string in_words(const ParamText& param, double value) {
  if (param.type == "duration") return to_text(Duration{std::llround(value)});
  if (param.type == "percent") return to_text(Percent{value});
  if (param.type == "bytes") return to_text(Bytes{static_cast<std::uint64_t>(value)});
  if (param.type == "rate") return to_text(Rate{value});
  if (param.type == "bandwidth") return to_text(Bandwidth{static_cast<std::uint64_t>(value)});
  return written(Json(std::llround(value)));
}

// Not knowing means wrong: NaN lies outside every bound.
Result<void> within(const ParamText& param, const Json& value) {
  if (value.is_array() && param.type == "numbers") {
    for (const auto& item : value) TRY(within(param, item));
    return {};
  }
  if (!value.is_number()) return {};
  const auto number = value.get<double>();
  if (param.least && !(number >= *param.least))
    return fail(Blame::input, "is ", in_words(param, number), ": at least ", in_words(param, *param.least), " is needed");
  if (param.most && !(number <= *param.most))
    return fail(Blame::input, "is ", in_words(param, number), ": at most ", in_words(param, *param.most), " is possible");
  return {};
}

// A fallback is written as in a spec; numbers and booleans are not quoted there.
Json fallback_of(const ParamText& param) {
  if (param.type == "integer" || param.type == "boolean") return Json::parse(param.fallback, nullptr, false);
  return Json(param.fallback);
}

void check_one(const ParamText& param, const Json& given, ParamCheck& check) {
  auto value = converted(param, given);
  if (!value) return check.problems.push_back({param.name, value.error().message});
  if (auto bounded = within(param, *value); !bounded) return check.problems.push_back({param.name, bounded.error().message});
  check.canonical[param.name] = std::move(*value);
}

std::optional<double> finite(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

}  // namespace

std::string_view name_of(ParamType type) {
  const auto found = std::ranges::find(type_names, type, &TypeName::type);
  return found == type_names.end() ? "?" : found->name;
}

ParamText describe(const Param& param) {
  return {.name = std::string(param.name),
          .type = std::string(name_of(param.type)),
          .summary = std::string(param.summary),
          .example = std::string(param.example),
          .fallback = std::string(param.fallback),
          .required = param.required,
          .least = finite(param.least),
          .most = finite(param.most),
          .choices = {param.choices.begin(), param.choices.end()}};
}

ParamCheck check_params(std::span<const ParamText> declared, const Json& given) {
  ParamCheck check{.canonical = Json::object(), .problems = {}};
  if (!given.is_null() && !given.is_object()) {
    check.problems.push_back({"", "parameters are " + written(given) + ": a mapping of names to values is expected"});
    return check;
  }
  std::vector<std::string_view> known;
  known.reserve(declared.size());
  for (const auto& param : declared) known.push_back(param.name);
  for (const auto& [name, value] : given.items())
    if (std::ranges::find(known, name) == known.end())
      check.problems.push_back({name, "unknown parameter '" + name + "'" + suggestion(name, known)});
  for (const auto& param : declared) {
    if (given.is_object() && given.contains(param.name))
      check_one(param, given.at(param.name), check);
    else if (param.required)
      check.problems.push_back({param.name, "parameter '" + param.name + "' is missing, such as " + param.name + ": " + param.example});
    else if (!param.fallback.empty())
      check_one(param, fallback_of(param), check);
  }
  return check;
}

ParamCheck check_params(std::span<const Param> declared, const Json& given) {
  std::vector<ParamText> texts;
  texts.reserve(declared.size());
  for (const auto& param : declared) texts.push_back(describe(param));
  return check_params(std::span<const ParamText>(texts), given);
}

std::optional<Duration> duration_param(const Json& canonical, std::string_view name) {
  const auto found = canonical.find(name);
  if (found == canonical.end() || !found->is_number()) return std::nullopt;
  return Duration{found->get<std::int64_t>()};
}

std::optional<double> number_param(const Json& canonical, std::string_view name) {
  const auto found = canonical.find(name);
  if (found == canonical.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::optional<std::string> text_param(const Json& canonical, std::string_view name) {
  const auto found = canonical.find(name);
  if (found == canonical.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::vector<std::string> list_param(const Json& canonical, std::string_view name) {
  std::vector<std::string> texts;
  const auto found = canonical.find(name);
  if (found == canonical.end() || !found->is_array()) return texts;
  for (const auto& item : *found)
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

std::vector<double> numbers_param(const Json& canonical, std::string_view name) {
  std::vector<double> numbers;
  const auto found = canonical.find(name);
  if (found == canonical.end() || !found->is_array()) return numbers;
  for (const auto& item : *found)
    if (item.is_number()) numbers.push_back(item.get<double>());
  return numbers;
}

bool flag_param(const Json& canonical, std::string_view name) {
  const auto found = canonical.find(name);
  return found != canonical.end() && found->is_boolean() && found->get<bool>();
}

namespace {

// One, or a list of them.
Json list_schema(const Json& one, const Json& item) { return Json::array({one, {{"type", "array"}, {"items", item}}}); }

Json peers_schema() {
  const Json group{{"type", "object"},
                   {"additionalProperties", false},
                   {"required", Json::array({"target"})},
                   {"properties", {{"target", {{"type", "string"}, {"description", "another target of the experiment"}}}}}};
  const Json peer{{"anyOf", Json::array({{{"type", "string"}}, group})}};
  return list_schema(peer, peer);
}

Json type_schema(const ParamText& param) {
  Json text{{"type", "string"}};
  if (param.type == "integer" || param.type == "boolean") return {{"type", param.type}};
  if (param.type == "peers") return {{"anyOf", peers_schema()}};
  if (param.type == "percents") return {{"anyOf", list_schema(text, text)}};
  if (param.type == "numbers") return {{"anyOf", list_schema(text, {{"type", "integer"}})}};
  if (param.type == "list" || param.type == "ports") return {{"anyOf", list_schema(text, {{"type", Json::array({"string", "integer"})}})}};
  return text;
}

Json param_schema(const ParamText& param) {
  Json schema = type_schema(param);
  schema["description"] = param.summary;
  if (param.type == "choice") schema["enum"] = param.choices;
  if (param.type == "integer" && param.least) schema["minimum"] = *param.least;
  if (param.type == "integer" && param.most) schema["maximum"] = *param.most;
  if (!param.example.empty()) schema["examples"] = Json::array({param.example});
  if (!param.fallback.empty()) schema["default"] = fallback_of(param);
  return schema;
}

}  // namespace

Json params_schema(std::span<const ParamText> declared) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const auto& param : declared) {
    properties[param.name] = param_schema(param);
    if (param.required) required.push_back(param.name);
  }
  Json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

}  // namespace arashi
