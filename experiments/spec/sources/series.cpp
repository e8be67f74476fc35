#include "experiments/spec/sources/series.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace arashi::spec {
namespace {

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Result<SeriesSelector> selector() {
    SeriesSelector made;
    blanks();
    const std::size_t begin = at_;
    while (in_name(here()) || here() == ':') ++at_;
    made.name = text_.substr(begin, at_ - begin);
    blanks();
    if (here() == '{') TRY(matchers(made));
    blanks();
    if (at_ < text_.size()) return fail(Blame::input, rest());
    return made;
  }

 private:
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (std::isspace(static_cast<unsigned char>(here())) != 0) ++at_;
  }

  [[nodiscard]] std::string rest() const {
    const std::string found = "'" + std::string(text_.substr(at_, 20)) + "'";
    if (here() == '(') return found + ": no function or sum belongs here, every series that fits is read and added up";
    if (here() == '[') return found + ": no range belongs here, the counter itself is read";
    return found + " is not expected here";
  }

  Result<void> matchers(SeriesSelector& into) {
    ++at_;
    for (blanks(); here() != '}'; blanks()) {
      into.matchers.push_back(TRY(matcher()));
      blanks();
      if (here() == ',')
        ++at_;
      else if (here() != '}')
        return fail(Blame::input, at_ < text_.size() ? rest() : "the { is not closed", "; labels are separated by ','");
    }
    ++at_;
    return {};
  }

  Result<Matcher> matcher() {
    Matcher made;
    const std::size_t begin = at_;
    while (in_name(here())) ++at_;
    made.label = text_.substr(begin, at_ - begin);
    if (made.label.empty()) return fail(Blame::input, at_ < text_.size() ? rest() : "the { is not closed");
    blanks();
    made.kind = TRY(kind(made.label));
    blanks();
    made.value = TRY(quoted(made.label));
    if (made.kind != Matcher::Kind::like && made.kind != Matcher::Kind::unlike) return made;
    RE2::Options options(RE2::Quiet);
    options.set_dot_nl(true);  // as Prometheus has it
    made.regex = std::make_shared<const RE2>(made.value, options);
    if (made.regex->ok()) return made;
    return fail(Blame::input, "the regular expression \"", made.value, "\" of '", made.label, "' is not understood: ", made.regex->error());
  }

  Result<Matcher::Kind> kind(const std::string& label) {
    const std::string_view next = text_.substr(at_, 2);
    at_ += next.starts_with("=~") || next.starts_with("!=") || next.starts_with("!~") ? 2 : 1;
    if (next == "=~") return Matcher::Kind::like;
    if (next == "!=") return Matcher::Kind::unequal;
    if (next == "!~") return Matcher::Kind::unlike;
    if (next.starts_with("=")) return Matcher::Kind::equal;
    return fail(Blame::input, "label '", label, "' needs =, !=, =~ or !~ and a value in quotes");
  }

  Result<char> escape(const std::string& label) {
    ++at_;
    const std::string_view known = "\\\"'nt";
    if (known.find(here()) == std::string_view::npos || here() == '\0')
      return fail(Blame::input, "in the value of '", label, "': write \\\\ for one backslash");
    return here() == 'n' ? '\n' : here() == 't' ? '\t' : here();
  }

  Result<std::string> quoted(const std::string& label) {
    const char quote = here();
    if (quote != '"' && quote != '\'' && quote != '`') return fail(Blame::input, "the value of '", label, "' needs quotes");
    std::string value;
    for (++at_; here() != quote; ++at_) {
      if (at_ >= text_.size()) return fail(Blame::input, "the value of '", label, "' is not closed with ", quote);
      if (here() != '\\' || quote == '`') {
        value += here();
        continue;
      }
      value += TRY(escape(label));
    }
    ++at_;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool Matcher::matches(std::string_view text) const {
  const re2::StringPiece whole(text.data(), text.size());
  switch (kind) {
    case Kind::equal:
      return text == value;
    case Kind::unequal:
      return text != value;
    case Kind::like:
      return RE2::FullMatch(whole, *regex);
    case Kind::unlike:
      return !RE2::FullMatch(whole, *regex);
  }
  return false;
}

bool SeriesSelector::matches(std::span<const Label> labels) const {
  return std::ranges::all_of(matchers, [&](const Matcher& matcher) {
    const auto found = std::ranges::find(labels, matcher.label, &Label::name);
    return matcher.matches(found == labels.end() ? std::string_view() : std::string_view(found->value));
  });
}

bool is_promql_word(std::string_view name) {
  constexpr std::array<std::string_view, 14> words{"and",     "or", "unless",   "bool",       "offset",      "atan2", "by",
                                                   "without", "on", "ignoring", "group_left", "group_right", "inf",   "nan"};
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::ranges::any_of(words, [&](std::string_view word) { return std::ranges::equal(name, word, same); });
}

Result<SeriesSelector> parse_series(std::string_view text) {
  auto read = Scanner(text).selector();
  if (!read) return because(read.error(), "selector '", text, "'");
  SeriesSelector made = std::move(read).value();
  made.text = text;
  const auto named =
      std::ranges::find_if(made.matchers, [](const Matcher& one) { return one.label == "__name__" && one.kind == Matcher::Kind::equal; });
  if (named != made.matchers.end() && made.name.empty()) {
    made.name = named->value;
    made.matchers.erase(named);
  }
  if (made.name.empty()) return fail(Blame::input, "selector '", text, "': the metric's name is missing, such as http_requests_total{…}");
  if (!begins_name(made.name.front()) && made.name.front() != ':')
    return fail(Blame::input, "selector '", text, "': '", made.name, "' is not a metric's name");
  return made;
}

}  // namespace arashi::spec
