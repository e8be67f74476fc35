#include "injector/network/dns_message.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace arashi;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
  std::vector<std::byte> all;
  for (const char letter : text) all.push_back(static_cast<std::byte>(letter));
  return all;
}

std::string header(const char* flags = "\x01\x00") {
  return std::string("\x12\x34", 2) + std::string(flags, 2) + std::string("\0\1\0\0\0\0\0\0", 8);
}
const std::string db_example = std::string("\2DB\7example\3com\0", 16);
const std::string a_in = std::string("\0\1\0\1", 4);

}  // namespace

TEST_CASE("the question of a query is read") {
  const auto question = dns::read_question(bytes(header() + db_example + a_in));
  REQUIRE(question);
  CHECK(question->name == "db.example.com");
  CHECK(question->type == 1);
  CHECK(question->end == 12 + 16 + 4);
  CHECK(dns::read_question(bytes(header() + std::string("\0", 1) + a_in))->name.empty());
  CHECK(dns::read_question(bytes(header() + std::string("\3a.b\1\xff\0", 7) + a_in))->name == "a\\046b.\\255");
}

TEST_CASE("what is no plain query is not read, wherever it is cut off") {
  const auto whole = header() + db_example + a_in;
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK_FALSE(dns::read_question(bytes(whole.substr(0, length))));
  CHECK_FALSE(dns::read_question(bytes(header("\x81\x00") + db_example + a_in)));  // an answer
  CHECK_FALSE(dns::read_question(bytes(header("\x28\x00") + db_example + a_in)));  // an update
  CHECK_FALSE(dns::read_question(bytes(header() + std::string("\xc0\x0c", 2) + a_in)));
  CHECK_FALSE(dns::read_question(bytes(header() + db_example + std::string("\0\1\0\3", 4))));  // class CHAOS
  std::string longest;
  for (int i = 0; i < 5; ++i) longest += '?' + std::string(63, 'a');  // its length, 63, is that character
  CHECK_FALSE(dns::read_question(bytes(header() + longest + std::string("\0", 1) + a_in)));
}

TEST_CASE("answers carry the question and the code, and addresses of its family alone") {
  const auto query = bytes(header() + db_example + a_in);
  const auto question = *dns::read_question(query);
  const std::vector<Cidr> addresses{*parse_cidr("192.0.2.7"), *parse_cidr("2001:db8::7")};
  const auto no_name = dns::answer(query, question, dns::Code::no_such_name, addresses);
  CHECK(no_name == bytes(std::string("\x12\x34\x81\x83\0\1\0\0\0\0\0\0", 12) + db_example + a_in));
  const auto found = dns::answer(query, question, dns::Code::no_error, addresses);
  CHECK(found == bytes(std::string("\x12\x34\x81\x80\0\1\0\1\0\0\0\0", 12) + db_example + a_in +
                       std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\7", 16)));
}

TEST_CASE("names fit patterns, whatever the case of their letters") {
  CHECK(dns::fits("db.example.com", "db.example.com"));
  CHECK(dns::fits("DB.Example.com.", "db.example.com"));
  CHECK(dns::fits("*.example.com", "a.b.example.com"));
  CHECK_FALSE(dns::fits("*.example.com", "example.com"));
  CHECK_FALSE(dns::fits("*.example.com", "db.example.com.evil"));
  CHECK(dns::fits("*", "anything"));
  CHECK(dns::fits("*a*b*", "xxaxxbxx"));
  CHECK_FALSE(dns::fits("*a*b*", "xxbxxaxx"));
  CHECK_FALSE(dns::fits("db", "dbs"));
  CHECK(dns::type_of("aaaa") == 28);
  CHECK(dns::type_of("64") == 64);
  CHECK_FALSE(dns::type_of("70000"));
  CHECK_FALSE(dns::type_of(""));
}
