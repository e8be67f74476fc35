// A network device of one namespace.
#pragma once

#include "injector/core/keys.hpp"

#include <cstdint>
#include <string>

namespace arashi {

struct Device {
  std::string name;
  std::int32_t index = 0;
  bool loopback = false;  // each packet of it leaves and arrives here: hit in both directions it is still hit once
  bool operator==(const Device&) const = default;
  static constexpr auto keys = std::tuple(key("name", &Device::name), key("index", &Device::index), key("loopback", &Device::loopback));
};

}  // namespace arashi
