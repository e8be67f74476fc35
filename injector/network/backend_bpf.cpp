// Loss, partition, duplicates and wrong bits by a direct-action filter of clsact.
#include "injector/host/qdisc.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/classifier_stock.hpp"
#include "injector/network/clsact.hpp"
#include "injector/network/make_backend.hpp"
#include "injector/network/network_scope.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace arashi {

extern const Backend bpf_backend;

namespace {

using netlink::Socket;

struct Notes {
  clsact::Missing missing;
  static constexpr auto keys = std::tuple(key("clsactMissingOn", &Notes::missing));
};

std::vector<Hook> hooks_of(const Traffic& traffic) {
  std::vector<Hook> hooks;
  if (traffic.egress) hooks.push_back(Hook::egress);
  if (traffic.ingress) hooks.push_back(Hook::ingress);
  return hooks;
}

Result<Notes> prepare(const Host& host, const Impairment& impairment) {
  if (impairment.effects.holds()) return fail(Blame::unsupported, "a filter can drop, copy and change packets but not hold them");
  TRY(probe_bpf());
  TRY(clsact::is_reached(host, impairment));
  auto socket = TRY(socket_in(host, impairment.netns));
  auto missing = TRY(clsact::missing_on(socket, impairment));
  return Notes{std::move(missing)};
}

struct Found {
  std::set<std::uint32_t> programs;
  std::size_t filters = 0, wanted = 0;
};
Result<Found> find_filters(Socket& socket, const Impairment& impairment) {
  Found found;
  for (const auto& device : impairment.devices)
    for (const auto hook : hooks_of(impairment.traffic)) {
      ++found.wanted;
      for (const auto& filter : TRY(filters(socket, device.index, hook)))
        if (clsact::is_ours(filter, impairment.id)) {
          ++found.filters;
          found.programs.insert(filter.program);
        }
    }
  return found;
}

std::string places_text(const Impairment& impairment) {
  std::string text;
  for (const auto& device : impairment.devices) text += (text.empty() ? "" : ", ") + device.name;
  return text;
}

Evidence evidence_of(const Impairment& impairment, const Found& found, const Counters& sum) {
  Evidence evidence;
  evidence.in_place = found.filters == found.wanted;
  evidence.seen = sum.seen;
  evidence.affected = sum.affected;
  evidence.bit = sum.affected > 0;
  evidence.values =
      fate_values(impairment.effects,
                  {.matched = sum.matched, .lost = sum.lost, .duplicated = sum.duplicated, .corrupted = sum.corrupted, .reordered = {}});
  evidence.values.push_back(matched_value(sum.matched, sum.seen));
  evidence.detail = "clsact on " + places_text(impairment) + ", " + std::to_string(found.filters) + " of " + std::to_string(found.wanted) +
                    " filters in place; " + std::to_string(sum.affected) + " of " + std::to_string(sum.matched) +
                    " matching packets hit, " + std::to_string(sum.seen) + " seen";
  return evidence;
}

Result<void> attach_everywhere(Socket& socket, const Impairment& impairment, Hook hook, const Classifier& classifier, const Notes& notes) {
  for (const auto& device : impairment.devices) {
    const clsact::Attach main{.id = impairment.id,
                              .device = device.index,
                              .hook = hook,
                              .program = classifier.program(),
                              .made = clsact::was_missing(notes.missing, device.index)};
    TRY(clsact::attach(socket, main));
    TRY(clsact::attach_learner(socket, main, classifier));
  }
  return {};
}

Result<Evidence> apply(const Host& host, const Impairment& impairment, const Notes& notes) {
  auto socket = TRY(socket_in(host, impairment.netns));
  Counters sum;
  std::vector<Classifier> attached;
  for (const auto hook : hooks_of(impairment.traffic)) {
    attached.push_back(TRY(Classifier::load(host, impairment, hook, {})));
    TRY(attached.back().know(hook == Hook::ingress ? served_ports(host, impairment) : std::vector<ServedPort>{}));
    TRY(attach_everywhere(socket, impairment, hook, attached.back(), notes));
  }
  const auto found = TRY(find_filters(socket, impairment));
  for (auto& classifier : attached) {
    sum += TRY(classifier.counters());
    if (host.classifiers != nullptr) host.classifiers->give_back(std::move(classifier));
  }
  auto evidence = evidence_of(impairment, found, sum);
  if (!evidence.in_place)
    return fail(Blame::system, "the filters of '", clsact::filter_name(impairment.id), "' are not there after adding them");
  return evidence;
}

Result<void> revert(const Host& host, const Impairment& impairment, const Notes& notes) {
  auto socket = socket_in(host, impairment.netns);
  if (!socket && socket.error().blame == Blame::missing) return {};  // it took everything in it along
  if (!socket) return pass(socket.error());
  for (const auto& device : impairment.devices)
    TRY(clsact::clear(*socket, impairment.id, device.index, clsact::was_missing(notes.missing, device.index)));
  return {};
}

Result<Evidence> observe(const Host& host, const Impairment& impairment, const Notes& /*notes*/) {
  auto socket = TRY(socket_in(host, impairment.netns));
  const auto found = TRY(find_filters(socket, impairment));
  Counters sum;
  for (const auto program : found.programs) sum += TRY(counters_of(program));
  return evidence_of(impairment, found, sum);
}

Result<std::vector<std::uint32_t>> programs(const Host& host, const Impairment& impairment) {
  auto socket = TRY(socket_in(host, impairment.netns));
  const auto found = TRY(find_filters(socket, impairment));
  return std::vector(found.programs.begin(), found.programs.end());
}

std::string undo(const Impairment& impairment) {
  return "remove the filter '" + clsact::filter_name(impairment.id) + "' from " + places_text(impairment) +
         ", and clsact if no one else uses it";
}

}  // namespace

const Backend bpf_backend = make_backend<prepare, apply, revert, observe, programs>("bpf", undo);

}  // namespace arashi
