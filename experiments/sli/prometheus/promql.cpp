#include "experiments/sli/prometheus/promql.hpp"

#include "experiments/spec/sources/series.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace arashi::sli {
namespace {

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }
bool in_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Result<std::vector<std::string>> selectors() {
    while (at_ < text_.size()) TRY(next());
    return std::move(found_);
  }

 private:
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (std::isspace(static_cast<unsigned char>(here())) != 0) ++at_;
  }

  Result<void> next() {
    const char c = here();
    if (c == '[') return fail(Blame::input, "a range such as [5m] is not wanted: give a counter or sum(counter), it is read at each poll");
    if (c == '"' || c == '\'' || c == '`') return quoted();
    if (c == '{') return selector(at_);
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {  // a number or a duration such as 5m
      while (in_name(here()) || here() == '.') ++at_;
      return {};
    }
    if (begins_name(c)) return word();
    ++at_;
    return {};
  }

  Result<void> quoted() {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) at_ += text_[at_] == '\\' && quote != '`' ? 2 : 1;
    if (at_ >= text_.size()) return fail(Blame::input, "a text is not closed with ", quote);
    ++at_;
    return {};
  }

  Result<void> selector(std::size_t begin) {
    if (here() == '{') {
      while (here() != '}') {
        if (at_ >= text_.size()) return fail(Blame::input, "a { is not closed");
        if (here() == '"' || here() == '\'' || here() == '`') {
          TRY(quoted());
        } else {
          ++at_;
        }
      }
      ++at_;
    }
    found_.emplace_back(text_.substr(begin, at_ - begin));
    return {};
  }

  Result<void> word() {
    const std::size_t begin = at_;
    while (in_name(here())) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    const std::size_t end = at_;
    blanks();
    if (one_of(name, {"by", "without", "on", "ignoring", "group_left", "group_right"})) {
      if (here() == '(') at_ = std::min(text_.find(')', at_), text_.size() - 1) + 1;  // label names
      return {};
    }
    if (spec::is_promql_word(name)) return {};
    if (here() == '(' || one_of(after_name(), {"by", "without"})) return {};  // a function or an aggregation
    if (here() != '{') at_ = end;
    return selector(begin);
  }

  [[nodiscard]] std::string_view after_name() const {
    std::size_t end = at_;
    while (end < text_.size() && in_name(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> found_;
};

// linear: item {("+" | "-") item};  item: "(" linear ")" | "sum" "(" selector ")".  `sum(x) or vector(0)` is sum(x): a missing term is 0.
class Linear {
 public:
  Linear(std::string_view text, const std::vector<std::string>& selectors) : text_(text), selectors_(selectors) {}

  // Nothing where it is something else.
  std::vector<Term> terms() {
    const bool linear = sums(false) && (take("") || only_or_zero());
    return linear && at_ == text_.size() && terms_.size() == selectors_.size() ? std::move(terms_) : std::vector<Term>{};
  }

 private:
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  // The empty token is the end.
  bool take(std::string_view token) {
    blanks();
    if (token.empty()) return at_ == text_.size();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  bool sums(bool minus) {
    if (++depth_ > deepest || !item(minus)) return false;
    while (true) {
      const bool plus = take("+");
      if (!plus && !take("-")) break;
      if (!item(minus != !plus)) return false;
    }
    --depth_;
    return true;
  }

  bool item(bool minus) {
    if (take("(")) {
      const std::size_t before = terms_.size();
      return sums(minus) && (take(")") || (terms_.size() == before + 1 && zero() && take(")")));
    }
    if (!take("sum") || !take("(") || terms_.size() == selectors_.size()) return false;
    const std::string& next = selectors_[terms_.size()];
    if (!take(next) || !take(")")) return false;
    terms_.push_back({next, minus});
    return true;
  }

  bool only_or_zero() { return terms_.size() == 1 && zero(); }
  bool zero() { return take("or") && take("vector") && take("(") && take("0") && take(")"); }

  static constexpr int deepest = 50;
  std::string_view text_;
  const std::vector<std::string>& selectors_;
  std::size_t at_ = 0;
  std::vector<Term> terms_;
  int depth_ = 0;
};

}  // namespace

Result<Expression> analyse(std::string_view promql) {
  const std::string_view text = trimmed(promql);
  Expression expression;
  expression.text = text;
  auto selectors = Scanner(text).selectors();
  if (!selectors) return because(selectors.error(), "PromQL '", text, "'");
  expression.selectors = std::move(selectors).value();
  if (expression.selectors.empty()) return fail(Blame::input, "PromQL '", text, "': it reads no series");
  expression.selector = expression.selectors.size() == 1 && text == expression.selectors.front();
  expression.terms = Linear(text, expression.selectors).terms();
  return expression;
}

}  // namespace arashi::sli
