#include "experiments/sli/metrics/metrics.hpp"

#include "experiments/http_client.hpp"
#include "experiments/sli/metrics/replica.hpp"
#include "experiments/sli/poller.hpp"
#include "experiments/sli/secret.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace arashi::sli {
namespace {

constexpr std::size_t largest_page = std::size_t{16} << 20U;
constexpr Duration patience_at_start = std::chrono::seconds(5);
constexpr int share_of_period = 20;  // a page may take a twentieth of it to make: who measures must not be the load

std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::llround(std::clamp(count, 0.0, 9e15))); }

struct Got {
  Page page;
  Duration took{};
};

class Pages {
 public:
  Pages(const spec::MetricsSource& source, Wanted wanted, const std::string& directory)
      : urls_(source.targets),
        treated_(source.targets.size()),
        wanted_(std::move(wanted)),
        headers_(source.headers),
        token_(source.token, "the token", directory),
        crowd_(source.targets.size() + source.control.size()) {
    urls_.insert(urls_.end(), source.control.begin(), source.control.end());
    headers_["Accept"] = accepted(wanted_);
  }

  [[nodiscard]] const std::vector<std::string>& urls() const { return urls_; }
  [[nodiscard]] std::size_t treated() const { return treated_; }  // the first so many; the others are the control group
  [[nodiscard]] const Wanted& wanted() const { return wanted_; }

  // Of a page on which no series fits: for the error's text.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  // One for each URL.
  std::vector<Result<Got>> read(Duration timeout, const std::stop_token& stop) {
    std::vector<Result<Got>> pages;
    if (token_.given()) {
      auto token = token_.get();
      if (!token) {
        pages.assign(urls_.size(), pass(token.error()));
        return pages;
      }
      headers_["Authorization"] = "Bearer " + *token;
    }
    std::vector<HttpRequest> requests;
    for (const auto& url : urls_)
      requests.push_back({.url = url, .headers = headers_, .stop = stop, .timeout = timeout, .largest_reply = largest_page});
    for (auto& reply : crowd_.send(requests, stop)) pages.push_back(page_of(std::move(reply), urls_[pages.size()]));
    return pages;
  }

 private:
  Result<Got> page_of(Result<HttpReply> reply, const std::string& url) {
    if (!reply) return pass(reply.error());
    if (reply->status == 401 || reply->status == 403) token_.refused();
    if (reply->status != 200) return fail(Blame::system, url, ": HTTP status ", reply->status);
    const auto type = reply->headers.find("content-type");
    auto page = read_page(reply->body, type == reply->headers.end() ? "" : type->second, wanted_);
    if (!page) return because(page.error(), url);
    if (page->total.empty() && names_.empty()) names_ = names_on(reply->body);
    return Got{std::move(*page), reply->took};
  }

  std::vector<std::string> urls_;
  std::size_t treated_;
  Wanted wanted_;
  std::map<std::string, std::string> headers_;
  KeptSecret token_;
  HttpCrowd crowd_;
  std::vector<std::string> names_;
};

// What was seen of all replicas in one round.
struct Round {
  Replica::Growth all, control;
  std::size_t absent = 0, unclear = 0, late_born = 0;
  double unknown = 0;         // bad ones of the late-born, of their whole life
  std::vector<bool> counted;  // each replica: whether its events are in `all`
  std::vector<bool> bounded;  // each replica: whether they are, or how many bad ones there can be is known
  std::vector<bool> silent;   // each replica: whether it gave no page
  std::vector<bool> anew;     // each replica: whether a counter of it began anew
  std::string problem;        // of the first that is absent
};

class Scraping {
 public:
  Scraping(Pages pages, Duration epoch)
      : pages_(std::move(pages)),
        replicas_(pages_.urls().size(), Replica(pages_.wanted().part_is_good)),
        events_(replicas_.size(), 0.0),
        absences_(replicas_.size()),
        epoch_(epoch) {}

  Polled operator()(Duration timeout, const std::stop_token& stop) {
    const Duration asked = boot_now() - epoch_;  // what a page counts was there by then
    return {take(pages_.read(timeout, stop), asked), {}};
  }

 private:
  static void add(const Replica::Growth& growth, bool control, Round& to) {
    to.all.total += growth.total;
    to.all.bad += growth.bad;
    if (!control) return;
    to.control.total += growth.total;
    to.control.bad += growth.bad;
  }

  Round round(const std::vector<Result<Got>>& pages) {
    const std::vector<bool> none(pages.size());
    Round seen{.counted = none, .bounded = none, .silent = none, .anew = none};
    for (std::size_t i = 0; i < pages.size(); ++i) {
      if (!pages[i]) {
        if (seen.absent++ == 0) seen.problem = pages[i].error().message;
        seen.silent[i] = true;
        continue;
      }
      const auto growth = replicas_[i].take(pages[i]->page);
      if (growth.late_born) {
        ++seen.late_born;
        seen.unknown += growth.bad;
        seen.bounded[i] = true;
        continue;
      }
      if (!growth.comparable) ++seen.unclear;
      if (!growth.comparable) continue;
      add(growth, i >= pages_.treated(), seen);
      seen.counted[i] = seen.bounded[i] = true;
      seen.anew[i] = growth.anew;
      events_[i] += growth.total;
    }
    return seen;
  }

  // The share of those whose events are not known: by their number, or by the traffic they had so far, whichever is more.
  [[nodiscard]] double missing_share(const std::vector<bool>& bounded) const {
    double silent = 0, all = 0, missing = 0;
    for (std::size_t i = 0; i < bounded.size(); ++i) {
      all += events_[i];
      if (bounded[i]) continue;
      ++silent;
      missing += events_[i];
    }
    return std::max(silent / static_cast<double>(bounded.size()), all > 0 ? missing / all : 0);
  }

  [[nodiscard]] double weight(std::size_t replica) const {
    const double all = std::accumulate(events_.begin(), events_.end(), 0.0);
    return std::max(1 / static_cast<double>(events_.size()), all > 0 ? events_[replica] / all : 0);
  }

  // Whoever answers again tells of the time of its silence too, unless it was restarted: what it counted before that is gone.
  void settle_absences(const Round& seen, guard::Slice& slice) {
    double silent = 0;
    for (std::size_t i = 0; i < absences_.size(); ++i) {
      if (seen.silent[i]) silent += weight(i);
      if (seen.silent[i] || absences_[i].charged <= 0) continue;
      const Absence absence = std::exchange(absences_[i], {});
      if (!seen.counted[i] || seen.anew[i]) continue;
      slice.returned.push_back({absence.begin, slice.begin, absence.charged / seconds(slice.begin - absence.begin)});
    }
    for (std::size_t i = 0; i < absences_.size(); ++i) {
      if (!seen.silent[i] || !slice.missing) continue;
      if (absences_[i].charged <= 0) absences_[i].begin = slice.begin;
      absences_[i].charged += *slice.missing * weight(i) / silent * seconds(slice.end - slice.begin);
    }
  }

  // How much of the truth is in the slice.
  void judge(const Round& seen, guard::Slice& slice) const {
    const std::string all = " of " + std::to_string(replicas_.size()) + " replicas ";
    if (seen.absent > 0) {
      slice.state = guard::Freshness::partial;
      slice.problem = std::to_string(seen.absent) + all + "say nothing: " + seen.problem;
    } else if (seen.unclear > 0) {
      slice.state = guard::Freshness::partial;
      slice.problem = std::to_string(seen.unclear) + all + "changed the resolution of their histogram";
    } else if (seen.late_born > 0) {
      slice.state = guard::Freshness::late_born;
      slice.problem = std::to_string(seen.late_born) + all + "answered for the first time: what they counted before is not of this time";
    }
    if (slice.state == guard::Freshness::partial) slice.missing = missing_share(seen.bounded);
    if (seen.late_born > 0) slice.unknown = seen.unknown;
  }

  std::vector<guard::Slice> take(const std::vector<Result<Got>>& pages, Duration asked) {
    const Round seen = round(pages);
    const std::size_t all = pages.size();
    if (seen.absent == all) return {notice(guard::Freshness::error, asked, last_, "no replica answers: " + seen.problem)};
    const bool first = !std::exchange(begun_, true);
    const Duration begin = std::exchange(last_, asked);
    if (first) return {};
    guard::Slice slice{.begin = begin, .end = asked, .total = whole(seen.all.total), .bad = whole(seen.all.bad), .newest = asked};
    slice.total = std::max(slice.total, slice.bad);
    if (all > pages_.treated()) slice.control = guard::Counts{.total = whole(seen.control.total), .bad = whole(seen.control.bad)};
    judge(seen, slice);
    settle_absences(seen, slice);
    return {slice};
  }

  Pages pages_;
  std::vector<Replica> replicas_;
  std::vector<double> events_;  // each replica's so far
  struct Absence {
    Duration begin{};
    double charged = 0;  // seconds of all the traffic that it was missing for
  };
  std::vector<Absence> absences_;
  Duration epoch_;
  bool begun_ = false;
  Duration last_{};
};

Unexpected<Error> nothing_fits(const Pages& pages) {
  const std::string& name = pages.wanted().total.name;
  std::vector<std::string_view> names(pages.names().begin(), pages.names().end());
  const bool there = std::ranges::any_of(names, [&](std::string_view one) { return one == name || one == name + "_count"; });
  return fail(Blame::input, pages.urls().front(), ": no series fits '", pages.wanted().total.text, "'",
              there ? "; the metric is there, but no series of it has these labels" : suggestion(name, names));
}

// Twice: the first page pays for the connection and cold caches.
Result<void> try_out(Pages& pages, Duration every) {
  std::vector<Duration> least(pages.urls().size(), Duration::max());
  bool fits = false;
  for (int i = 0; i < 3; ++i) {
    const auto read = pages.read(patience_at_start, {});
    for (std::size_t k = 0; k < read.size(); ++k) {
      if (!read[k]) return because(read[k].error(), "every replica must answer before the experiment begins");
      least[k] = std::min(least[k], read[k]->took);
      fits = fits || !read[k]->page.total.empty();
    }
    const bool quick = std::ranges::all_of(least, [&](Duration took) { return took * share_of_period <= every; });
    if (!fits) return nothing_fits(pages);
    if (i > 0 && quick) return {};
  }
  const auto slowest = std::ranges::max_element(least);
  return fail(Blame::refused, pages.urls()[static_cast<std::size_t>(slowest - least.begin())], ": the page takes ", to_text(*slowest),
              " to make, more than a twentieth of ", to_text(every), ": measuring would be a load of its own; set 'every' to at least ",
              to_text(std::chrono::ceil<std::chrono::milliseconds>(*slowest * share_of_period)), " or let it show fewer series");
}

}  // namespace

Result<std::unique_ptr<Source>> metrics(const spec::MetricsSource& source, Duration latency, const std::string& directory, Duration epoch) {
  Pages pages(source, TRY(wanted(source, latency)), directory);
  TRY(try_out(pages, source.every));
  const auto scraping = std::make_shared<Scraping>(std::move(pages), epoch);
  return std::unique_ptr<Source>(std::make_unique<Poller>(
      Rhythm{.every = source.every}, [scraping](Duration timeout, const std::stop_token& stop) { return (*scraping)(timeout, stop); }));
}

}  // namespace arashi::sli
