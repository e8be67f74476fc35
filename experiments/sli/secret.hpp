// A secret from where the spec says that it is kept; it is never part of an error message. Private to this folder.
#pragma once

#include "experiments/spec/sources/sources.hpp"
#include "injector/core/result.hpp"

#include <optional>

namespace arashi::sli {

// Programs run in `directory`, relative files are below it. `what` names it in errors: "the API key".
Result<std::string> read_secret(const spec::Secret& secret, const std::string& what, const std::string& directory);

// Read when it is first needed, and again after the server refused it: tokens end.
class KeptSecret {
 public:
  KeptSecret(spec::Secret secret, std::string what, std::string directory)
      : secret_(std::move(secret)), what_(std::move(what)), directory_(std::move(directory)) {}
  [[nodiscard]] bool given() const { return secret_.given(); }
  Result<std::string> get();
  void refused() { value_.reset(); }

 private:
  spec::Secret secret_;
  std::string what_, directory_;
  std::optional<std::string> value_;
};

}  // namespace arashi::sli
