#include "experiments/import/import.hpp"
#include "experiments/spec/sources/series.hpp"

#include <array>
#include <cctype>

namespace arashi::import {
namespace {

bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }

// expression: term {("+" | "-") term};  term: "(" expression ")" | "sum" "(" expression ")" | rate | selector, then ["or" "vector(0)"]
// rate: ("rate" | "increase") "(" selector "[" "{{.window}}" "]" ")"
class Rewriter {
 public:
  Rewriter(std::string_view text, bool counters) : text_(text), counters_(counters) {}

  Result<std::string> all() {
    auto made = TRY(expression());
    if (at_ < text_.size()) return refuse("'" + std::string(text_.substr(at_, 20)) + "' is more than sums and differences of rates");
    return made;
  }

 private:
  [[nodiscard]] Unexpected<Error> refuse(const std::string& why) const {
    return fail(
        Blame::input, why,
        ": the guard differences counters itself, so sum(rate(COUNTER{…}[{{.window}}])), and sums and differences of such, are read");
  }
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool take(std::string_view token) {
    blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    if (in_name(token.back()) && at_ + token.size() < text_.size() && in_name(text_[at_ + token.size()])) return false;
    at_ += token.size();
    blanks();
    return true;
  }
  Result<void> want(std::string_view token) {
    if (take(token)) return {};
    return refuse("'" + std::string(token) + "' is missing before '" + std::string(text_.substr(at_, 20)) + "'");
  }

  Result<std::string> expression() {
    if (++depth_ > 50) return refuse("too many parentheses");
    std::string made = TRY(term());
    blanks();
    while (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
      const std::string sign = text_[at_++] == '+' ? " + " : " - ";
      made += sign + TRY(term());
      blanks();
    }
    --depth_;
    return made;
  }

  Result<std::string> term() {
    std::string made = TRY(plain());
    // No series at all counts as no event yet, with or without it. Of a sum, which has no labels, on() changes nothing.
    if (take("or") || take("OR")) {
      if (take("on") && !(take("(") && take(")"))) return refuse("'or on' with labels");
      if (!take("vector") || !take("(") || !take("0") || !take(")")) return refuse("'or' with something else than vector(0)");
    }
    return made;
  }

  Result<std::string> plain() {
    blanks();
    if (take("(")) {
      std::string inner = TRY(expression());
      TRY(want(")"));
      return "(" + inner + ")";
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    blanks();
    const bool called = at_ < text_.size() && text_[at_] == '(';
    if (name == "sum") return sum();
    if ((name == "rate" || name == "increase") && called) return rate();
    if (called) return refuse("'" + std::string(name) + "' is not a sum of counters");
    at_ = begin;
    if (!counters_) return refuse("'" + std::string(text_.substr(begin, 20)) + "' is not a rate over {{.window}}");
    return selector();
  }

  Result<std::string> sum() {
    for (const char* word : {"by", "without"})
      if (take(word)) return refuse("'sum " + std::string(word) + "' gives many series where one is wanted");
    TRY(want("("));
    const std::string inner = TRY(expression());
    TRY(want(")"));
    for (const char* word : {"by", "without"})
      if (take(word)) return refuse("'sum(…) " + std::string(word) + "' gives many series where one is wanted");
    return "sum(" + inner + ")";
  }

  Result<std::string> rate() {
    TRY(want("("));
    const std::string inner = TRY(selector());
    TRY(want("["));
    const std::size_t end = text_.find(']', at_);
    if (end == std::string_view::npos) return refuse("a [ is not closed");
    std::string window;
    for (const char c : text_.substr(at_, end - at_))
      if (std::isspace(static_cast<unsigned char>(c)) == 0) window += c;
    if (window != "{{.window}}") return refuse("the range [" + window + "] is not {{.window}}: it would count events more than once");
    at_ = end + 1;
    TRY(want(")"));
    return inner;
  }

  Result<std::string> selector() {
    blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    if (spec::is_promql_word(text_.substr(begin, at_ - begin)))
      return refuse("'" + std::string(text_.substr(begin, at_ - begin)) + "' is a word of PromQL and no counter");
    if (at_ < text_.size() && text_[at_] == '{') TRY(labels());
    if (at_ == begin || std::isdigit(static_cast<unsigned char>(text_[begin])) != 0)
      return refuse("a counter is expected at '" + std::string(text_.substr(begin, 20)) + "'");
    std::string made(text_.substr(begin, at_ - begin));
    if (const auto read = spec::parse_series(made); !read) return fail(Blame::input, read.error().message);
    if (take("offset") || take("@")) return refuse("'offset' and '@' look at another time");
    return made;
  }

  Result<void> labels() {
    if (text_.substr(at_).starts_with("{{")) return refuse("a template other than {{.window}}");
    for (++at_; at_ < text_.size() && text_[at_] != '}'; ++at_) {
      const char quote = text_[at_];
      if (quote != '"' && quote != '\'' && quote != '`') continue;
      for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_)
        if (text_[at_] == '\\' && quote != '`') ++at_;
    }
    if (at_ >= text_.size()) return refuse("a { is not closed");
    ++at_;
    return {};
  }

  std::string_view text_;
  bool counters_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::string> counters_of(std::string_view promql, bool counters) { return Rewriter(promql, counters).all(); }

}  // namespace arashi::import
