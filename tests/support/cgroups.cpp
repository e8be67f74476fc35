#include "tests/support/cgroups.hpp"

#include "injector/host/files.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/remains.hpp"

#include <doctest/doctest.h>

#include <iostream>

namespace arashi::testing {

Cgroup::Cgroup(const std::string& hierarchy, const std::string& prefix) {
  for (const auto& each : hierarchies(Host{}))
    if (each.name == hierarchy) root_ = each.root;
  if (root_.empty()) FAIL("no cgroup hierarchy '" << hierarchy << "' is mounted");
  path_ = root_ / unique_name(prefix);
  note(Made::cgroup, path_);
  const auto made = make_directory(path_);
  if (!made) FAIL(made.error().message);
}

Cgroup::Cgroup(const Cgroup& parent, const std::string& name) : root_(parent.root_), path_(parent.path_ / name) {
  const auto made = make_directory(path_);
  if (!made) FAIL(made.error().message);
}

Cgroup::~Cgroup() {
  for (const auto& ended : {kill_cgroup(path_), remove_cgroup(path_)})
    if (!ended) std::cerr << "left behind by the test: " << ended.error().message << '\n';
}

}  // namespace arashi::testing
