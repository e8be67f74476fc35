// What each request of a load is, by its number alone: which of the load's requests, and the values in its URL, headers and body.
#pragma once

#include "experiments/spec/load/load.hpp"
#include "experiments/spec/load/template.hpp"
#include "injector/core/result.hpp"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace arashi::load {

class Requests {
 public:
  // `run`: random; what {{uuid}} is unique by. Refuses what cannot be requested.
  static Result<Requests> make(const spec::Load& load, std::array<std::uint64_t, 2> run);

  struct Kind {
    std::string method;
    spec::Template url, body;
    std::vector<std::pair<std::string, spec::Template>> headers;
    bool fixed_url = true, fixed_headers = true, fixed_body = true;  // the same in each
    bool has_body = false;
    int weight = 1;
  };
  [[nodiscard]] const std::vector<Kind>& kinds() const { return kinds_; }
  // Which kind the request of this number is.
  [[nodiscard]] std::size_t kind_of(std::uint64_t request) const;
  void write_url(const Kind& kind, std::uint64_t request, std::string& out) const;  // values are percent-encoded
  void write_body(const Kind& kind, std::uint64_t request, std::string& out) const;
  [[nodiscard]] std::map<std::string, std::string> headers(const Kind& kind, std::uint64_t request) const;

 private:
  Requests(const spec::Load& load, std::array<std::uint64_t, 2> run) : seed_(load.seed), run_(run), data_(load.data) {}
  Result<void> add(const spec::Load& load, const spec::LoadRequest& request);
  void write(const spec::Template& text, std::uint64_t request, std::uint64_t place, std::string& out, bool encode) const;
  void write_value(const spec::Piece& piece, std::uint64_t request, std::uint64_t place, std::string& out, bool encode) const;

  std::uint64_t seed_;
  std::array<std::uint64_t, 2> run_;
  spec::LoadData data_;
  std::vector<Kind> kinds_;
  std::uint64_t weights_ = 0;
};

}  // namespace arashi::load
