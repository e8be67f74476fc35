#include "experiments/plan/peers.hpp"

#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"

#include <algorithm>

namespace arashi::plan {
namespace {

// A container's processes, say, share one network namespace: what one of them sends to another never meets a device.
bool same_place(const Victim& one, const Victim& other) {
  return one.netns == other.netns && (one.scope == Scope::node) == (other.scope == Scope::node);
}

Result<std::vector<std::string>> addresses_of(const Group& group, const Subject& subject) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < group.picked.size(); ++i) {
    const Victim& peer = group.picked[i];
    const std::string& agent = i < group.picked_on.size() ? group.picked_on[i] : group.agent;
    if (agent == subject.agent && same_place(peer, subject.victim)) continue;
    if (peer.addresses.empty())
      return fail(Blame::input, "peers {target: ", group.target, "}: ", peer.label,
                  " has no address to be reached by: its processes live in several network namespaces, or its own has no device up");
    for (const auto& address : peer.addresses)
      if (std::ranges::find(found, address) == found.end()) found.push_back(address);
  }
  if (found.empty() && !group.picked.empty())
    return fail(Blame::input, "peers {target: ", group.target, "}: that is nobody but itself, ",
                "as all of the group share its network namespace; name another group");
  return found;
}

Result<Json> replaced(const std::vector<std::string>& peers, const Subject& subject, const std::vector<Group>& groups) {
  Json texts = Json::array();
  for (const auto& text : peers) {
    const auto peer = TRY(parse_peer(text));
    if (peer.kind != Peer::Kind::group) {
      texts.push_back(text);
      continue;
    }
    const auto group = std::ranges::find(groups, peer.name, &Group::target);
    if (group == groups.end()) return fail(Blame::input, "peers {target: ", peer.name, "}: there is no such target");
    if (group->picked.empty()) return fail(Blame::missing, "peers {target: ", peer.name, "}: nothing was found for it");
    for (auto& address : TRY(addresses_of(*group, subject))) texts.push_back(std::move(address));
  }
  return texts;
}

}  // namespace

Result<Json> params_for(const spec::Step& step, const Subject& subject, const std::vector<Group>& groups) {
  if (!step.params) return Json(Json::object());
  if (spec::peer_targets(step).empty()) return *step.params;
  Json params = *step.params;
  for (const auto& list : step.peer_lists)
    if (params.contains(list)) params[list] = TRY(replaced(list_param(params, list), subject, groups));
  return params;
}

}  // namespace arashi::plan
