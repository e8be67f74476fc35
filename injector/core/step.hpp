// How far an injection has come.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace arashi {

enum class Step {
  intended,  // journalled, nothing changed yet
  applying,
  active,  // its effect was read back
  lost,    // its worker or kernel object is gone though nobody reverted it; it has no effect any longer
  reverting,
  reverted,  // the machine is as it was
  drifted,   // someone else changed what we had set; left as it is
  stuck,     // revert failed; tried again, and said loudest of all
};
std::string_view name_of(Step step);
std::optional<Step> step_from(std::string_view name);
bool is_over(Step step);  // reverted or drifted

template <>
struct AsText<Step> {
  static std::string print(Step step) { return std::string(name_of(step)); }
  static Result<Step> parse(std::string_view text);
};

}  // namespace arashi
