// The files and texts of a load: recorded arrivals, data rows, templates and what is made of them. The first byte chooses.
#include "experiments/load/requests.hpp"
#include "experiments/load/schedule.hpp"
#include "experiments/spec/load/load_files.hpp"
#include "experiments/spec/load/template.hpp"
#include "experiments/spec/parse.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>

namespace {

using namespace arashi;
using namespace std::chrono_literals;
using fuzz::require;

void arrivals(std::string_view input) {
  const auto times = spec::parse_arrivals(input);
  if (!times) return require(!times.error().message.empty());
  require(!times->empty() && times->front() == 0s && std::ranges::is_sorted(*times));
}

void rows(std::string_view input) {
  const auto data = spec::parse_rows(input);
  if (!data) return require(!data.error().message.empty());
  require(!data->columns.empty() && !data->rows.empty());
  for (const auto& row : data->rows) require(row.size() == data->columns.size());
}

// A text as the URL's query, a header's value and the body of one request.
void templates(std::string_view input) {
  const std::vector<std::string> columns{"id", "name"};
  const auto parsed = spec::parse_template(input, columns);
  if (const auto* problem = std::get_if<spec::TemplateProblem>(&parsed))
    return require(!problem->message.empty() && problem->offset < input.size());
  spec::Load load{
      .name = "l", .url = "http://h/?q=" + std::string(input), .body = std::string(input), .headers = {{"X", std::string(input)}}};
  load.data = {.columns = columns, .rows = {{"1", "a b"}, {"2", "c&d"}}};
  const auto made = load::Requests::make(load, {1, 2});
  if (!made) return require(!made.error().message.empty());
  const auto& kind = made->kinds().at(0);
  for (const std::uint64_t number : {0ULL, 1ULL, 1'000'000'007ULL}) {
    std::string url, body;
    made->write_url(kind, number, url);
    made->write_body(kind, number, body);
    require(url.starts_with("http://h/?q="));
    require(made->headers(kind, number).at("X").size() == body.size() || input.find("{{") != std::string_view::npos);
  }
}

// The load of a spec, its settings in the first line, whose files hold the rest.
void in_a_spec(std::string_view input) {
  const std::string settings(fuzz::take_line(input));
  const std::string text = "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  load: {l: {" + settings + "}}\n";
  const auto parsed = spec::parse(text, {}, {}, [&](const std::string&) { return std::string(input); });
  for (const auto& problem : parsed.problems) require(!problem.message.empty() && problem.where.line >= 1);
  if (!parsed.problems.empty() || parsed.experiment.loads.empty()) return;
  load::Schedule schedule(parsed.experiment.loads.front());
  Duration last{};
  for (int i = 0; i < 100; ++i) {
    const auto next = schedule.next();
    if (!next) return;
    require(*next >= last);
    last = *next;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 4U) {
    case 0:
      arrivals(input);
      break;
    case 1:
      rows(input);
      break;
    case 2:
      templates(input);
      break;
    default:
      in_a_spec(input);
      break;
  }
  return 0;
}
