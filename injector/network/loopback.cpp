#include "injector/network/loopback.hpp"

#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

namespace arashi::loopback {

using netlink::Message;
using netlink::Socket;

namespace {

struct Setting {
  const char* name;
  std::uint16_t number;  // in IFLA_INET_CONF
  std::uint32_t Before::*before;
};
constexpr std::array settings_needed{Setting{"route_localnet", IPV4_DEVCONF_ROUTE_LOCALNET, &Before::route_localnet},
                                     Setting{"accept_local", IPV4_DEVCONF_ACCEPT_LOCAL, &Before::accept_local}};

Result<void> set(Socket& socket, std::int32_t device, const Setting& setting, std::uint32_t value) {
  ifinfomsg header{};
  header.ifi_index = device;
  Message message(RTM_SETLINK, 0);
  message.header(header);
  const auto families = message.nest(IFLA_AF_SPEC);
  const auto v4 = message.nest(AF_INET);
  const auto conf = message.nest(IFLA_INET_CONF);
  message.put_u32(setting.number, value);
  message.end(conf);
  message.end(v4);
  message.end(families);
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack) return {};
  return netlink::ack_fail(ack, std::string("set ") + setting.name + " of loopback");
}

// The kernel gives all of a device's IPv4 settings as one array of 32-bit numbers, the first of which is number 1.
Result<std::uint32_t> get(Socket& socket, std::int32_t device, const Setting& setting) {
  ifinfomsg header{};
  header.ifi_index = device;
  const auto reply = TRY(socket.get(Message(RTM_GETLINK, 0).header(header)));
  if (!reply) return fail(Blame::missing, "loopback is gone");
  const auto families = reply->find(sizeof header, IFLA_AF_SPEC);
  const auto v4 = families ? netlink::find(*families, AF_INET) : std::nullopt;
  const auto conf = v4 ? netlink::find(*v4, IFLA_INET_CONF) : std::nullopt;
  const std::size_t at = (setting.number - 1U) * sizeof(std::uint32_t);
  if (!conf || conf->size() < at + sizeof(std::uint32_t)) return fail(Blame::unsupported, "the kernel does not tell ", setting.name);
  return *netlink::u32(conf->subspan(at, sizeof(std::uint32_t)));
}

const Device* loopback_of(const Impairment& impairment) {
  const auto found = std::ranges::find_if(impairment.devices, &Device::loopback);
  return found == impairment.devices.end() ? nullptr : &*found;
}

}  // namespace

Result<Note> note(Socket& socket, const Impairment& impairment) {
  const auto* device = loopback_of(impairment);
  if (device == nullptr || !impairment.traffic.hits_v4()) return Note{};
  Before before;
  for (const auto& each : settings_needed) before.*(each.before) = TRY(get(socket, device->index, each));
  return Note(before);
}

Result<void> open_up(Socket& socket, const Impairment& impairment, const Note& note) {
  const auto* device = loopback_of(impairment);
  if (device == nullptr || !note) return {};
  for (const auto& each : settings_needed) TRY(set(socket, device->index, each, 1));
  return {};
}

Result<void> settle(Socket& socket, const Impairment& impairment, const Note& note) {
  const auto* device = loopback_of(impairment);
  if (device == nullptr || !note) return {};
  for (const auto& each : settings_needed)
    if ((*note).*(each.before) == 0 && TRY(get(socket, device->index, each)) == 1) TRY(set(socket, device->index, each, 0));
  return {};
}

}  // namespace arashi::loopback
