// Which pod and container of Kubernetes a cgroup belongs to, by its path alone: as it is mounted, or as /proc/PID/cgroup tells it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace arashi {

struct PodCgroup {
  std::string pod_uid;       // as the API server writes it, with dashes; a static pod's are 32 hexadecimal digits
  std::string container_id;  // 64 hexadecimal digits; empty for the pod's own cgroup and for what a runtime keeps in it (CRI-O's conmon)
  bool operator==(const PodCgroup&) const = default;
};

// Absent for a cgroup outside of pods. Knows the cgroupfs and systemd drivers with containerd, CRI-O and Docker. "kubepods" need not be in
// the path: in a cgroup namespace of the reader's own it begins at the reader ("/../../../burstable/podUID/ID"). A container of the
// reader's own pod is "/../ID" there, and therefore absent. What a container makes below itself, pods of a cluster in it too, belongs to
// that container.
std::optional<PodCgroup> pod_of_cgroup(std::string_view path);

}  // namespace arashi
