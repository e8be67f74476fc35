// What strangers can send: the bodies of the API, the frames between its processes, the policy file. None may crash, and what is accepted
// must survive being printed and read again.
#include "agent/channel.hpp"
#include "agent/options.hpp"
#include "agent/policy.hpp"
#include "agent/protocol/protocol.hpp"
#include "agent/routes.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace arashi;

void require(bool fine) {
  if (!fine) std::abort();
}

template <class T>
void message(std::string_view text) {
  const auto first = protocol::parse<T>(text);
  if (!first) return require(!first.error().message.empty());
  const auto printed = protocol::print(*first);
  const auto again = protocol::parse<T>(printed);
  require(again.has_value() && protocol::print(*again) == printed);
}

void frames(std::string_view bytes) {
  if (const auto call = decode_call(bytes)) require(decode_call(encode(*call).substr(4)).value() == *call);
  if (const auto answer = decode_answer(bytes)) require(decode_answer(encode(*answer).substr(4)).value() == *answer);
  Frames stream;
  stream.add(bytes.substr(0, bytes.size() / 2));
  stream.add(bytes.substr(bytes.size() / 2));
  for (auto frame = stream.next(); frame && *frame; frame = stream.next()) require((*frame)->size() <= bytes.size());
}

void target(std::string_view text) {
  NoRoute why;
  const auto* entry = find_route(text.substr(0, text.find(' ')), text.substr(std::min(text.size(), text.find(' ') + 1)), why);
  require(entry != nullptr || !why.message.empty());
  (void)parse_endpoint(std::string(text));
}

}  // namespace

// The first byte chooses; the rest is the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 20U) {
    case 0:
      message<protocol::About>(input);
      break;
    case 1:
      message<protocol::ResolveRequest>(input);
      break;
    case 2:
      message<protocol::ResolveReply>(input);
      break;
    case 3:
      message<protocol::InjectRequest>(input);
      break;
    case 4:
      message<protocol::PrepareReply>(input);
      break;
    case 5:
      message<protocol::InjectReply>(input);
      break;
    case 6:
      message<protocol::LeaseRequest>(input);
      break;
    case 7:
      message<protocol::LeaseReply>(input);
      break;
    case 8:
      message<protocol::RevertRequest>(input);
      break;
    case 9:
      message<protocol::HaltRequest>(input);
      break;
    case 10:
      message<protocol::RevertReply>(input);
      break;
    case 11:
      message<protocol::StatusReply>(input);
      break;
    case 12:
      message<protocol::ErrorReply>(input);
      break;
    case 13:
      message<std::vector<protocol::FaultText>>(input);
      break;
    case 14:
      (void)parse_policy(std::string(input), "policy");
      break;
    case 15:
      target(input);
      break;
    case 16:
      (void)matches_glob(input.substr(0, input.size() / 2), input.substr(input.size() / 2));
      break;
    default:
      frames(input);
      break;
  }
  return 0;
}
