#include "experiments/sli/hosted/provider.hpp"

#include "experiments/sli/answer.hpp"
#include "experiments/sli/poller.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace arashi::sli {
namespace {

constexpr std::size_t largest_answer = std::size_t{16} << 20U;
constexpr Duration longest_answer = std::chrono::seconds(10);
constexpr double jitter = 0.1;  // of the period: many runners must not ask at the same moment
constexpr Duration throttled_for = std::chrono::seconds(15);

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The services have four ways to say why: errors [text or {message}], error (text or {message}), message, Message.
std::string reason(const Json& json) {
  if (!json.is_object()) return {};
  for (const char* name : {"errors", "error"}) {
    const auto found = json.find(name);
    if (found == json.end()) continue;
    const Json& first = found->is_array() && !found->empty() ? found->front() : *found;
    if (first.is_string()) return first.get<std::string>();
    if (first.is_object() && !text_of(first, "message").empty()) return text_of(first, "message");
  }
  for (const char* name : {"message", "Message", "__type"})
    if (std::string text = text_of(json, name); !text.empty()) return text;
  return {};
}

std::string short_text(std::string text) {
  constexpr std::size_t most = 300;
  if (text.size() > most) text = text.substr(0, most) + "…";
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

struct Fetched {
  Result<Batch> batch;
  Duration leave_alone{};
  std::optional<double> server_time;
};

// What an answer with another status than 200 means.
Unexpected<Error> problem(const HttpReply& reply, const std::string& name) {
  const auto json = parse_json(reply.body, largest_answer);
  const std::string why = json ? short_text(reason(*json)) : std::string();
  const bool ours = reply.status >= 400 && reply.status < 500 && reply.status != 429 && reply.status != 408;
  return fail(ours ? Blame::input : Blame::system, name, ": HTTP status ", reply.status, why.empty() ? "" : ": ", why);
}

// AWS says "slow down" with status 400 and a type.
Duration pause_wanted(const HttpReply& reply) {
  const Duration wanted = leave_alone(reply, wall_now());
  return reply.status == 400 && reply.body.find("Throttl") != std::string::npos ? std::max(wanted, throttled_for) : wanted;
}

class Fetching {
 public:
  explicit Fetching(std::unique_ptr<Provider> provider) : owned_(std::move(provider)), provider_(*owned_) {}
  explicit Fetching(Provider& provider) : provider_(provider) {}

  Fetched fetch(const Stretch& stretch, Duration timeout, const std::stop_token& stop) {
    Fetched fetched{Batch{}, {}, std::nullopt};
    fetched.batch = answer(stretch, boot_now() + timeout, stop, fetched);
    return fetched;
  }

 private:
  Result<Batch> answer(const Stretch& stretch, Duration deadline, const std::stop_token& stop, Fetched& about) {
    auto requests = TRY(provider_.requests(stretch));
    std::vector<Json> answers;
    for (HttpRequest& request : requests) {
      request.timeout = std::max<Duration>(deadline - boot_now(), std::chrono::milliseconds(1));
      request.largest_reply = largest_answer;
      request.stop = stop;
      answers.push_back(TRY(ask(request, about)));
    }
    auto batch = provider_.read(answers, stretch);
    if (!batch) return because(batch.error(), provider_.name());
    return batch;
  }

  Result<Json> ask(const HttpRequest& request, Fetched& about) {
    const auto reply = client_.send(request);
    if (!reply) {
      std::string why = reply.error().message;  // it names the whole URL with its query: too long for a person
      const auto at = why.find(request.url);
      if (at != std::string::npos) why.replace(at, request.url.size(), provider_.name());
      return fail(reply.error().blame, why);
    }
    about.leave_alone = std::max(about.leave_alone, pause_wanted(*reply));
    about.server_time = server_time(*reply);
    if (reply->status == 401 || reply->status == 403) provider_.refused();
    if (reply->status != 200) return problem(*reply, provider_.name());
    auto json = parse_json(reply->body, largest_answer);
    if (!json) return because(json.error(), provider_.name(), ": the answer is not JSON");
    if (!json->is_object()) return fail(Blame::system, provider_.name(), ": the answer is not a JSON object");
    return json;
  }

  std::unique_ptr<Provider> owned_;
  Provider& provider_;
  HttpClient client_;
};

struct Asking {
  Fetching fetching;
  Buckets buckets;
  ServerClock clock;
  Duration epoch;

  Polled operator()(Duration timeout, const std::stop_token& stop) {
    const Duration asked = boot_now() - epoch;
    const double now = clock.now();
    const Fetched fetched = fetching.fetch(buckets.wanted(now), timeout, stop);
    if (fetched.batch) clock.learn(fetched.server_time);
    return {buckets.take(fetched.batch, asked, now, clock.zero()), fetched.leave_alone};
  }
};

}  // namespace

std::unique_ptr<Source> poll(std::unique_ptr<Provider> provider, const Pace& pace, Duration epoch) {
  const auto asking =
      std::make_shared<Asking>(Asking{Fetching(std::move(provider)), Buckets(pace.width, pace.every, pace.lag), ServerClock(epoch), epoch});
  return std::make_unique<Poller>(Rhythm{.every = pace.every, .jitter = jitter, .longest_answer = longest_answer},
                                  [asking](Duration timeout, const std::stop_token& stop) { return (*asking)(timeout, stop); });
}

Result<History> past(Provider& provider, Duration window) {
  const Stretch stretch = provider.past(wall_now(), window);
  Fetching fetching(provider);
  const Batch batch = TRY(fetching.fetch(stretch, longest_answer, {}).batch);
  History history;
  for (const auto& [time, count] : batch.total) history.events += std::isfinite(count) && count > 0 ? count : 0;
  for (const auto& [time, count] : batch.bad) history.bad += std::isfinite(count) && count > 0 ? count : 0;
  const auto first = std::ranges::find_if(batch.total, [](const auto& point) { return point.second > 0; });
  if (first == batch.total.end()) return fail(Blame::missing, provider.name(), ": no event of 'total' in the last ", to_text(window));
  history.covered = std::min<Duration>(std::chrono::milliseconds(stretch.to - std::max(first->first, stretch.from)), window);
  return history;
}

namespace {

constexpr std::int64_t stretches_at_once = 300;  // the least that one of them gives in one answer, and some to spare
constexpr Duration longest_pause = std::chrono::minutes(1);

Result<Batch> fetch_patiently(Fetching& fetching, const Stretch& stretch) {
  Fetched fetched = fetching.fetch(stretch, longest_answer, {});
  if (fetched.batch || fetched.leave_alone <= Duration{} || fetched.leave_alone > longest_pause) return std::move(fetched.batch);
  std::this_thread::sleep_for(fetched.leave_alone);
  return fetching.fetch(stretch, longest_answer, {}).batch;
}

void add_slices(const Batch& batch, const Stretch& stretch, std::vector<guard::Slice>& to) {
  if (batch.width != stretch.width) return;
  for (const auto& [time, total] : batch.total) {
    if (time < stretch.from || time >= stretch.to || !(std::isfinite(total) && total >= 0)) continue;
    const auto found = batch.bad.find(time);
    const double bad = found != batch.bad.end() && std::isfinite(found->second) ? std::max(found->second, 0.0) : 0;
    const Duration begin = std::chrono::milliseconds(time), end = begin + std::chrono::milliseconds(stretch.width);
    to.push_back({.begin = begin,
                  .end = end,
                  .total = static_cast<std::uint64_t>(std::llround(std::max(total, bad))),
                  .bad = static_cast<std::uint64_t>(std::llround(bad)),
                  .newest = end});
  }
}

}  // namespace

Result<std::vector<guard::Slice>> past_in_stretches(Provider& provider, Duration window, Duration width, Duration lag) {
  const auto in_ms = [](Duration time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time).count(); };
  const double now = wall_now();
  const std::int64_t step = in_ms(width), end = static_cast<std::int64_t>(now * 1000) - in_ms(lag);
  const std::int64_t last = end / step * step;
  std::int64_t from = std::max(end - in_ms(window), provider.past(now, window).from) / step * step;
  Fetching fetching(provider);
  std::vector<guard::Slice> slices;
  for (; from < last; from += stretches_at_once * step) {
    const Stretch stretch{.from = from, .to = std::min(from + stretches_at_once * step, last), .width = step};
    add_slices(TRY(fetch_patiently(fetching, stretch)), stretch, slices);
  }
  return slices;
}

Result<void> add_point(Points& points, std::int64_t time, double value, const std::string& what) {
  if (points.emplace(time, value).second) return {};
  return fail(Blame::input, "'", what, "' gives several series where one is wanted: add them up in the query");
}

Stretch past_in(double now, Duration window, std::int64_t most, std::int64_t unit) {
  const auto here = static_cast<std::int64_t>(now * 1000);
  const std::int64_t length = std::chrono::duration_cast<std::chrono::milliseconds>(window).count();
  const std::int64_t width = ((length + most - 1) / most + unit - 1) / unit * unit;
  return {.from = (here - length) / width * width, .to = here / width * width, .width = width};
}

}  // namespace arashi::sli
