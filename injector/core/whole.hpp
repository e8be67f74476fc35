// Whole numbers out of JSON: what the library itself makes of 1e30 in the place of one is undefined.
#pragma once

#include "injector/core/json.hpp"

#include <concepts>
#include <utility>

namespace arashi {

// Throws Json::type_error where it is none, or too large.
template <std::integral Number>
Number whole(const Json& json) {
  const auto* natural = json.get_ptr<const Json::number_unsigned_t*>();
  if (natural != nullptr && std::in_range<Number>(*natural)) return static_cast<Number>(*natural);
  const auto* integer = json.get_ptr<const Json::number_integer_t*>();
  if (natural == nullptr && integer != nullptr && std::in_range<Number>(*integer)) return static_cast<Number>(*integer);
  throw Json::type_error::create(302, "must be a whole number of this size, but is " + to_text(json), &json);
}

}  // namespace arashi
