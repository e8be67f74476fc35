// JSON's escape of a character beyond U+FFFF, a UTF-16 pair such as \ud83d\ude00, as YAML has it, \U0001f600. Private to this folder.
#pragma once

#include "experiments/spec/load/load.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi::spec {

struct Joined {
  std::string text;
  std::vector<Where> pairs;  // where in `text` each of them ends, two characters earlier than it did
  // The place in the text before, of one in `text`.
  [[nodiscard]] Where before(Where where) const;
};

// Of a JSON text. Any other one stays as it is: in YAML a backslash is an escape in double quotes only, and who writes it by hand can write
// the character itself.
Joined join_surrogates(std::string_view text);

}  // namespace arashi::spec
