#include "tests/bench/guard/world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::sim {
namespace {

using Random = std::mt19937_64;

double uniform(Random& random) { return std::uniform_real_distribution<double>(0, 1)(random); }

// The fault's own error ratio at so many seconds after the injection.
double fault_at(const Cell& cell, double t) {
  const double full = cell.ratio();
  if (t < 0 || cell.burn <= 0) return 0;
  switch (cell.shape) {
    case Shape::step:
      return full;
    case Shape::ramp:
      return full * std::min(1.0, t / 60);
    case Shape::blip:
      return t >= 30 && t < 32 ? full : 0;
    case Shape::periodic:
      return std::fmod(t, 60) < 10 ? full : 0;
    case Shape::late:
      return t >= 120 ? full : 0;
    case Shape::recover5:
      return t < 5 ? full : 0;
    case Shape::recover30:
      return t < 30 ? full : 0;
  }
  return full;
}

// A process of its own for everything that has a memory.
class Errors {
 public:
  Errors(const Cell& cell, Random& random) : cell_(cell), random_(random), phase_(uniform(random)) {}

  double clean_at(double t) {
    const double usual = cell_.baseline * (1 - cell_.objective);
    switch (cell_.wander) {
      case Baseline::steady:
        return usual;
      case Baseline::drifting:
        level_ = std::clamp(level_ * std::exp(std::normal_distribution<double>(0, 0.02)(random_)), 0.25, 4.0);
        return usual * level_;
      case Baseline::diurnal:
        return usual * (1 + 0.8 * std::sin(6.2831853 * (t / 86400 + phase_)));
      case Baseline::bursty:  // two seconds of 30 %, on average once in 300 s, as in reference tables; not in the first ten seconds
        if (t > 12 && t >= burst_until_ && uniform(random_) < 1.0 / 300) burst_until_ = t + 2;
        return t < burst_until_ ? 0.3 : usual;
    }
    return usual;
  }

  // The same mean, but the errors of a second come together.
  double correlated(double ratio, double t) {
    if (ratio <= 0 || ratio >= 1) return ratio;
    if (cell_.dependence == Dependence::beta_binomial) {
      const double scale = (1 - cell_.rho) / cell_.rho;
      const double a = std::gamma_distribution<double>(ratio * scale, 1)(random_);
      const double b = std::gamma_distribution<double>((1 - ratio) * scale, 1)(random_);
      return a + b > 0 ? a / (a + b) : ratio;
    }
    if (cell_.dependence != Dependence::bursts) return ratio;
    // Markov: bursts of 3 s on average, in which errors are five times as frequent.
    const double high = std::min(1.0, 5 * ratio), share = ratio / high;
    const double leave = 1.0 / 3, enter = share >= 1 ? 1 : leave * share / (1 - share);
    if (static_cast<int>(t) != last_) {
      last_ = static_cast<int>(t);
      in_burst_ = uniform(random_) < (in_burst_ ? 1 - leave : std::min(1.0, enter));
    }
    return in_burst_ ? high : 0;
  }

 private:
  const Cell& cell_;
  Random& random_;
  double phase_, level_ = 1, burst_until_ = -1;
  bool in_burst_ = false;
  int last_ = -1000;
};

std::uint32_t binomial(std::uint32_t n, double p, Random& random) {
  if (n == 0 || p <= 0) return 0;
  if (p >= 1) return n;
  return std::binomial_distribution<std::uint32_t>(n, p)(random);
}

// What a source makes of the steps it looked at: one slice.
guard::Slice gather(const Trace& trace, std::size_t from, std::size_t to) {
  const auto at = [&](std::size_t i) { return Duration(static_cast<std::int64_t>(static_cast<double>(i) * trace.step * 1e9)); };
  guard::Slice slice{.begin = at(from), .end = at(to)};
  slice.newest = slice.end;
  guard::Counts control;
  for (std::size_t i = from; i < to; ++i) {
    slice.total += trace.total[i];
    slice.bad += trace.bad[i];
    if (!trace.control) continue;
    control.total += trace.control_total[i];
    control.bad += trace.control_bad[i];
  }
  if (trace.control) slice.control = control;
  return slice;
}

Duration in_seconds(double value) { return Duration(static_cast<std::int64_t>(value * 1e9)); }

guard::Slice notice(Duration at, Duration newest, guard::Freshness state) {
  return {.begin = at, .end = at, .state = state, .newest = newest, .problem = "simulated"};
}

// From 50 to 70 s after the injection the direct source is in trouble. `first`..`next` are steps.
class Troubled {
 public:
  Troubled(const Cell& cell, const Trace& trace) : cell_(cell), trace_(trace) {}

  void step(std::size_t i, std::vector<Told>& told) {
    const Duration end = in_seconds(static_cast<double>(i + 1) * trace_.step);
    const double t = static_cast<double>(i + 1) * trace_.step - trace_.injected;
    const bool now = t > 50 && t <= 70;
    if (now && silent(end, t, told)) return;
    guard::Slice slice = gather(trace_, from_, i + 1);
    from_ = i + 1;
    if (now && !bend(slice, t, told, end)) return;
    told.push_back({end, slice});
    if (now && cell_.trouble == Trouble::duplicate) told.push_back({end, slice});
  }

 private:
  // No slice now; whether it will be caught up with depends.
  bool silent(Duration end, double t, std::vector<Told>& told) {
    const Duration newest = in_seconds(static_cast<double>(from_) * trace_.step);
    switch (cell_.trouble) {
      case Trouble::gap:
        if (t <= 60) ++from_;
        return t <= 60;
      case Trouble::stale:
        told.push_back({end, notice(end, newest, guard::Freshness::stale)});
        return t <= 65;
      case Trouble::refused:
        told.push_back({end, notice(end, newest, guard::Freshness::error)});
        return t <= 69;
      case Trouble::not_a_number:
        if (t <= 55) told.push_back({end, notice(end, newest, guard::Freshness::not_a_number)});
        return t <= 55;
      default:
        return false;
    }
  }
  // False: kept back for later.
  bool bend(guard::Slice& slice, double t, std::vector<Told>& told, Duration end) {
    const bool once = t <= 51;
    if (cell_.trouble == Trouble::reset && once) {
      slice.total /= 2;
      slice.bad /= 2;
      slice.state = guard::Freshness::partial;
    }
    if (cell_.trouble == Trouble::late_born && t <= 55) {
      slice.bad = 0;
      slice.state = guard::Freshness::late_born;
    }
    if (cell_.trouble == Trouble::partial) {
      slice.total /= 2;
      slice.bad /= 2;
      slice.state = guard::Freshness::partial;
      slice.missing = 0.5;
    }
    if (cell_.trouble == Trouble::ahead) slice.newest += std::chrono::seconds(2);
    if (cell_.trouble == Trouble::behind) slice.newest -= std::chrono::seconds(2);
    if (cell_.trouble != Trouble::disorder) return true;
    if (!kept_) {
      kept_ = slice;
      return false;
    }
    told.push_back({end, slice});
    told.push_back({end, *kept_});
    kept_.reset();
    return false;
  }

  const Cell& cell_;
  const Trace& trace_;
  std::size_t from_ = 0;
  std::optional<guard::Slice> kept_;
};

// A scraper or a hosted service: slices of `period`, told `lag` seconds after their end.
std::vector<Told> tell_in_periods(const Trace& trace, double period, double lag, double phase) {
  std::vector<Told> told;
  std::size_t from = 0;
  for (int i = 0; phase + i * period <= static_cast<double>(trace.total.size()); ++i) {
    const auto to = static_cast<std::size_t>(phase + i * period);
    if (to > from) told.push_back({in_seconds(static_cast<double>(to) + lag), gather(trace, from, to)});
    from = to;
  }
  return told;
}

}  // namespace

Trace draw(const Cell& cell, Random& random) {
  Trace trace;
  trace.step = cell.source == Source::quarter ? 0.25 : 1;
  trace.injected = before + uniform(random);
  trace.clean = cell.baseline * (1 - cell.objective);
  trace.control = cell.dependence == Dependence::one_replica;
  Errors errors(cell, random);
  const auto steps = static_cast<std::size_t>((before + 1 + cell.length) / trace.step);
  std::poisson_distribution<std::uint32_t> events(cell.rate * trace.step);
  for (std::size_t i = 0; i < steps; ++i) {
    const double t = static_cast<double>(i) * trace.step - trace.injected;
    const double clean = errors.clean_at(t);
    // The step in which it is injected has only its rest of the fault.
    const double part = std::clamp((t + trace.step) / trace.step, 0.0, 1.0);
    double fault = fault_at(cell, std::max(t, 0.0)) * (t + trace.step > 0 ? part : 0);
    if (fault > 0) fault = errors.correlated(fault, t);
    const std::uint32_t total = events(random);
    if (trace.control) {  // one of four replicas has the fault
      const std::uint32_t untouched = binomial(total, 0.75, random);
      const std::uint32_t bad = binomial(untouched, clean, random);
      trace.control_total.push_back(untouched);
      trace.control_bad.push_back(bad);
      trace.bad.push_back(bad + binomial(total - untouched, std::max(std::min(1.0, 4 * fault), clean), random));
    } else {
      trace.bad.push_back(binomial(total, std::max(fault, clean), random));
    }
    trace.total.push_back(total);
  }
  return trace;
}

std::vector<Told> tell(const Cell& cell, const Trace& trace, Random& random) {
  if (cell.source == Source::scrape15) return tell_in_periods(trace, 15, 1, 1 + 14 * uniform(random));
  if (cell.source == Source::scrape60) return tell_in_periods(trace, 60, 1, 1 + 59 * uniform(random));
  if (cell.source == Source::saas) return tell_in_periods(trace, 60, 60 + 120 * uniform(random), 1 + 59 * uniform(random));
  std::vector<Told> told;
  Troubled source(cell, trace);
  for (std::size_t i = 0; i < trace.total.size(); ++i) source.step(i, told);
  // A hung request is decided when it is too old: the second closes a latency threshold after its end.
  if (cell.source == Source::hang)
    for (Told& each : told) each.now += std::chrono::milliseconds(300);
  return told;
}

// So old the newest counts may be.
Duration lag_of(Source source) {
  switch (source) {
    case Source::second:
      return std::chrono::seconds(1);
    case Source::quarter:
      return std::chrono::milliseconds(250);
    case Source::hang:
      return std::chrono::milliseconds(1300);
    case Source::scrape15:
      return std::chrono::seconds(16);
    case Source::scrape60:
      return std::chrono::seconds(61);
    case Source::saas:
      return std::chrono::seconds(240);
  }
  return {};
}

guard::Config config_of(const Cell& cell) {
  guard::Config config;
  const double window = 720 * 3600.0;
  // What is called the highest rate has to be one over minutes, but no more: sources that come late are charged by it.
  const double peak = cell.source == Source::second || cell.source == Source::quarter || cell.source == Source::hang ? 1.2 : 1.05;
  config.slos = {{.name = "checkout",
                  .objective = cell.objective,
                  .sources = {{.window_events = cell.rate * window,
                               .extrapolated = false,
                               .rate_most = cell.rate * peak,
                               .by_chance = true,
                               .lag = lag_of(cell.source)}}}};
  config.budget = cell.budget;
  config.length = std::chrono::seconds(cell.length);
  config.rollback = std::chrono::seconds(1);
  return config;
}

namespace {

template <class Enum, std::size_t N>
std::string name(Enum value, const std::array<const char*, N>& names) {
  return names[static_cast<std::size_t>(value)];
}

std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

std::string words(const Cell& cell) {
  constexpr std::array shapes{"", "rising over 60 s", "2 s only", "10 s in each minute", "from 120 s on", "for 5 s", "for 30 s"};
  constexpr std::array kinds{"", "beta-binomial", "in bursts", "one of four replicas"};
  constexpr std::array baselines{"", "drifting", "diurnal", "with 2 s blips of 30 %"};
  constexpr std::array sources{"", "slices of 250 ms", "hanging requests", "15 s scrape", "60 s scrape", "hosted, 1 to 3 min late"};
  constexpr std::array troubles{"",      "gap",          "stale",           "counter reset",    "late-born",
                                "twice", "out of order", "clock 2 s ahead", "clock 2 s behind", "no answer",
                                "NaN",   "partial"};
  std::string text = plain(cell.rate) + "/s, " + plain(cell.objective * 100) + " %, ";
  text += cell.burn <= 0 ? "no fault" : cell.ratio() >= 1 ? "outage" : "burn " + plain(cell.burn);
  for (const std::string& more : {name(cell.shape, shapes), name(cell.dependence, kinds) + (cell.rho > 0 ? " rho " + plain(cell.rho) : ""),
                                  name(cell.source, sources), name(cell.trouble, troubles)})
    if (!more.empty()) text += ", " + more;
  if (cell.baseline != 0.2 || cell.wander != Baseline::steady)
    text += ", baseline " + plain(cell.baseline) + (cell.wander == Baseline::steady ? "" : " " + name(cell.wander, baselines));
  if (cell.budget != 0.02) text += ", X " + plain(cell.budget * 100) + " %";
  if (cell.length != 600) text += ", " + plain(cell.length / 60.0) + " min";
  return text;
}

}  // namespace arashi::sim
