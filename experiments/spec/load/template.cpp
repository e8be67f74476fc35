#include "experiments/spec/load/template.hpp"

#include "injector/core/suggest.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace arashi::spec {
namespace {

using Columns = std::vector<std::string>;

constexpr std::string_view known_words = "known are request, uuid, random A..B, seq A..B, data.COLUMN and \"TEXT\"";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::int64_t most = 1'000'000'000'000'000'000;
  const bool good = error == std::errc{} && end == text.data() + text.size() && value >= -most && value <= most;
  return good ? std::optional(value) : std::nullopt;
}

// "1..100"; a complaint otherwise.
std::string read_range(std::string_view text, Piece& piece) {
  const auto dots = text.find("..");
  const auto low = dots == std::string_view::npos ? std::nullopt : whole(trimmed(text.substr(0, dots)));
  const auto high = dots == std::string_view::npos ? std::nullopt : whole(trimmed(text.substr(dots + 2)));
  if (!low || !high) return "two whole numbers are expected, such as 1..100";
  if (*low > *high) return "the first number is the larger one; did you mean " + std::to_string(*high) + ".." + std::to_string(*low) + "?";
  piece.low = *low;
  piece.high = *high;
  return {};
}

std::string read_data(std::string_view column, const Columns& columns, Piece& piece) {
  piece.kind = Piece::Kind::data;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] != column) continue;
    piece.column = i;
    return {};
  }
  if (columns.empty()) return "there is no data: add data: {file: rows.csv} to the load";
  const std::vector<std::string_view> names(columns.begin(), columns.end());
  return "the data have no column '" + std::string(column) + "'" + suggestion(column, names);
}

// What stands between the braces; a complaint, or empty.
std::string read_piece(std::string_view inside, const Columns& columns, Piece& piece) {
  const std::string_view text = trimmed(inside);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    piece.text = text.substr(1, text.size() - 2);
    return {};
  }
  if (text == "request" || text == "uuid") {
    piece.kind = text == "uuid" ? Piece::Kind::uuid : Piece::Kind::request;
    return {};
  }
  if (word == "random" || word == "seq") {
    piece.kind = word == "seq" ? Piece::Kind::seq : Piece::Kind::random;
    return read_range(trimmed(text.substr(word.size())), piece);
  }
  if (text.starts_with("data.")) return read_data(text.substr(5), columns, piece);
  constexpr std::array<std::string_view, 4> words{"request", "uuid", "random", "seq"};
  const std::string meant = nearest(word, words);
  return "unknown placeholder; " + (meant.empty() ? std::string(known_words) : "did you mean '" + meant + "'?");
}

// Of the placeholder that opens there: where its '}}' is. What is quoted may hold braces.
std::size_t close_of(std::string_view text, std::size_t open) {
  const auto first = text.find_first_not_of(" \t\n", open + 2);
  if (first == std::string_view::npos || text[first] != '"') return text.find("}}", open + 2);
  const auto quote = text.find('"', first + 1);
  return quote == std::string_view::npos ? quote : text.find("}}", quote + 1);
}

}  // namespace

std::variant<Template, TemplateProblem> parse_template(std::string_view text, const Columns& columns) {
  Template pieces;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find("{{", at);
    if (open != at) pieces.push_back({.text = std::string(text.substr(at, open - at))});
    if (open == std::string_view::npos) break;
    const auto close = close_of(text, open);
    if (close == std::string_view::npos) return TemplateProblem{open, "'{{' is not closed by '}}'"};
    Piece piece;
    const std::string_view inside = text.substr(open + 2, close - open - 2);
    if (const std::string problem = read_piece(inside, columns, piece); !problem.empty())
      return TemplateProblem{open, "'{{" + std::string(inside.substr(0, 60)) + "}}': " + problem};
    pieces.push_back(std::move(piece));
    at = close + 2;
  }
  return pieces;
}

}  // namespace arashi::spec
