// DNS messages (RFC 1035): the question of a query, read strictly, and the answers that dns.answer gives to it. Pure.
#pragma once

#include "injector/core/result.hpp"
#include "injector/network/traffic.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::dns {

using Bytes = std::span<const std::byte>;

enum class Code : std::uint8_t { no_error = 0, server_failure = 2, no_such_name = 3 };

struct Question {
  std::string name;  // lower case, labels joined by dots, without the last dot; bytes that are no letter, digit, '-' or '_' as "\123"
  std::uint16_t type = 0;
  std::size_t end = 0;  // where it ends in the message
};

// A query with exactly one question of class IN. Nothing for all else: an answer, another opcode, a name that is compressed, too long or
// cut off.
std::optional<Question> read_question(Bytes message);

// The answer to the query that the question was read from. Addresses of the question's family only, with a time to live of 0, so that
// nobody remembers them when the fault is over. Without any of them an answer that holds nothing.
std::vector<std::byte> answer(Bytes query, const Question& question, Code code, const std::vector<Cidr>& addresses);

// "A", "AAAA", "MX" …, or a number; nothing for what is neither.
std::optional<std::uint16_t> type_of(std::string_view text);

// "db.example.com" fits itself, "*.example.com" all below, "*" everything: '*' stands for any text. Letters' case does not matter.
bool fits(std::string_view pattern, std::string_view name);
Result<void> check_pattern(std::string_view pattern);

}  // namespace arashi::dns
