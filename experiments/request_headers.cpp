#include "experiments/request_headers.hpp"

#include <string_view>
#include <vector>

namespace arashi {
namespace {

bool breaks_a_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

std::string line_of(const std::string& name, const std::string& value) {
  std::string line = name;
  line += value.empty() ? ";" : ": ";  // libcurl's way to send a header without a value
  line += value;
  return line;
}

}  // namespace

Result<HeaderLines> header_lines(const std::map<std::string, std::string>& headers) {
  std::vector<std::string> lines = {"Expect:"};  // no round trip of 100-continue before a body
  if (!headers.contains("Content-Type")) lines.emplace_back("Content-Type:");
  for (const auto& [name, value] : headers) {
    if (name.empty() || breaks_a_line(name) || breaks_a_line(value) || name.find(':') != std::string::npos)
      return fail(Blame::input, "header '", name, "': a name or value may not be empty, hold a line break or (name) a colon");
    lines.push_back(line_of(name, value));
  }
  HeaderLines list(nullptr, &curl_slist_free_all);
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) return fail(Blame::system, "out of memory for the request headers");
    static_cast<void>(list.release());
    list.reset(longer);
  }
  return list;
}

}  // namespace arashi
