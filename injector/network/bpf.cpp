#include "injector/network/bpf.hpp"

#include "injector/core/crc.hpp"
#include "injector/network/classifier_stock.hpp"
#include "injector/network/impair_rules.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "impair.skel.h"
#pragma GCC diagnostic pop

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <ctime>
#include <iterator>
#include <span>

namespace arashi {

namespace {

std::uint8_t act_of(OnMatch::Act act) {
  if (act == OnMatch::Act::redirect) return ARASHI_REDIRECT;
  return act == OnMatch::Act::queue ? ARASHI_QUEUE : ARASHI_LOSE;
}

std::uint8_t protocol_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return ARASHI_TCP;
    case Protocol::udp:
      return ARASHI_UDP;
    case Protocol::icmp:
      return ARASHI_ICMP;
    case Protocol::sctp:
      return ARASHI_SCTP;
    case Protocol::any:
      break;
  }
  return ARASHI_ANY;
}

bool both_of_loopback(const Impairment& impairment) {
  const bool both = impairment.traffic.egress && impairment.traffic.ingress;
  return both && std::ranges::any_of(impairment.devices, &Device::loopback);
}

// The two hooks of loopback see the same packet; so do the first and the second round of one that takes a way of our own.
bool comes_twice(const Impairment& impairment, const OnMatch& act) {
  return act.comes_again || act.act == OnMatch::Act::queue || both_of_loopback(impairment);
}

std::int32_t device_of(const Impairment& impairment) { return impairment.devices.empty() ? 0 : impairment.devices.front().index; }

std::uint64_t dscp_mask(const Traffic& traffic) {
  std::uint64_t mask = 0;
  for (const auto point : traffic.dscp) mask |= 1ULL << point;
  return mask;
}

bool hits_all(const Traffic& traffic) { return traffic.meets_everyone() && !traffic.has_exceptions(); }

arashi_rules rules_of(const Impairment& impairment, Hook hook, const OnMatch& act) {
  const auto& traffic = impairment.traffic;
  arashi_rules rules{};
  rules.seed = impairment.seed.value_or(0);
  rules.seeded = impairment.seed.has_value() ? 1 : 0;
  rules.mark = crc32c(impairment.id) | 1U;
  rules.tap = static_cast<__u32>(act.tap);
  rules.device = static_cast<__u32>(device_of(impairment));
  rules.control_port = traffic.control_port;
  rules.act = act_of(act.act);
  rules.egress = hook == Hook::egress ? 1 : 0;
  rules.protocol = protocol_of(traffic.protocol);
  rules.dscp = dscp_mask(traffic);
  rules.home = traffic.at_home ? 1 : 0;
  rules.all_peers = hits_all(traffic) ? 1 : 0;
  rules.some_ports = traffic.ports.empty() ? 0 : 1;
  rules.some_local = traffic.local_ports.empty() ? 0 : 1;
  rules.judged = comes_twice(impairment, act) ? static_cast<__u16>(rules.mark) | 1U : 0;
  rules.onward = act.act == OnMatch::Act::queue && hook == Hook::egress && both_of_loopback(impairment) ? 1 : 0;
  rules.cgroup = impairment.cgroup ? impairment.cgroup->id : 0;
  rules.cgroup_level = impairment.cgroup ? impairment.cgroup->level : 0;
  rules.spare_open = traffic.spare_open ? 1 : 0;
  return rules;
}

__u64 share_of(double fraction) { return static_cast<__u64>(std::llround(std::ldexp(fraction, 32))); }

__u64 monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<__u64>(Duration(std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec)).count());
}

void set_model(arashi_fate& fate, const Effects& effects) {
  if (const auto& two = effects.gilbert_elliott) {
    fate.model = ARASHI_TWO_STATES;
    fate.p = share_of(two->p);
    fate.r = share_of(two->r);
    fate.lost_in_bad = share_of(two->lost_in_bad);
    fate.lost_in_good = share_of(two->lost_in_good);
  }
  if (const auto& four = effects.four_state) {
    fate.model = ARASHI_FOUR_STATES;
    fate.p13 = share_of(four->p13);
    fate.p31 = share_of(four->p31);
    fate.p32 = share_of(four->p32);
    fate.p23 = share_of(four->p23);
    fate.p14 = share_of(four->p14);
  }
}

arashi_fate fate_of(const Effects& effects) {
  arashi_fate fate{};
  fate.loss = share_of(effects.loss);
  fate.loss_kept = share_of(effects.loss_correlation);
  fate.duplicate = share_of(effects.duplicate.share);
  fate.duplicate_kept = share_of(effects.duplicate.correlation);
  fate.corrupt = share_of(effects.corrupt.share);
  fate.corrupt_kept = share_of(effects.corrupt.correlation);
  set_model(fate, effects);
  fate.ramp = static_cast<__u64>(effects.ramp.count());
  fate.begin = monotonic_now();
  return fate;
}

template <class Words>
void set_ports(Words& words, const std::vector<PortRange>& ranges) {
  for (const auto& range : ranges)
    for (unsigned port = range.first; port <= range.last; ++port) words[port >> 6U] |= 1ULL << (port & 63U);
}

arashi_peer key_of(const Cidr& block) {
  arashi_peer key{};
  key.prefix = block.prefix;
  std::copy(block.address.begin(), block.address.end(), std::begin(key.address));
  return key;
}

// The kernel's own number, which no header for programs has: this kind of map takes no batches here (before Linux 5.13).
constexpr int not_supported_524 = 524;

// A thousand peers in one call, where the kernel can.
Result<void> fill_peers(int table, const std::vector<PeerRule>& rules) {
  std::vector<arashi_peer> keys;
  std::vector<std::uint8_t> verdicts;
  for (const auto& rule : rules) {
    keys.push_back(key_of(rule.block));
    verdicts.push_back(static_cast<std::uint8_t>(rule.verdict));
  }
  auto count = static_cast<__u32>(keys.size());
  if (count == 0 || bpf_map_update_batch(table, keys.data(), verdicts.data(), &count, nullptr) == 0) return {};
  if (errno != not_supported_524 && errno != EINVAL && errno != EOPNOTSUPP) return sys_fail("fill the peer table");
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (bpf_map_update_elem(table, &keys[i], &verdicts[i], BPF_ANY) != 0)
      return sys_fail("put ", to_text(rules[i].block), " into the peer table");
  return {};
}

Result<Counters> sum_counters(int table) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail(Blame::system, "the number of CPUs is not known");
  std::vector<arashi_counters> each(static_cast<std::size_t>(cpus));
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(table, &zero, each.data()) != 0) return sys_fail("read the fault's counters");
  Counters sum;
  for (const auto& one : each)
    sum += Counters{.seen = one.seen,
                    .matched = one.matched,
                    .affected = one.affected,
                    .lost = one.lost,
                    .duplicated = one.duplicated,
                    .corrupted = one.corrupted};
  return sum;
}

Result<void> put_ports(int served, const std::vector<ServedPort>& ports) {
  const std::uint8_t known = 1;
  for (const auto& each : ports) {
    const arashi_served key{.port = each.port, .protocol = each.protocol, .zero = 0};
    if (bpf_map_update_elem(served, &key, &known, BPF_ANY) != 0) return sys_fail("tell the classifier of port ", each.port);
  }
  return {};
}

Unexpected<Error> load_fail(const char* what) {
  const int code = errno;
  const auto blame = code == EPERM ? Blame::refused : code == ENOSYS || code == EINVAL ? Blame::unsupported : Blame::system;
  const char* remedy = code == EPERM ? "; CAP_BPF and CAP_NET_ADMIN (or root) are needed" : "";
  return fail(blame, what, ": ", std::strerror(code), remedy);
}

int say_nothing(libbpf_print_level /*level*/, const char* /*format*/, va_list /*args*/) { return 0; }

}  // namespace

Counters& Counters::operator+=(const Counters& other) {
  seen += other.seen;
  matched += other.matched;
  affected += other.affected;
  lost += other.lost;
  duplicated += other.duplicated;
  corrupted += other.corrupted;
  return *this;
}

struct Classifier::Held {
  impair* skeleton = nullptr;
  bool learns = false;
  Held() = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  Held(Held&&) = delete;
  Held& operator=(Held&&) = delete;
  ~Held() { impair__destroy(skeleton); }
};

Classifier::Classifier(std::unique_ptr<Held> held) : held_(std::move(held)) {}
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;
Classifier::~Classifier() = default;

Result<Classifier> Classifier::load_blank(Needs needs) {
  libbpf_set_print(say_nothing);
  auto held = std::make_unique<Held>();
  held->skeleton = impair__open();
  if (held->skeleton == nullptr) return load_fail("open the classifier");
  bpf_program__set_autoload(held->skeleton->progs.arashi_back, needs.way_back);
  bpf_program__set_autoload(held->skeleton->progs.arashi_learn, needs.learner);
  held->learns = needs.learner;
  if (!needs.learner)
    for (auto* table : {held->skeleton->maps.flows, held->skeleton->maps.served}) bpf_map__set_max_entries(table, 1);
  if (impair__load(held->skeleton) != 0) return load_fail("load the classifier into the kernel");
  return Classifier(std::move(held));
}

// Before it is attached, so nobody reads it yet.
Result<void> Classifier::tell(const Impairment& impairment, Hook hook, const OnMatch& act) {
  auto& told = *held_->skeleton->data_rules;
  told.rules = rules_of(impairment, hook, act);
  told.fate = act.act == OnMatch::Act::lose ? fate_of(impairment.effects) : arashi_fate{};
  set_ports(told.remote_ports, impairment.traffic.ports);
  set_ports(told.local_ports, impairment.traffic.local_ports);
  if (told.rules.all_peers != 0) return {};
  return fill_peers(bpf_map__fd(held_->skeleton->maps.peers), peer_rules(impairment.traffic));
}

Result<Classifier> Classifier::load(const Host& host, const Impairment& impairment, Hook hook, const OnMatch& act) {
  const Needs needs{.way_back = act.act != OnMatch::Act::lose, .learner = impairment.cgroup && hook == Hook::ingress};
  auto spare = needs.learner || host.classifiers == nullptr ? std::nullopt : host.classifiers->take();
  auto classifier = spare ? *std::move(spare) : TRY(load_blank(needs));
  TRY(classifier.tell(impairment, hook, act));
  return classifier;
}

int Classifier::program() const { return bpf_program__fd(held_->skeleton->progs.arashi_hook); }

int Classifier::back_program() const { return bpf_program__fd(held_->skeleton->progs.arashi_back); }

int Classifier::learn_program() const { return held_->learns ? bpf_program__fd(held_->skeleton->progs.arashi_learn) : -1; }

Result<void> Classifier::know(const std::vector<ServedPort>& ports) const {
  return put_ports(bpf_map__fd(held_->skeleton->maps.served), ports);
}

void Classifier::beat(Duration monotonic) const {
  std::atomic_ref(held_->skeleton->bss->beat).store(static_cast<__u64>(monotonic.count()), std::memory_order_relaxed);
}

Result<Counters> Classifier::counters() const { return sum_counters(bpf_map__fd(held_->skeleton->maps.counters)); }

namespace {

// A map of an attached program, found by its name.
Result<Fd> map_of(std::uint32_t program_id, std::string_view name) {
  const Fd program(bpf_prog_get_fd_by_id(program_id));
  if (!program) return fail(Blame::missing, "BPF program ", program_id, " is gone");
  std::array<std::uint32_t, 8> maps{};
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  if (bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) return sys_fail("read BPF program ", program_id);
  for (std::size_t i = 0; i < std::min<std::size_t>(info.nr_map_ids, maps.size()); ++i) {
    Fd map(bpf_map_get_fd_by_id(maps.at(i)));
    bpf_map_info map_info{};
    std::uint32_t map_length = sizeof map_info;
    if (map && bpf_obj_get_info_by_fd(map.get(), &map_info, &map_length) == 0 && std::string_view(map_info.name) == name) return map;
  }
  return fail(Blame::missing, "BPF program ", program_id, " has no map '", name, "'");
}

}  // namespace

Result<Counters> counters_of(std::uint32_t program_id) { return sum_counters(TRY(map_of(program_id, "counters")).get()); }

Result<void> change_peers(std::uint32_t program_id, const std::vector<PeerRule>& before, const std::vector<PeerRule>& now) {
  const auto table = TRY(map_of(program_id, "peers"));
  std::vector<PeerRule> fresh;
  std::ranges::set_difference(now, before, std::back_inserter(fresh));
  TRY(fill_peers(table.get(), fresh));  // first what is new, so that a peer that only moved is never without a fault
  for (const auto& old : before) {
    if (std::ranges::find(now, old.block, &PeerRule::block) != now.end()) continue;
    const auto key = key_of(old.block);
    if (bpf_map_delete_elem(table.get(), &key) != 0 && errno != ENOENT)
      return sys_fail("take ", to_text(old.block), " out of the peer table");
  }
  return {};
}

Result<std::vector<ServedPort>> known_ports(std::uint32_t program_id) {
  const auto table = TRY(map_of(program_id, "served"));
  std::vector<arashi_served> keys(ARASHI_MOST_FLOWS);
  std::vector<std::uint8_t> values(keys.size());
  std::vector<ServedPort> known;
  std::uint32_t batch = 0;
  for (bool is_first = true, is_last = false; !is_last; is_first = false) {
    auto count = static_cast<std::uint32_t>(keys.size());
    is_last = bpf_map_lookup_batch(table.get(), is_first ? nullptr : &batch, &batch, keys.data(), values.data(), &count, nullptr) != 0;
    if (is_last && errno != ENOENT) return sys_fail("read the ports that the classifier knows");
    for (std::uint32_t i = 0; i < count; ++i) known.push_back({.protocol = keys[i].protocol, .port = keys[i].port});
  }
  return known;
}

Result<void> change_ports(std::uint32_t program_id, const std::vector<ServedPort>& known, const std::vector<ServedPort>& now) {
  const auto table = TRY(map_of(program_id, "served"));
  TRY(put_ports(table.get(), now));
  for (const auto& each : known) {
    if (std::ranges::find(now, each) != now.end()) continue;
    const arashi_served key{.port = each.port, .protocol = each.protocol, .zero = 0};
    if (bpf_map_delete_elem(table.get(), &key) != 0 && errno != ENOENT) return sys_fail("take port ", each.port, " from the classifier");
  }
  return {};
}

// Only this one byte differs from what the program reads meanwhile.
Result<void> hit_open_connections(std::uint32_t program_id) {
  const auto map = TRY(map_of(program_id, ".data.rules"));
  const std::uint32_t zero = 0;
  impair::impair__data_rules told{};
  if (bpf_map_lookup_elem(map.get(), &zero, &told) != 0) return sys_fail("read the rules of BPF program ", program_id);
  told.rules.spare_open = 0;
  if (bpf_map_update_elem(map.get(), &zero, &told, BPF_ANY) != 0) return sys_fail("change the rules of BPF program ", program_id);
  return {};
}

Result<Duration> beat_of(std::uint32_t program_id) {
  const auto map = TRY(map_of(program_id, "impair.bss"));
  impair::impair__bss variables{};
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(map.get(), &zero, &variables) != 0) return sys_fail("read the worker's last beat");
  return Duration(static_cast<Duration::rep>(variables.beat));
}

Result<std::uint32_t> id_of_program(int program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(program, &info, &length) != 0) return sys_fail("read a BPF program's id");
  return info.id;
}

std::string name_of_program(std::uint32_t id) {
  const Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) return {};
  return {info.name, strnlen(info.name, sizeof info.name)};
}

Result<void> probe_bpf() {
  static std::atomic<bool> has_worked = false;  // what a process could load once it can load again
  if (has_worked) return {};
  libbpf_set_print(say_nothing);
  constexpr std::array<bpf_insn, 2> pass_all{bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1},
                                             bpf_insn{.code = BPF_JMP | BPF_EXIT}};
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "arashi_probe", "GPL", pass_all.data(), pass_all.size(), nullptr));
  if (!program) return load_fail("load a BPF program");
  has_worked = true;
  return {};
}

}  // namespace arashi
