// The paths of a pod's cgroups in every form that kubelets, drivers and runtimes give them.
#include "injector/host/pod_cgroup.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace arashi;

namespace {

const std::string uid = "3b1f0c8e-5d2a-4c77-9a10-8f6e2d4c1b0a";
const std::string uid_in_a_slice = "3b1f0c8e_5d2a_4c77_9a10_8f6e2d4c1b0a";
const std::string static_uid = "0123456789abcdef0123456789abcdef";
const std::string id(64, 'c');
const std::string slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid_in_a_slice + ".slice";
const PodCgroup container{.pod_uid = uid, .container_id = id};
const PodCgroup pod{.pod_uid = uid, .container_id = ""};

void check(const std::string& path, const PodCgroup& expected) {
  INFO(path);
  const auto found = pod_of_cgroup(path);
  REQUIRE(found.has_value());
  CHECK(found->pod_uid == expected.pod_uid);
  CHECK(found->container_id == expected.container_id);
}

}  // namespace

TEST_CASE("pod cgroup: the cgroupfs driver, of every class of service and runtime") {
  for (const std::string above : {"/kubepods/", "/kubepods/burstable/", "/kubepods/besteffort/", "/node-1/kubepods/burstable/"})
    for (const std::string runtime : {"", "crio-"}) check(above + "pod" + uid + "/" + runtime + id, container);
  check("kubepods/burstable/pod" + uid + "/" + id, container);
  check("/kubepods/burstable/pod" + static_uid + "/" + id, {.pod_uid = static_uid, .container_id = id});
}

TEST_CASE("pod cgroup: the systemd driver, of every runtime") {
  for (const std::string runtime : {"cri-containerd-", "crio-", "docker-"}) check(slice + "/" + runtime + id + ".scope", container);
  check("/kubepods.slice/kubepods-pod" + uid_in_a_slice + ".slice/crio-" + id + ".scope", container);
  check("/kubelet.slice/kubelet-kubepods-pod" + uid_in_a_slice + ".slice/cri-containerd-" + id + ".scope", container);
  check("/system.slice/containerd.service/kubepods-burstable-pod" + uid_in_a_slice + ".slice:cri-containerd:" + id, container);
}

TEST_CASE("pod cgroup: in the reader's own cgroup namespace the path has no kubepods") {
  check("/../../../burstable/pod" + uid + "/" + id, container);
  check("/../../pod" + uid + "/" + id, container);
  check("/../../kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_in_a_slice + ".slice/cri-containerd-" + id + ".scope", container);
}

TEST_CASE("pod cgroup: what a container makes below itself is its own, pods of a cluster in it too") {
  check("/kubepods/pod" + uid + "/" + id + "/init.scope", container);
  check(slice + "/crio-" + id + ".scope/container", container);
  check("/kubepods/pod" + uid + "/" + id + "/kubepods/pod" + static_uid + "/" + std::string(64, 'd'), container);
}

TEST_CASE("pod cgroup: the pod's own cgroup and a runtime's monitor in it are no container") {
  check("/kubepods/burstable/pod" + uid, pod);
  check("/kubepods/burstable/pod" + uid + "/", pod);
  check(slice, pod);
  check(slice + "/crio-conmon-" + id + ".scope", pod);
  check("/kubepods/pod" + uid + "/" + id.substr(1), pod);
  check("/kubepods/pod" + uid + "/pod/" + id, pod);
}

TEST_CASE("pod cgroup: everything else is outside of pods") {
  for (const std::string& path :
       {std::string(""), std::string("/"), std::string("/user.slice/user-0.slice"), "/docker/" + id, "/../" + id,
        std::string("/kubepods/burstable"), std::string("/kubepods/pod"), std::string("/kubepods.slice/kubepods-pod.slice"),
        "/kubepods/pod" + uid.substr(1) + "/" + id, "/kubepods/pods" + uid + "/" + id, "/kubepods/podZ" + uid.substr(1) + "/" + id,
        "/system.slice/pod" + uid_in_a_slice + ".slice/" + id, "/kubepods-pod" + uid + "x.slice:cri-containerd:" + id}) {
    INFO(path);
    CHECK_FALSE(pod_of_cgroup(path).has_value());
  }
}
