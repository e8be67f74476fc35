// Makes a small certificate authority and certificates for a first set-up of agents with mutual TLS (`arashi pki`): EC P-256, SHA-256, PEM.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace arashi::commands {

struct CertificateRequest {
  std::string name;                    // common name; of an agent also its first address
  std::string role;                    // "agent", "runner", "halt-only": in the subject's organisational unit as "role=…"
  std::vector<std::string> addresses;  // agent: IP addresses and DNS names under which runners reach it
  int days = 365;                      // how long it is valid, from now
};

// Writes ca.pem and ca-key.pem into `directory` (made if missing, 0700). Never overwrites.
Result<void> make_authority(const std::filesystem::path& directory, int days);

// Signs with the authority in `directory` and writes `directory`/NAME/{ca,cert,key}.pem, which is what --pki and the agent take. Never
// overwrites; a half-written folder is removed again.
Result<std::filesystem::path> make_certificate(const std::filesystem::path& directory, const CertificateRequest& request);

}  // namespace arashi::commands
