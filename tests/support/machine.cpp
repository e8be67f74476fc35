#include "tests/support/machine.hpp"

#include "injector/core/id.hpp"
#include "tests/support/remains.hpp"

#include <doctest/doctest.h>

#include <iostream>

namespace arashi::testing {

Host host_in(const std::filesystem::path& directory) {
  Host host;
  host.run = directory / "run";
  host.state = directory / "state";
  return host;
}

Machine::Machine(const std::filesystem::path& directory) : host_(host_in(directory)), workers_(make_workers(host_)) {
  host_.workers = workers_.get();
  auto journal = Journal::open(host_.run, Journal::Durability::until_reboot);
  auto disk_journal = Journal::open(host_.state, Journal::Durability::on_disk);
  if (!journal || !disk_journal) FAIL((journal ? disk_journal : journal).error().message);
  injector_ = std::make_unique<Injector>(host_, std::move(journal).value(), std::move(disk_journal).value());
}

Machine::~Machine() {
  for (const auto& ended : injector_->revert("", ""))
    if (ended.step == Step::stuck) std::cerr << "left behind by the test: " << ended.fault << ": " << ended.problem << '\n';
}

Victim the_victim(const Host& host, const Selector& selector) {
  auto found = resolve(host, selector);
  if (!found) FAIL(found.error().message);
  if (found->size() != 1) FAIL(found->size() << " targets found, one expected");
  return std::move(found->front());
}

Request request(const std::string& fault, const Victim& victim, const Json& given, Duration duration) {
  const auto* const found = find_fault(fault);
  if (found == nullptr) FAIL("no fault " << fault);
  auto check = check_params(found->params, given);
  if (!check.problems.empty()) FAIL(fault << ": " << check.problems.front().message);
  const auto id = new_id();
  note(Made::injection, id);
  return {.id = id, .experiment = "test", .victim = victim, .params = std::move(check.canonical), .duration = duration};
}

}  // namespace arashi::testing
