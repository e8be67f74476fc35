#include "injector/core/evidence.hpp"

#include "injector/core/whole.hpp"

namespace arashi {

namespace {

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

std::optional<double> number_at(const Json& json, const char* key) {
  const auto& value = json.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

}  // namespace

void to_json(Json& json, const Evidence& evidence) {
  Json values = Json::array();
  for (const auto& value : evidence.values)
    values.push_back({{"what", value.what},
                      {"unit", value.unit},
                      {"requested", or_null(value.requested)},
                      {"achieved", or_null(value.achieved)},
                      {"note", value.note}});
  json = {{"inPlace", evidence.in_place},  {"bit", evidence.bit},         {"seen", evidence.seen},
          {"affected", evidence.affected}, {"values", std::move(values)}, {"detail", evidence.detail}};
}

void from_json(const Json& json, Evidence& evidence) {
  json.at("inPlace").get_to(evidence.in_place);
  json.at("bit").get_to(evidence.bit);
  evidence.seen = whole<std::uint64_t>(json.at("seen"));
  evidence.affected = whole<std::uint64_t>(json.at("affected"));
  json.at("detail").get_to(evidence.detail);
  evidence.values.clear();
  for (const auto& value : json.at("values"))
    evidence.values.push_back({.what = value.at("what").get<std::string>(),
                               .unit = value.at("unit").get<std::string>(),
                               .requested = number_at(value, "requested"),
                               .achieved = number_at(value, "achieved"),
                               .note = value.at("note").get<std::string>()});
}

}  // namespace arashi
