// The one thread that drives all agents of a run: their requests, their leases, and whatever else is to happen at a time.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <functional>
#include <memory>
#include <string>

namespace arashi::fleet {

class Keys;
struct Transfer;

class Loop {
 public:
  using Task = std::function<void()>;

  static Result<std::shared_ptr<Loop>> start();
  ~Loop();  // what is still under way is cancelled first; nothing of it is called afterwards
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // From any thread; carried out on the loop's, in their order.
  void post(Task task);
  void at(Duration when, Task task);  // CLOCK_BOOTTIME

  // For agents over HTTP.
  void send(std::unique_ptr<Transfer> transfer);
  std::shared_ptr<Keys> keys(const std::string& ca, const std::string& certificate, const std::string& key);  // one for the same files

 private:
  struct Inside;
  explicit Loop(std::shared_ptr<Inside> inside);
  std::shared_ptr<Inside> inside_;
};

}  // namespace arashi::fleet
