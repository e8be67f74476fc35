#include "experiments/load/requests.hpp"

#include "experiments/load/draw.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

namespace arashi::load {
namespace {

using spec::Piece;
using spec::Template;

// Each place of a request draws from numbers of its own.
constexpr std::uint64_t in_kind = 0, in_data = 1, in_url = 1000, in_body = 2000, in_headers = 3000;

std::string hex(std::uint64_t value, unsigned digits) {
  std::string text(digits, '0');
  for (unsigned i = 0; i < digits; ++i) text[digits - 1 - i] = "0123456789abcdef"[(value >> (4 * i)) & 0xFU];
  return text;
}

// Version 4: random but for six bits (RFC 9562).
std::string uuid(std::uint64_t high, std::uint64_t low) {
  high = (high & ~std::uint64_t{0xF000}) | 0x4000U;
  low = (low & ~(std::uint64_t{3} << 62U)) | (std::uint64_t{2} << 62U);
  return hex(high >> 32U, 8) + "-" + hex(high >> 16U, 4) + "-" + hex(high, 4) + "-" + hex(low >> 48U, 4) + "-" + hex(low, 12);
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void append(std::string& out, const std::string& value, bool encode) {
  if (!encode) {
    out += value;
    return;
  }
  for (const char c : value) {
    if (is_unreserved(c))
      out += c;
    else
      out += "%" + hex(static_cast<unsigned char>(c), 2);
  }
}

bool is_fixed(const Template& text) {
  return std::ranges::all_of(text, [](const Piece& piece) { return piece.kind == Piece::Kind::text; });
}

Result<Template> compile(const std::string& what, const std::string& text, const spec::Load& load) {
  auto parsed = spec::parse_template(text, load.data.columns);
  if (const auto* problem = std::get_if<spec::TemplateProblem>(&parsed))
    return fail(Blame::input, "load '", load.name, "': ", what, ": ", problem->message);
  return std::get<Template>(std::move(parsed));
}

Result<void> check_url(const std::string& url, const spec::Load& load) {
  using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
  const Url parsed(curl_url(), &curl_url_cleanup);
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  if (code != CURLUE_OK) return fail(Blame::input, "load '", load.name, "': URL '", url, "': ", curl_url_strerror(code));
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(Blame::input, "load '", load.name, "': URL '", url, "' must start with http:// or https://");
  return {};
}

}  // namespace

Result<Requests> Requests::make(const spec::Load& load, std::array<std::uint64_t, 2> run) {
  Requests requests(load, run);
  for (const auto& each : spec::requests_of(load)) TRY(requests.add(load, each));
  return requests;
}

namespace {

// "10.0.0.1:8443" of "https://user@10.0.0.1:8443/…".
std::string authority_of(const std::string& url) {
  const auto begin = url.find("://") + 3;
  std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  return authority.substr(authority.rfind('@') + 1);
}

bool names_host(const std::map<std::string, std::string>& headers) {
  return std::ranges::any_of(headers, [](const auto& header) {
    return std::ranges::equal(header.first, std::string_view("host"), {}, [](unsigned char c) { return std::tolower(c); });
  });
}

}  // namespace

Result<void> Requests::add(const spec::Load& load, const spec::LoadRequest& request) {
  const bool plain = std::ranges::all_of(request.method, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (request.method.empty() || !plain)
    return fail(Blame::input, "load '", load.name, "': method '", request.method, "' must be capital letters");
  Kind kind{.method = request.method, .weight = std::max(request.weight, 1)};
  kind.url = TRY(compile("url", request.url, load));
  kind.body = TRY(compile("body", request.body, load));
  auto headers = request.headers;
  if (!load.tls.server_name.empty() && !names_host(headers)) headers.emplace("Host", authority_of(request.url));
  for (const auto& [name, value] : headers) {
    kind.headers.emplace_back(name, TRY(compile("header " + name, value, load)));
    kind.fixed_headers = kind.fixed_headers && is_fixed(kind.headers.back().second);
  }
  kind.fixed_url = is_fixed(kind.url);
  kind.fixed_body = is_fixed(kind.body);
  kind.has_body = !request.body.empty();
  std::string first;
  write_url(kind, 0, first);
  TRY(check_url(first, load));
  weights_ += static_cast<std::uint64_t>(kind.weight);
  kinds_.push_back(std::move(kind));
  return {};
}

namespace {

std::uint64_t drawn(std::uint64_t seed, std::uint64_t request, std::uint64_t place) { return mixed(mixed(seed ^ mixed(request)) + place); }

}  // namespace

std::size_t Requests::kind_of(std::uint64_t request) const {
  if (kinds_.size() == 1) return 0;
  std::uint64_t rest = below(drawn(seed_, request, in_kind), weights_);
  std::size_t kind = 0;
  for (; rest >= static_cast<std::uint64_t>(kinds_[kind].weight); ++kind) rest -= static_cast<std::uint64_t>(kinds_[kind].weight);
  return kind;
}

void Requests::write_value(const Piece& piece, std::uint64_t request, std::uint64_t place, std::string& out, bool encode) const {
  const std::uint64_t span = static_cast<std::uint64_t>(piece.high - piece.low) + 1;
  switch (piece.kind) {
    case Piece::Kind::text:
      out += piece.text;
      return;
    case Piece::Kind::request:
      out += std::to_string(request + 1);
      return;
    case Piece::Kind::uuid:
      out += uuid(mixed(run_[0] + request), mixed(run_[1] ^ mixed(request)));
      return;
    case Piece::Kind::random:
      out += std::to_string(piece.low + static_cast<std::int64_t>(below(drawn(seed_, request, place), span)));
      return;
    case Piece::Kind::seq:
      out += std::to_string(piece.low + static_cast<std::int64_t>(request % span));
      return;
    case Piece::Kind::data: {
      const std::uint64_t rows = data_.rows.size();
      const std::uint64_t row = data_.random ? below(drawn(seed_, request, in_data), rows) : request % rows;
      append(out, data_.rows[row][piece.column], encode);
    }
  }
}

void Requests::write(const Template& text, std::uint64_t request, std::uint64_t place, std::string& out, bool encode) const {
  out.clear();
  for (const Piece& piece : text) write_value(piece, request, place++, out, encode);
}

void Requests::write_url(const Kind& kind, std::uint64_t request, std::string& out) const { write(kind.url, request, in_url, out, true); }

void Requests::write_body(const Kind& kind, std::uint64_t request, std::string& out) const {
  write(kind.body, request, in_body, out, false);
}

std::map<std::string, std::string> Requests::headers(const Kind& kind, std::uint64_t request) const {
  std::map<std::string, std::string> all;
  std::uint64_t place = in_headers;
  for (const auto& [name, value] : kind.headers) {
    write(value, request, place, all[name], false);
    place += value.size();
  }
  return all;
}

}  // namespace arashi::load
