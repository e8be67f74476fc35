#include "tests/contract/stage.hpp"

#include "injector/core/kinds.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

namespace arashi::testing {

namespace {

// Texts, and mappings of texts such as {target: wallet}.
Json listed(const YAML::Node& node) {
  Json list = Json::array();
  for (const auto& item : node)
    list.push_back(item.IsMap() ? Json(item.as<std::map<std::string, std::string>>()) : Json(item.as<std::string>()));
  return list;
}

}  // namespace

std::string Way::name() const { return std::string(fault->name) + " on a " + kind + " with " + to_text(given); }

Json example_of(const Param& param) {
  const auto node = YAML::Load(std::string(param.example));
  if (param.type == ParamType::numbers) return node.as<std::vector<std::int64_t>>();
  constexpr std::array lists{ParamType::list, ParamType::peers, ParamType::percents, ParamType::ports};
  const bool is_list = std::ranges::find(lists, param.type) != lists.end();
  if (is_list && node.IsSequence()) return listed(node);
  if (param.type == ParamType::integer) return node.as<std::int64_t>();
  if (param.type == ParamType::boolean) return node.as<bool>();
  return node.as<std::string>();
}

namespace {
bool is_of_the_network(const Fault& fault) { return std::ranges::find(fault.scopes, Scope::netns) != fault.scopes.end(); }
}  // namespace

Stage::Stage() : pair_(std::in_place), cgroup_(std::in_place, "v2", "arashitest") {
  std::filesystem::create_directories(files());
  // A rule that has connections tracked, as a firewall or a service mesh has.
  const auto tracked = pair_->left.run({"nft",
                                        "add table inet stage; add chain inet stage out { type filter hook output priority 0; }; "
                                        "add rule inet stage out ct state invalid drop"});
  if (tracked.exit_code != 0) FAIL("nft: " << tracked.output);
  victim("process");
}

std::vector<Way> Stage::ways_of(const Fault& fault) const {
  const auto file = (files() / "it").string();
  const std::string peer = Pair::right_v4;
  const std::map<std::string_view, std::vector<Json>> known{
      {"process.kill", {Json::object(), {{"every", "100ms"}}, {{"signal", "TERM"}}}},
      {"process.pause", {Json::object(), {{"mechanism", "sigstop"}}}},
      {"command.run", {{{"command", {"touch", file}}, {"undo", {"rm", "-f", file}}, {"verify", {"test", "-e", file}}}}},
      {"network.impair", {{{"loss", "50%"}, {"direction", "both"}}, {{"delay", "20ms"}}, {{"loss", "50%"}, {"peers", {peer}}}}},
      {"network.down", {{{"device", "eth0"}}, {{"device", "eth0"}, {"every", "1s"}}}},
      {"network.reset", {{{"new", "50%"}, {"every", "1s"}}, Json::object()}},
      {"conntrack.exhaust", {{{"share", "1%"}}}},
      {"ports.exhaust", {{{"protocol", "both"}, {"share", "1%"}}}},
      {"dns.answer", {{{"answer", "servfail"}}}},
      {"network.partition", {{{"peers", {peer}}}, {{"peers", {peer}}, {"established", "reset"}}}},
  };
  Json examples = Json::object();
  for (const auto& param : fault.params)
    if (param.required) examples[std::string(param.name)] = example_of(param);
  const auto found = known.find(fault.name);
  const auto all = found == known.end() ? std::vector<Json>{examples} : found->second;
  std::vector<Way> ways;
  for (const auto& given : all) {
    for (const auto kind : kinds_in(fault.scopes)) {
      const bool is_the_machine = kind == "node" && fault.name != "command.run";
      // A network fault of a process is one of its namespace; once is enough for the slow tests.
      const bool is_the_same = is_of_the_network(fault) && kind != "netns" && (kind != "cgroup" || fault.name != "network.impair");
      if (!is_the_machine && !is_the_same) ways.push_back({&fault, std::string(kind), given});
    }
    if (fault.name == "command.run") ways.resize(1);
  }
  return ways;
}

Victim Stage::victim(const std::string& kind) {
  if (!child_ || child_->wait(Duration::zero())) {
    child_.reset();
    child_.emplace(sleeper(pair_->left.path(), {cgroup_->path()}));
  }
  const Host host;
  if (kind == "netns") return the_victim(host, {"netns", {{"name", pair_->left.name()}}});
  if (kind == "cgroup" || kind == "unit") {
    auto victim = the_victim(host, {"cgroup", {{"path", cgroup_->below_root()}}});
    victim.kind = kind;
    return victim;
  }
  if (kind == "node") return the_victim(host, {"node", {}});
  return the_victim(host, {"process", {{"name", "sleep"}, {"netns", pair_->left.name()}}});
}

void Stage::clear() {
  child_.reset();
  pair_.reset();
  cgroup_.reset();
}

Snapshot Stage::look(const Way& way, const std::string& id) const {
  Extent scope{.directories = {files()}, .ids = {id}};
  if (pair_) scope.netns = {pair_->left.name(), pair_->right.name()};
  if (cgroup_ && way.fault->reversible) scope.cgroups = {cgroup_->path()};
  if (child_ && way.fault->reversible) scope.processes = {child_->pid()};
  return take(scope);
}

Ran Stage::play(const std::string& script, const std::string& id, std::int32_t worker) const {
  const auto other = directory_.path() / "other";
  std::filesystem::create_directories(other);
  return pair_->left.run({"env", "PID=" + std::to_string(child_->pid()), "CGROUP=" + cgroup_->path().string(),
                          "WORKER=" + std::to_string(worker), "ID=" + id, "PEER=" + pair_->right.name(), "FILES=" + files().string(),
                          "OTHER=" + other.string(), "sh", "-ec", script});
}

}  // namespace arashi::testing
