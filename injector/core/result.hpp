// A value or the reason why there is none. The names are std::expected's (C++23), so that it can take over one day.
#pragma once

#include "injector/core/code.hpp"

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

namespace arashi {

struct Error {
  std::string message;  // what failed, on what, why, and where useful what to do; without a trailing full stop. For people only
  Blame blame = Blame::system;
  Code code = Code::none;  // for whoever treats this error apart from others
};

template <class E>
struct Unexpected {
  E error;
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Unexpected<Error> unexpected) : held_(std::in_place_index<1>, std::move(unexpected.error)) {}

  [[nodiscard]] bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] T& value() & { return std::get<0>(held_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(held_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(held_)); }
  [[nodiscard]] const Error& error() const { return std::get<1>(held_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  [[nodiscard]] T value_or(T other) const { return has_value() ? value() : std::move(other); }

 private:
  std::variant<T, Error> held_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Unexpected<Error> unexpected) : error_(std::move(unexpected.error)), ok_(false) {}

  [[nodiscard]] bool has_value() const { return ok_; }
  explicit operator bool() const { return ok_; }
  void value() const {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

// fail(Blame::input, "loss is ", x, ": must lie between 0% and 100%")
template <class... Parts>
[[nodiscard]] Unexpected<Error> fail(Blame blame, const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return {Error{std::move(out).str(), blame, Code::none}};
}

// fail(Code::halted, "experiment '", name, "' was halted"); the code says whose fault it is.
template <class... Parts>
[[nodiscard]] Unexpected<Error> fail(Code code, const Parts&... parts) {
  auto failure = fail(text_of(code).blame, parts...);
  failure.error.code = code;
  return failure;
}

// For a system call that has just failed: sys_fail("open '", path, "'") adds ": " and what errno says.
template <class... Parts>
[[nodiscard]] Unexpected<Error> sys_fail(const Parts&... parts) {
  const int saved = errno;
  return fail(Blame::system, parts..., ": ", std::strerror(saved));
}

// Adds what the caller knows in front of what the callee said.
template <class... Parts>
[[nodiscard]] Unexpected<Error> because(const Error& cause, const Parts&... parts) {
  auto failure = fail(cause.blame, parts..., ": ", cause.message);
  failure.error.code = cause.code;
  return failure;
}

[[nodiscard]] inline Unexpected<Error> pass(Error error) { return {std::move(error)}; }

}  // namespace arashi

// auto fd = TRY(open_file(path));   TRY(write_all(fd, text));   returns the error from the calling function.
// Not between braces behind something with a destructor, {path, TRY(open_file(path))}: on an error what was built before it would leak.
#define TRY(expression)                                           \
  ({                                                              \
    auto try_result_ = (expression);                              \
    if (!try_result_) return ::arashi::pass(try_result_.error()); \
    std::move(try_result_).value();                               \
  })
