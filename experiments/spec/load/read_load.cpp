// A load: what is requested, when, and how.
#include "experiments/spec/load/arrivals.hpp"
#include "experiments/spec/load/load_files.hpp"
#include "experiments/spec/load/template.hpp"
#include "experiments/spec/sections.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace arashi::spec {
namespace {

constexpr double rate_most = 1e6;
constexpr double longest_record = 1e9;                    // seconds
constexpr std::size_t body_most = std::size_t{1} << 20U;  // bytes
constexpr std::size_t requests_most = 1000;

std::string shown(const std::string& text) { return "'" + text.substr(0, 60) + "'"; }

void read_flag(const Fields& fields, std::string_view key, bool& out) {
  const Tree* tree = fields.find(key);
  if (tree == nullptr) return;
  if (tree->kind == Tree::Kind::scalar && (tree->text == "true" || tree->text == "false"))
    out = tree->text == "true";
  else
    fields.report.complain(fields.path(key), "is " + shown(tree->text) + ": write true or false");
}

template <class Number>
std::optional<Number> number_of(const Tree& tree) {
  Number value{};
  const std::string& text = tree.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = tree.kind == Tree::Kind::scalar && error == std::errc{} && end == text.data() + text.size();
  return good ? std::optional(value) : std::nullopt;
}

std::optional<std::string> read_file(const Fields& fields, std::string_view key, const ReadText& read) {
  std::string name;
  fields.text(key, name);
  if (name.empty()) return std::nullopt;
  auto text = read ? read(name) : Result<std::string>(fail(Blame::input, "files are not read here"));
  if (text) return std::move(text).value();
  fields.report.complain(fields.path(key), text.error().message);
  return std::nullopt;
}

// ---- when

void read_one_rate(const Fields& fields, std::string_view key, Rate& out) {
  fields.rate(key, out);
  if (out.per_second > rate_most) fields.report.complain(fields.path(key), "is " + to_text(out) + ": at most 1000000/s is possible");
}

Arrivals::Stage read_stage(const Fields& fields) {
  Arrivals::Stage stage;
  read_one_rate(fields, "to", stage.to);
  fields.duration("over", stage.over);
  return stage;
}

void read_ramp(const Fields& ramp, Load& load) {
  read_one_rate(ramp, "from", load.rate);
  ramp.list("stages", [&](const Fields& stage) { load.arrivals.stages.push_back(read_stage(stage)); });
  const bool one = ramp.has("to") || ramp.has("over");
  if (one && ramp.has("stages")) return ramp.complain("has both 'stages' and 'to' or 'over': make it one more stage");
  if (!one && !ramp.has("stages")) return ramp.complain("has no end: add 'to' and 'over', or 'stages'");
  if (!one) return;
  Arrivals::Stage stage;
  read_one_rate(ramp, "to", stage.to);
  ramp.duration("over", stage.over);
  if (!ramp.has("to")) ramp.complain("'to' is missing: the last rate, such as to: 500/s");
  if (!ramp.has("over")) ramp.complain("'over' is missing: how long it takes, such as over: 60s");
  load.arrivals.stages.push_back(stage);
}

void read_rate(const Fields& fields, Load& load) {
  const Tree* tree = fields.find("rate");
  if (tree == nullptr) return;
  if (tree->kind == Tree::Kind::map)
    read_ramp(Fields(fields.report, *tree, fields.path("rate"), ramp_object), load);
  else
    read_one_rate(fields, "rate", load.rate);
}

double read_speed(const Fields& fields) {
  const Tree* tree = fields.find("speed");
  if (tree == nullptr) return 1;
  const auto speed = number_of<double>(*tree);
  constexpr double least = 1e-3, most = 1e3;
  if (speed && *speed >= least && *speed <= most) return *speed;
  fields.report.complain(fields.path("speed"), "is " + shown(tree->text) + ": a number from 0.001 to 1000 is expected, such as speed: 2");
  return 1;
}

void read_record(const Fields& fields, const ReadText& read, Arrivals& out) {
  const double speed = read_speed(fields);
  bool repeat = false;
  read_flag(fields, "repeat", repeat);
  const auto text = read_file(fields, "file", read);
  if (!text) return;
  auto times = parse_arrivals(*text);
  if (!times) return fields.report.complain(fields.path("file"), times.error().message);
  out.record = std::move(times).value();
  if (seconds(out.record.back()) / speed > longest_record)
    return fields.report.complain(fields.path("speed"), "makes the record longer than 1000000000 seconds");
  for (Duration& time : out.record) time = Duration(std::llround(static_cast<double>(time.count()) / speed));
  if (!repeat) return;
  const Duration last = out.record.back();
  if (last == Duration{})
    return fields.report.complain(fields.path("repeat"), "needs a record of some length: all its requests start at the same time");
  out.period = last + last / static_cast<std::int64_t>(out.record.size() - 1);  // the seam is as long as the mean gap
}

void read_arrivals(const Fields& fields, const ReadText& read, Load& load) {
  const Tree* tree = fields.find("arrivals");
  if (tree != nullptr && tree->kind == Tree::Kind::map) {
    read_record(Fields(fields.report, *tree, fields.path("arrivals"), record_object), read, load.arrivals);
    if (fields.has("rate"))
      fields.report.complain(fields.path("rate"), "is not needed: the arrivals are recorded; take one of the two away");
    return;
  }
  if (tree != nullptr && tree->text != "even" && tree->text != "poisson")
    fields.report.complain(fields.path("arrivals"), "is " + shown(tree->text) + ": write even, poisson or {file: RECORD}");
  load.arrivals.poisson = tree != nullptr && tree->text == "poisson";
  if (!fields.has("rate")) fields.complain("'rate' is missing: how many requests are started, such as rate: 200/s");
}

// ---- what

using Columns = std::vector<std::string>;

// Whether it may be used; what is wrong is told at its place.
std::optional<Template> read_template(const Fields& fields, std::string_view key, const std::string& text, const Columns& columns) {
  auto parsed = parse_template(text, columns);
  if (auto* pieces = std::get_if<Template>(&parsed)) return std::move(*pieces);
  const auto& problem = std::get<TemplateProblem>(parsed);
  fields.report.complain(fields.path(key), "character " + std::to_string(problem.offset + 1) + ": " + problem.message);
  return std::nullopt;
}

void read_url(const Fields& fields, const Columns& columns, Http http, std::string& out) {
  const Tree* tree = fields.find("url");
  if (tree == nullptr) return;
  if (tree->kind != Tree::Kind::scalar) return fields.text("url", out);  // which complains
  const auto pieces = read_template(fields, "url", tree->text, columns);
  if (!pieces) return;
  std::string plain;
  for (const Piece& piece : *pieces) plain += piece.kind == Piece::Kind::text ? piece.text : "0";
  if (!is_url(plain))
    return fields.report.complain(fields.path("url"),
                                  shown(tree->text) + " is not a URL of http or https, such as http://10.0.0.1/checkout");
  out = tree->text;
  if (http == Http::two && plain.starts_with("http://"))
    fields.report.complain(fields.path("url"),
                           "has no TLS, in which http: 2 is agreed on; write https://, or http: h2c for HTTP/2 without TLS");
  if (http == Http::two_in_clear && plain.starts_with("https://"))
    fields.report.complain(fields.path("url"), "has TLS, and http: h2c is HTTP/2 without it; write http: 2");
}

// "body.json:3:14: …"
void complain_in_file(const Fields& fields, const std::string& name, const std::string& text, const TemplateProblem& problem) {
  const std::string before = text.substr(0, problem.offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto column = before.size() - (before.rfind('\n') == std::string::npos ? 0 : before.rfind('\n') + 1) + 1;
  fields.report.complain(fields.path("bodyFile"),
                         name + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + problem.message);
}

void read_body(const Fields& fields, const Columns& columns, const ReadText& read, std::string& out) {
  if (fields.has("body") && fields.has("bodyFile")) return fields.complain("has both 'body' and 'bodyFile': keep one of them");
  fields.text("body", out);
  if (fields.has("body")) read_template(fields, "body", out, columns);
  const auto text = read_file(fields, "bodyFile", read);
  if (!text) return;
  if (text->size() > body_most)
    return fields.report.complain(fields.path("bodyFile"), "is " + std::to_string(text->size()) + " bytes long, at most 1 MiB is sent");
  const auto parsed = parse_template(*text, columns);
  if (const auto* problem = std::get_if<TemplateProblem>(&parsed)) complain_in_file(fields, fields.find("bodyFile")->text, *text, *problem);
  out = *text;
}

bool breaks_a_line(const std::string& text) { return text.find_first_of("\r\n") != std::string::npos; }

void read_headers(const Fields& fields, const LoadData& data, std::map<std::string, std::string>& out) {
  fields.pairs("headers", out);
  for (const auto& [name, value] : out) {
    if (breaks_a_line(name) || breaks_a_line(value) || name.find(':') != std::string::npos || name.empty())
      fields.report.complain(fields.path("headers"), "header " + shown(name) + ": no line break belongs in it, and no colon in its name");
    const auto pieces = read_template(fields, "headers", value, data.columns);
    for (const Piece& piece : pieces.value_or(Template{}))
      if (piece.kind == Piece::Kind::data &&
          std::ranges::any_of(data.rows, [&](const auto& row) { return breaks_a_line(row[piece.column]); }))
        fields.report.complain(fields.path("headers"),
                               "header " + shown(name) + ": a value of column " + shown(data.columns[piece.column]) + " has a line break");
  }
}

// Of the load itself, or of one of its requests.
template <class To>
void read_request(const Fields& fields, const Load& load, const ReadText& read, To& to) {
  read_url(fields, load.data.columns, load.http, to.url);
  fields.text("method", to.method);
  read_body(fields, load.data.columns, read, to.body);
  read_headers(fields, load.data, to.headers);
  if (to.method == "HEAD" && !to.body.empty()) fields.complain("a HEAD request has no body: take it away");
}

void read_requests(const Fields& fields, const ReadText& read, Load& load) {
  fields.list("requests", [&](const Fields& one) {
    LoadRequest request;
    read_request(one, load, read, request);
    one.integer("weight", request.weight);
    load.requests.push_back(std::move(request));
  });
  if (!fields.has("requests") && !fields.has("url"))
    fields.complain("'url' is missing: where the requests go, such as url: http://10.0.0.1/checkout");
  if (!fields.has("requests")) return;
  for (const std::string_view key : {"url", "method", "body", "bodyFile"})
    if (fields.has(key)) fields.report.complain(fields.path(key), "is for a load of one request: each of 'requests' has its own");
  if (load.requests.empty()) fields.report.complain(fields.path("requests"), "is an empty list: name one request at least");
  if (load.requests.size() > requests_most) fields.report.complain(fields.path("requests"), "are more than 1000: a load's requests may be");
}

void read_data(const Fields& fields, const ReadText& read, Load& load) {
  fields.object("data", [&](const Fields& data) {
    std::string order;
    data.text("order", order);
    const auto text = read_file(data, "file", read);
    auto rows = text ? parse_rows(*text) : Result<LoadData>(LoadData{});
    if (!rows) return data.report.complain(data.path("file"), rows.error().message);
    load.data = std::move(rows).value();
    load.data.random = order == "random";
  });
}

// ---- how

bool uses_tls(const Load& load) {
  return std::ranges::any_of(requests_of(load), [](const auto& request) { return request.url.starts_with("https://"); });
}

void check_pem(const Fields& tls, std::string_view key, std::string_view mark, const ReadText& read) {
  const auto text = read_file(tls, key, read);
  if (text && text->find(mark) == std::string::npos)
    tls.report.complain(tls.path(key), "holds no " + std::string(mark) + ": a PEM file is expected");
}

void read_tls(const Fields& fields, const ReadText& read, Load& load) {
  fields.object("tls", [&](const Fields& tls) {
    tls.text("ca", load.tls.ca);
    tls.text("cert", load.tls.cert);
    tls.text("key", load.tls.key);
    tls.text("serverName", load.tls.server_name);
    read_flag(tls, "insecure", load.tls.insecure);
    check_pem(tls, "ca", "-----BEGIN CERTIFICATE-----", read);
    check_pem(tls, "cert", "-----BEGIN CERTIFICATE-----", read);
    check_pem(tls, "key", "PRIVATE KEY-----", read);
    if (tls.has("cert") != tls.has("key")) tls.complain("a client's certificate needs both 'cert' and 'key'");
    if (load.tls.insecure && tls.has("ca")) tls.complain("has 'ca', which says who may answer, and 'insecure', which takes anyone");
    const bool plain_name = load.tls.server_name.find_first_of("/: ") == std::string::npos;
    if (!plain_name)
      tls.report.complain(tls.path("serverName"), shown(load.tls.server_name) + " is not a host name, such as shop.internal");
    const bool given = load.requests.empty() ? !load.url.empty() : !load.requests.front().url.empty();
    if (given && !uses_tls(load)) tls.complain("is for https:// URLs, and the load has none");
  });
}

Http http_of(const std::string& text) {
  if (text == "2") return Http::two;
  return text == "h2c" ? Http::two_in_clear : Http::one;
}

}  // namespace

Load read_load(const std::string& name, const Fields& fields, const ReadText& read) {
  Load load{.name = name, .where = fields.where()};
  std::string http;
  fields.text("http", http);
  load.http = http_of(http);
  read_rate(fields, load);
  read_arrivals(fields, read, load);
  if (const Tree* tree = fields.find("seed")) {
    const auto seed = number_of<std::uint64_t>(*tree);
    load.seed = seed.value_or(load.seed);
    if (!seed) fields.report.complain(fields.path("seed"), "is " + shown(tree->text) + ": a whole number is expected, such as seed: 7");
  }
  read_data(fields, read, load);
  read_request(fields, load, read, load);
  read_requests(fields, read, load);
  fields.duration("timeout", load.timeout);
  fields.integer("connections", load.connections);
  read_tls(fields, read, load);
  return load;
}

std::vector<LoadRequest> requests_of(const Load& load) {
  if (load.requests.empty()) return {{.url = load.url, .method = load.method, .body = load.body, .headers = load.headers}};
  std::vector<LoadRequest> all = load.requests;
  for (auto& request : all) request.headers.insert(load.headers.begin(), load.headers.end());
  return all;
}

}  // namespace arashi::spec
