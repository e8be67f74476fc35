// What an error is, for programs: the message beside it is for people, and nothing may depend on how it is put.
#pragma once

#include <array>
#include <string_view>

namespace arashi {

// Who has to act on an error; the agent's API maps it to an HTTP status, the commands to an exit code.
enum class Blame {
  input,        // what was asked is wrong: change the request                        (400, exit 2)
  refused,      // allowed in general, but not now or not by this policy              (409, exit 3)
  missing,      // the thing named does not exist, or no longer                       (404, exit 3)
  unsupported,  // this machine cannot do it                                          (501, exit 3)
  system,       // a system call, a file or a peer failed                             (500)
};

enum class Code {
  none,           // nothing that a program could treat apart from its Blame
  claimed,        // another injection owns what this one would change
  drifted,        // someone else changed what we had set; it is left as it is
  ending,         // the agent is about to end and takes nothing new
  exists,         // an injection with this id is there already
  explained,      // a server that was asked says itself why it does not answer
  expired,        // its experiment holds no lease, or none any longer
  halted,         // a person halted the experiment
  lost,           // the effect is gone though nobody reverted it
  not_allowed,    // the caller lacks the right
  other_version,  // the two sides speak different versions of the protocol
  policy,         // the policy of the agent's owner forbids it
  stuck,          // it could not be reverted
  unknown_fault,  // this agent has no such fault
};

struct CodeText {
  Code code;
  std::string_view name;
  Blame blame;
};
inline constexpr std::array code_texts{
    CodeText{Code::none, "", Blame::system},
    CodeText{Code::claimed, "claimed", Blame::refused},
    CodeText{Code::drifted, "drifted", Blame::refused},
    CodeText{Code::ending, "ending", Blame::refused},
    CodeText{Code::exists, "exists", Blame::refused},
    CodeText{Code::explained, "explained", Blame::system},
    CodeText{Code::expired, "expired", Blame::refused},
    CodeText{Code::halted, "halted", Blame::refused},
    CodeText{Code::lost, "lost", Blame::missing},
    CodeText{Code::not_allowed, "not_allowed", Blame::refused},
    CodeText{Code::other_version, "other_version", Blame::refused},
    CodeText{Code::policy, "policy", Blame::refused},
    CodeText{Code::stuck, "stuck", Blame::system},
    CodeText{Code::unknown_fault, "unknown_fault", Blame::missing},
};

constexpr const CodeText& text_of(Code code) {
  for (const auto& one : code_texts)
    if (one.code == code) return one;
  return code_texts.front();
}
constexpr std::string_view name_of(Code code) { return text_of(code).name; }

// One that a newer peer knows and we do not is none: its Blame still says who has to act.
constexpr Code code_from(std::string_view name) {
  for (const auto& one : code_texts)
    if (one.name == name) return one.code;
  return Code::none;
}

}  // namespace arashi
