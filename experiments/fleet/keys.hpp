// The certificates that a runner shows and trusts: read once, shared by all its connections, and read again when a file has changed.
// Private to this folder.
#pragma once

#include "injector/core/result.hpp"

#include <curl/curl.h>

#include <memory>
#include <string>

namespace arashi::fleet {

class Keys {
 public:
  Keys(std::string ca, std::string certificate, std::string key);  // PEM files
  ~Keys();
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  // Looks whether the files have changed. Files that do not fit together, as while they are being replaced, leave the former ones in use.
  Result<void> refresh();
  // For a connection that `easy` opens; outlives the transfer.
  void use(CURL* easy);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace arashi::fleet
