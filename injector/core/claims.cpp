#include "injector/core/claims.hpp"

#include <algorithm>

namespace arashi {

bool claims_overlap(std::string_view one, std::string_view other) {
  if (one.size() > other.size()) std::swap(one, other);
  return other.starts_with(one) && (one.size() == other.size() || other[one.size()] == '/');
}

const std::string* first_overlap(const Claims& held, const Claims& wanted) {
  const auto found = std::ranges::find_if(held, [&wanted](const std::string& claim) {
    return std::ranges::any_of(wanted, [&claim](const std::string& other) { return claims_overlap(claim, other); });
  });
  return found == held.end() ? nullptr : &*found;
}

Result<void> check_claims(const Claims& held, const Holder& holder, const Claims& wanted) {
  const auto* claim = first_overlap(held, wanted);
  if (claim == nullptr) return {};
  return fail(Code::claimed, *claim, " is held by experiment '", holder.experiment, "' (", holder.fault, " ", holder.id, ")");
}

}  // namespace arashi
