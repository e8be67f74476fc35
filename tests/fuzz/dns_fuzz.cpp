// A DNS query of any bytes: what is read lies within the message, and the answer to it is a message that reads as one.
#include "injector/network/dns_message.hpp"

#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = std::as_bytes(std::span(data, size));
  const auto question = arashi::dns::read_question(message);
  if (!question) return 0;
  if (question->end > size || question->name.size() > 1024) std::abort();
  static const std::vector<arashi::Cidr> addresses{*arashi::parse_cidr("192.0.2.1"), *arashi::parse_cidr("2001:db8::1")};
  for (const auto code : {arashi::dns::Code::no_error, arashi::dns::Code::no_such_name}) {
    auto answer = arashi::dns::answer(message, *question, code, addresses);
    if (answer.size() < question->end || (answer[2] & std::byte{0x80}) == std::byte{}) std::abort();
    answer[2] &= std::byte{0x01};  // as a query again it asks the same
    answer[7] = std::byte{};
    const auto again = arashi::dns::read_question(answer);
    if (!again || again->name != question->name || again->type != question->type) std::abort();
  }
  (void)arashi::dns::fits("*a*.example.*", question->name);
  return 0;
}
