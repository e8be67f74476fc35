#include "experiments/engine/budget_ledger.hpp"

#include "experiments/engine/budget_names.hpp"
#include "experiments/guard/ledger.hpp"
#include "injector/core/json.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace arashi::engine {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t largest_promise = 1 << 20;  // bytes

Result<Fd> locked(const fs::path& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return sys_fail("open '", path.string(), "'");
  if (::flock(file.get(), LOCK_EX) != 0) return sys_fail("lock '", path.string(), "'");
  return file;
}

// Nobody holds its lock any more: its runner is dead.
bool abandoned(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return !file || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0;
}

// Not knowing what was promised means that nothing may be spent.
Result<guard::Promises> read_promises(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) > largest_promise || error)
    return fail(Blame::system, "'", path.string(), "' is no promise of a budget; take it away if no experiment is under way");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  auto read = parse_json(text.str());
  if (!read) return because(read.error(), "'", path.string(), "': what another experiment may spend");
  auto promises = guard::promises_from(*read);
  if (!promises) return because(promises.error(), "'", path.string(), "'");
  return promises;
}

Result<std::vector<guard::Promises>> read_all(const fs::path& directory) {
  std::vector<guard::Promises> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".json") continue;
    if (abandoned(entry.path())) {
      std::error_code gone_already;
      fs::remove(entry.path(), gone_already);
      continue;
    }
    all.push_back(TRY(read_promises(entry.path())));
  }
  if (error) return fail(Blame::system, "read '", directory.string(), "': ", error.message());
  return all;
}

// `budgets`: one for each authoritative source, in their order. The SLO goes by the one of which the least is there.
void take_promises(const std::vector<guard::Promises>& others, const std::vector<std::string>& budgets, const guard::Config& config,
                   guard::SloTerms& slo) {
  std::size_t next = 0;
  for (const auto& source : slo.sources) {
    if (!source.authoritative || next == budgets.size()) continue;
    const std::string& budget = budgets[next++];
    slo.promised = std::max(slo.promised, guard::promised(others, budget, slo, source));
    slo.bearable = std::min(slo.bearable, guard::bearable(others, budget, slo, source, config));
  }
}

}  // namespace

Result<BudgetLedger> BudgetLedger::enter(const fs::path& directory, const std::string& run, const spec::Experiment& experiment,
                                         guard::Config& config) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    return fail(Blame::system, "make '", directory.string(), "', where experiments write down what they may spend: ", error.message(),
                "; name another place with --run-dir");
  const Fd turn = TRY(locked(directory / "lock"));  // one at a time reads and promises
  const auto others = TRY(read_all(directory));
  std::vector<std::vector<std::string>> budgets;
  for (std::size_t i = 0; i < std::min(experiment.slos.size(), config.slos.size()); ++i) {
    budgets.push_back(budgets_of(experiment.slos[i], experiment));
    take_promises(others, budgets.back(), config, config.slos[i]);
  }
  TRY(guard::Guard::make(config));
  const fs::path path = directory / (run + ".json");
  Fd file = TRY(locked(path));
  const std::string text = to_text(guard::to_json(guard::promises_of(run, config, budgets))) + "\n";
  if (::ftruncate(file.get(), 0) != 0 || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return sys_fail("write '", path.string(), "'");
  return BudgetLedger(path, std::move(file));
}

BudgetLedger::~BudgetLedger() {
  if (!file_) return;
  std::error_code ignored;
  fs::remove(path_, ignored);
}

}  // namespace arashi::engine
