#include "tests/support/sigv4.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace arashi::testing {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
  return text;
}

std::string sha256(const std::string& text) {
  std::array<unsigned char, 32> sum{};
  unsigned size = sum.size();
  EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_sha256(), nullptr);
  return hex({sum.begin(), sum.end()});
}

std::string hmac(const std::string& key, const std::string& text) {
  std::array<unsigned char, 32> sum{};
  unsigned size = sum.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), sum.data(),
       &size);
  return {sum.begin(), sum.end()};
}

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const auto at = text.find(before);
  if (at == std::string::npos) return {};
  const auto begin = at + before.size();
  return text.substr(begin, text.find(after, begin) - begin);
}

}  // namespace

std::string header_of(const Asked& asked, const std::string& name) {
  std::istringstream lines(asked.head);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || lower(line.substr(0, colon)) != lower(name)) continue;
    std::string value = line.substr(colon + 1);
    while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
    return value.substr(std::min(value.find_first_not_of(' '), value.size()));
  }
  return {};
}

std::string sigv4_problem(const Asked& asked, const std::string& access_key, const std::string& secret_key, const std::string& region,
                          const std::string& service) {
  const std::string authorization = header_of(asked, "Authorization");
  const std::string date = header_of(asked, "X-Amz-Date");
  const std::string scope = date.substr(0, 8) + "/" + region + "/" + service + "/aws4_request";
  if (!authorization.starts_with("AWS4-HMAC-SHA256 ")) return "not signed: " + authorization;
  if (between(authorization, "Credential=", ",") != access_key + "/" + scope) return "another credential scope: " + authorization;
  const std::string names = between(authorization, "SignedHeaders=", ",");
  for (const char* needed : {"host", "x-amz-date", "x-amz-target"})
    if ((";" + names + ";").find(std::string(";") + needed + ";") == std::string::npos)
      return std::string(needed) + " is not signed: " + names;
  std::string canonical = asked.method + "\n" + asked.target + "\n\n";
  std::istringstream all(names);
  for (std::string name; std::getline(all, name, ';');) canonical += name + ":" + header_of(asked, name) + "\n";
  canonical += "\n" + names + "\n" + sha256(asked.body);
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(canonical);
  const std::string key = hmac(hmac(hmac(hmac("AWS4" + secret_key, date.substr(0, 8)), region), service), "aws4_request");
  const std::string expected = hex(hmac(key, to_sign));
  return between(authorization, "Signature=", "\r") == expected ? "" : "another signature than " + expected + ": " + authorization;
}

}  // namespace arashi::testing
