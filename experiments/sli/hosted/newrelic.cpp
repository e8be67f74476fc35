// New Relic's NerdGraph: POST /graphql with NRQL. (NerdGraph tutorial: Query your data with NRQL.) It gives 0 for stretches of which it has
// no events yet; so the newest event's time is asked for as well, and nothing later counts as known.
#include "experiments/sli/hosted/provider.hpp"
#include "injector/core/json.hpp"

#include <cmath>

namespace arashi::sli {
namespace {

constexpr const char* question =
    "query($account: Int!, $counts: Nrql!, $newest: Nrql!) { actor { account(id: $account) { "
    "counts: nrql(query: $counts, timeout: 10) { results } newest: nrql(query: $newest, timeout: 10) { results } } } }";

std::string first_error(const Json& answer) {
  const auto errors = answer.find("errors");
  if (errors == answer.end() || !errors->is_array() || errors->empty()) return {};
  const Json& first = errors->front();
  const auto message = first.is_object() ? first.find("message") : first.end();
  return first.is_object() && message != first.end() && message->is_string() ? message->get<std::string>() : "an error without a message";
}

class Newrelic final : public Provider {
 public:
  Newrelic(spec::NewrelicSource source, const std::string& directory)
      : source_(std::move(source)), key_(source_.api_key, "New Relic's API key", directory) {}

  Result<std::vector<HttpRequest>> requests(const Stretch& stretch) override {
    const auto key = TRY(key_.get());
    HttpRequest request;
    request.method = "POST";
    request.url = source_.url + "/graphql";
    request.headers = {{"API-Key", key}, {"Content-Type", "application/json"}, {"Accept", "application/json"}};
    const std::string where = source_.where.empty() ? "" : " WHERE (" + source_.where + ")";
    const std::string range = " SINCE " + std::to_string(stretch.from) + " UNTIL " + std::to_string(stretch.to);
    const std::string counts = "SELECT count(*) AS 'total', filter(count(*), WHERE (" + source_.bad + ")) AS 'bad' FROM " + source_.from +
                               where + range + " TIMESERIES " + std::to_string(stretch.width / 1000) + " seconds";
    const std::string newest = "SELECT latest(timestamp) AS 'newest' FROM " + source_.from + where + range;
    request.body = to_text(
        Json{{"query", question}, {"variables", {{"account", std::stoll(source_.account)}, {"counts", counts}, {"newest", newest}}}});
    return std::vector<HttpRequest>{std::move(request)};
  }

  Result<Batch> read(const std::vector<Json>& answers, const Stretch& stretch) override {
    const Json& answer = answers.front();
    if (const std::string error = first_error(answer); !error.empty())
      return fail(Blame::input, "New Relic says: ", error);  // with status 200
    const Json counts = TRY(results(answer, "counts"));
    const Json newest_rows = TRY(results(answer, "newest"));
    const double newest = TRY(newest_of(newest_rows));
    Batch batch{.width = stretch.width};
    for (const Json& row : counts) {
      if (!row.is_object() || row.contains("facet")) return fail(Blame::input, "the answer has facets: one row for each time is wanted");
      const double begin = TRY(number(row, "beginTimeSeconds"));
      const double end = TRY(number(row, "endTimeSeconds"));
      const double total = TRY(number(row, "total"));
      if (total <= 0 && end * 1000 > newest) continue;  // not silence, but not known yet
      batch.width = std::llround((end - begin) * 1000);
      TRY(add_point(batch.total, std::llround(begin * 1000), total, "total"));
      const double bad = TRY(number(row, "bad"));
      TRY(add_point(batch.bad, std::llround(begin * 1000), bad, "bad"));
    }
    return batch;
  }

  [[nodiscard]] Stretch past(double now, Duration window) const override { return past_in(now, window, 300, 60'000); }
  void refused() override { key_.refused(); }
  [[nodiscard]] std::string name() const override { return source_.url; }

 private:
  static Result<Json> results(const Json& answer, const char* alias) {
    const auto found = Json::json_pointer("/data/actor/account/" + std::string(alias) + "/results");
    if (!answer.contains(found) || !answer[found].is_array())
      return fail(Blame::system, "the answer has no results; is the account's number right?");
    return answer[found];
  }

  static Result<double> number(const Json& row, const char* name) {
    const auto found = row.find(name);
    if (found == row.end() || !found->is_number()) return fail(Blame::system, "a row without '", name, "'");
    return found->get<double>();
  }

  // Milliseconds since 1970; 0: no event at all.
  static Result<double> newest_of(const Json& rows) {
    if (rows.empty() || !rows.front().is_object() || !rows.front().contains("newest") || rows.front()["newest"].is_null()) return 0.0;
    return number(rows.front(), "newest");
  }

  spec::NewrelicSource source_;
  KeptSecret key_;
};

}  // namespace

Result<std::unique_ptr<Provider>> newrelic(const spec::NewrelicSource& source, const std::string& directory) {
  if (source.account.empty() || source.account.size() > 18)
    return fail(Blame::input, "New Relic: '", source.account, "' is not an account's number");
  return std::unique_ptr<Provider>(std::make_unique<Newrelic>(source, directory));
}

}  // namespace arashi::sli
