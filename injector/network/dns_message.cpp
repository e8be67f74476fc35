#include "injector/network/dns_message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace arashi::dns {

namespace {

constexpr std::size_t header_length = 12;
constexpr std::size_t longest_name = 255;  // on the wire, RFC 1035 3.1
constexpr std::size_t longest_label = 63;
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;

constexpr std::array<std::pair<std::string_view, std::uint16_t>, 12> types{{{"A", 1},
                                                                            {"NS", 2},
                                                                            {"CNAME", 5},
                                                                            {"SOA", 6},
                                                                            {"PTR", 12},
                                                                            {"MX", 15},
                                                                            {"TXT", 16},
                                                                            {"AAAA", 28},
                                                                            {"SRV", 33},
                                                                            {"NAPTR", 35},
                                                                            {"HTTPS", 65},
                                                                            {"ANY", 255}}};

std::uint16_t number_at(Bytes message, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(message[at]) << 8U | std::to_integer<unsigned>(message[at + 1]));
}

void put(std::vector<std::byte>& message, std::uint16_t number) {
  message.push_back(static_cast<std::byte>(number >> 8U));
  message.push_back(static_cast<std::byte>(number & 0xffU));
}

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool is_plain(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

void append_label(std::string& name, Bytes label) {
  if (!name.empty()) name += '.';
  for (const auto byte : label) {
    const auto value = std::to_integer<unsigned>(byte);
    const auto letter = lower(static_cast<char>(value));
    if (is_plain(letter)) {
      name += letter;
      continue;
    }
    name += '\\';
    for (const unsigned part : {value / 100, value / 10 % 10, value % 10}) name += static_cast<char>('0' + part);
  }
}

// The name that starts at `at`, which is moved behind it.
std::optional<std::string> read_name(Bytes message, std::size_t& at) {
  std::string name;
  for (const auto start = at; at < message.size();) {
    const auto length = std::to_integer<std::size_t>(message[at]);
    ++at;
    if (length == 0) return at - start <= longest_name ? std::optional(name) : std::nullopt;
    if (length > longest_label || length > message.size() - at) return std::nullopt;
    append_label(name, message.subspan(at, length));
    at += length;
  }
  return std::nullopt;
}

// Query bits are kept (opcode, recursion desired); QR and "recursion available" are set.
void put_header(std::vector<std::byte>& message, Bytes query, Code code, std::uint16_t answers) {
  put(message, number_at(query, 0));
  put(message, static_cast<std::uint16_t>((number_at(query, 2) & 0x0100U) | 0x8080U | static_cast<unsigned>(code)));
  put(message, 1);
  put(message, answers);
  put(message, 0);
  put(message, 0);
}

std::vector<std::vector<std::byte>> address_records(const Question& question, const std::vector<Cidr>& addresses) {
  std::vector<std::vector<std::byte>> records;
  for (const auto& address : addresses) {
    const bool fits_type = address.v4() ? question.type == type_a : question.type == type_aaaa;
    if (!fits_type) continue;
    std::vector<std::byte> record;
    put(record, 0xc00c);  // the question's name, right behind the header
    put(record, question.type);
    put(record, class_in);
    put(record, 0);  // time to live, 32 bits
    put(record, 0);
    const auto whole = std::as_bytes(std::span(address.address));
    const auto data = address.v4() ? whole.subspan(12) : whole;
    put(record, static_cast<std::uint16_t>(data.size()));
    record.insert(record.end(), data.begin(), data.end());
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

std::optional<Question> read_question(Bytes message) {
  if (message.size() < header_length) return std::nullopt;
  constexpr unsigned answer_or_opcode = 0xf800;
  if ((number_at(message, 2) & answer_or_opcode) != 0 || number_at(message, 4) != 1 || number_at(message, 6) != 0) return std::nullopt;
  Question question;
  std::size_t at = header_length;
  auto name = read_name(message, at);
  if (!name || message.size() - at < 4 || number_at(message, at + 2) != class_in) return std::nullopt;
  question.name = std::move(*name);
  question.type = number_at(message, at);
  question.end = at + 4;
  return question;
}

std::vector<std::byte> answer(Bytes query, const Question& question, Code code, const std::vector<Cidr>& addresses) {
  const auto records = code == Code::no_error ? address_records(question, addresses) : std::vector<std::vector<std::byte>>{};
  std::vector<std::byte> message;
  put_header(message, query, code, static_cast<std::uint16_t>(records.size()));
  const auto asked = query.subspan(header_length, question.end - header_length);
  message.insert(message.end(), asked.begin(), asked.end());
  for (const auto& record : records) message.insert(message.end(), record.begin(), record.end());
  return message;
}

std::optional<std::uint16_t> type_of(std::string_view text) {
  for (const auto& [name, number] : types)
    if (std::ranges::equal(name, text, {}, lower, lower)) return number;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

// Two fingers: where the last star stood, and how much of the name it has taken so far.
bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('.') && pattern.size() > 1) pattern.remove_suffix(1);
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && lower(pattern[p]) == lower(name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<void> check_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > longest_name) return fail(Blame::input, "a name has 1 to ", longest_name, " characters");
  for (const char letter : pattern)
    if (!is_plain(lower(letter)) && letter != '.' && letter != '*')
      return fail(Blame::input, "'", pattern, "' is not a name or a pattern such as db.example.com or *.example.com");
  if (pattern.find("..") != std::string_view::npos || pattern.starts_with('.'))
    return fail(Blame::input, "'", pattern, "' has an empty part between its dots");
  return {};
}

}  // namespace arashi::dns
