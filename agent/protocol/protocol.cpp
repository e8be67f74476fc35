#include "agent/protocol/protocol.hpp"

#include "agent/protocol/fields.hpp"

#include <array>

namespace arashi::protocol {

namespace {

struct Meaning {
  Blame blame;
  std::string_view name;
  int status;
};

constexpr std::array meanings{Meaning{Blame::input, "input", 400}, Meaning{Blame::refused, "refused", 409},
                              Meaning{Blame::missing, "missing", 404}, Meaning{Blame::unsupported, "unsupported", 501},
                              Meaning{Blame::system, "system", 500}};

const Meaning& meaning_of(Blame blame) {
  for (const auto& meaning : meanings)
    if (meaning.blame == blame) return meaning;
  return meanings.back();
}

}  // namespace

std::string_view name_of(Blame blame) { return meaning_of(blame).name; }

Blame blame_from(std::string_view name) {
  for (const auto& meaning : meanings)
    if (meaning.name == name) return meaning.blame;
  return Blame::system;
}

int http_status(Blame blame) { return meaning_of(blame).status; }

ErrorReply reply_of(const Error& error) { return {.blame = error.blame, .code = error.code, .message = error.message}; }
Error error_of(ErrorReply reply) { return {.message = std::move(reply.message), .blame = reply.blame, .code = reply.code}; }

template <class T>
Result<T> parse(std::string_view text) {
  const auto json = TRY(parse_json(text));
  try {
    T value;
    read(json, value);
    return value;
  } catch (const Malformed& wrong) {
    if (wrong.path.empty()) return fail(Blame::input, "the body ", wrong.reason);
    return fail(Blame::input, "field '", wrong.path, "' ", wrong.reason);
  }
}

template <class T>
std::string print(const T& value) {
  return to_text(Json(value));
}

#define ARASHI_ON_THE_WIRE(T)                    \
  template Result<T> parse<T>(std::string_view); \
  template std::string print<T>(const T&);
ARASHI_ON_THE_WIRE(FaultText)
ARASHI_ON_THE_WIRE(std::vector<FaultText>)
ARASHI_ON_THE_WIRE(std::vector<Ask>)
ARASHI_ON_THE_WIRE(std::vector<std::string>)
ARASHI_ON_THE_WIRE(Capability)
ARASHI_ON_THE_WIRE(std::vector<Capability>)
ARASHI_ON_THE_WIRE(About)
ARASHI_ON_THE_WIRE(ResolveRequest)
ARASHI_ON_THE_WIRE(CapabilitiesReply)
ARASHI_ON_THE_WIRE(ResolveReply)
ARASHI_ON_THE_WIRE(InjectRequest)
ARASHI_ON_THE_WIRE(PrepareReply)
ARASHI_ON_THE_WIRE(InjectReply)
ARASHI_ON_THE_WIRE(LeaseRequest)
ARASHI_ON_THE_WIRE(LeaseReply)
ARASHI_ON_THE_WIRE(RevertRequest)
ARASHI_ON_THE_WIRE(HaltRequest)
ARASHI_ON_THE_WIRE(RevertOutcome)
ARASHI_ON_THE_WIRE(RevertReply)
ARASHI_ON_THE_WIRE(InjectionStatus)
ARASHI_ON_THE_WIRE(StatusReply)
ARASHI_ON_THE_WIRE(ErrorReply)
#undef ARASHI_ON_THE_WIRE

}  // namespace arashi::protocol
