#include "injector/host/pod_cgroup.hpp"

#include <algorithm>
#include <array>

namespace arashi {

namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";
constexpr std::size_t uuid_size = 36;
constexpr std::size_t static_uid_size = 32;
constexpr std::size_t container_id_size = 64;

bool is_hexadecimal(std::string_view text) { return text.find_first_not_of(hexadecimal) == std::string_view::npos; }

// With dashes; the systemd driver writes underscores, since a dash separates slices. Empty if it is none.
std::string pod_uid_from(std::string_view text) {
  if (text.size() == static_uid_size && is_hexadecimal(text)) return std::string(text);
  if (text.size() != uuid_size) return "";
  std::string uid(text);
  std::ranges::replace(uid, '_', '-');
  for (std::size_t i = 0; i < uid.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? uid[i] != '-' : hexadecimal.find(uid[i]) == std::string_view::npos) return "";
  }
  return uid;
}

// "podUID" with the cgroupfs driver, "kubepods-burstable-podUID.slice" with systemd's.
std::string pod_uid_of(std::string_view directory) {
  constexpr std::string_view word = "pod";
  constexpr std::string_view slice = ".slice";
  if (!directory.ends_with(slice)) return directory.starts_with(word) ? pod_uid_from(directory.substr(word.size())) : "";
  directory.remove_suffix(slice.size());
  const auto at = directory.rfind("-pod");
  return at == std::string_view::npos ? "" : pod_uid_from(directory.substr(at + 1 + word.size()));
}

std::string container_id_of(std::string_view directory) {
  constexpr std::array<std::string_view, 3> runtimes{"cri-containerd-", "crio-", "docker-"};
  constexpr std::string_view scope = ".scope";
  if (directory.ends_with(scope)) directory.remove_suffix(scope.size());
  for (const auto runtime : runtimes)
    if (directory.starts_with(runtime)) {
      directory.remove_prefix(runtime.size());
      break;
    }
  return directory.size() == container_id_size && is_hexadecimal(directory) ? std::string(directory) : "";
}

// The first directory of `path`, which loses it.
std::string_view take_directory(std::string_view& path) {
  const auto end = std::min(path.find('/'), path.size());
  const auto directory = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return directory;
}

// containerd with the cgroupfs driver beside a kubelet with systemd's makes one directory, "kubepods-podUID.slice:cri-containerd:ID".
PodCgroup pod_and_container(std::string_view directory, std::string_view below) {
  const auto colon = directory.find(".slice:");
  if (colon == std::string_view::npos) return {.pod_uid = pod_uid_of(directory), .container_id = container_id_of(take_directory(below))};
  const auto slice = directory.substr(0, directory.find(':'));
  return {.pod_uid = pod_uid_of(slice), .container_id = container_id_of(directory.substr(directory.rfind(':') + 1))};
}

}  // namespace

std::optional<PodCgroup> pod_of_cgroup(std::string_view path) {
  while (!path.empty()) {
    const auto directory = take_directory(path);
    auto found = pod_and_container(directory, path);
    if (!found.pod_uid.empty()) return found;
  }
  return std::nullopt;
}

}  // namespace arashi
