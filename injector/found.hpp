// Victims as they are made of what was found on the machine: what the resolvers of several kinds share.
#pragma once

#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"
#include "injector/host/proc.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// One of the agent's own processes, which are never victims.
bool is_protected(const Host& host, std::int32_t pid);

std::int64_t number(const std::string& text);
bool fits_glob(const std::string& pattern, const std::string& text);
std::string without_slashes(std::string_view path);

Victim process_victim(const Host& host, const Process& process);

// Those of /run/netns whose names fit, by name.
std::vector<Victim> named_netns(const Host& host, const std::string& pattern);

// The cgroups below a hierarchy's root whose paths fit, by path; not those that hold one of the agent's own processes.
using FitsPath = std::function<bool(const std::filesystem::path& below_root)>;
std::vector<Victim> cgroups_that(const Host& host, std::string_view kind, const FitsPath& fits_path);

}  // namespace arashi
