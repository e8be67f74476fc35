// Texts of a load's requests that differ from request to request: "… {{uuid}} … {{random 1..100}} …".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace arashi::spec {

struct Piece {
  enum class Kind {
    text,     // as it stands
    request,  // the request's number, from 1
    uuid,     // unique for the request, also over runs; the same in its URL, headers and body
    random,   // low..high, each as likely as the others; another one at each place
    seq,      // low, low+1, … high, low, … by the request's number
    data,     // the column of the request's data row
  };
  Kind kind = Kind::text;
  std::string text{};
  std::int64_t low = 0, high = 0;
  std::size_t column = 0;
};

using Template = std::vector<Piece>;

struct TemplateProblem {
  std::size_t offset = 0;  // in bytes
  std::string message;
};

// `columns`: of the load's data. {{"TEXT"}} is TEXT, for a text that holds braces.
std::variant<Template, TemplateProblem> parse_template(std::string_view text, const std::vector<std::string>& columns);

}  // namespace arashi::spec
