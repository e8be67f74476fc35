// The words of what a user reads: no text of the product has one of these.
#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Never {
  const char* pattern;
  const char* instead;
};
// Field terms in their place: one word for one thing, which needs no second reading.
constexpr std::array never{
    Never{R"(\bfaults? bit\b|did not bite|did it bite)", "took effect, no effect observed"},
    Never{R"(\b(put|puts|putting) (\w+ )?back\b)", "revert a fault, restore a value"},
    Never{R"(\b(takes?|took|taken|taking) (it |them |faults? |all )?back\b)", "revert, reverted"},
    Never{R"(\bundone\b)", "reverted"},
    Never{R"(\bsays not\b|\btells not\b)", "required, missing"},
    Never{R"(\bstands? (here )?twice\b|\bwritten twice\b)", "duplicate key"},
    Never{R"(\bstands beside\b)", "exclude each other"},
    Never{R"(longer than nothing|more than nothing)", "must be > 0"},
    Never{R"(not a word from)", "no data for 12 s"},
    Never{R"(aborted for nothing)", "false abort"},
    Never{R"(chance of an accident|chance may explain)", "significance p < 0.001, no significant violation"},
    Never{R"(\bburns (its budget|at \d|more than))", "burn rate 14.4x"},
    Never{R"(\bthan it may\b|\bit may spend\b|\bfast as it may\b)", "error budget used 0.4% (limit 2%)"},
    Never{R"(is none of a )", "lacks the role"},
    Never{R"(no fault lives|what lives on)", "active"},
    Never{R"(\bdecision to stop\b)", "abort decision"},
    Never{R"(\d %)", "0.5%: no space before the sign"},
};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between the quotes of a C++ source, joined across lines; comments, includes and character literals are passed over.
std::string literals_of(const std::string& source) {
  static const std::regex token(R"re(//[^\n]*|#include[^\n]*|'(\\.[^']*|[^'\\\n])'|R"(\w*)\(|"((\\[\s\S]|[^"\\])*)")re");
  std::string found;
  for (auto at = source.cbegin(); at != source.cend();) {
    std::smatch match;
    if (!std::regex_search(at, source.cend(), match, token)) break;
    const std::string gap(match.prefix());
    const auto next = match.suffix().first;
    const bool is_raw = match.str().starts_with("R\"");
    const bool joined = gap.find_first_not_of(" \n") == std::string::npos;
    if (!joined) found += '\n';
    at = next;
    if (is_raw) {
      const std::string close = ")" + match[2].str() + "\"";
      const auto end = source.find(close, static_cast<std::size_t>(next - source.cbegin()));
      if (end == std::string::npos) break;
      found.append(next, source.cbegin() + static_cast<std::ptrdiff_t>(end));
      at = source.cbegin() + static_cast<std::ptrdiff_t>(end + close.size());
    } else if (match[3].matched) {
      found += match[3].str();
    }
  }
  return found;
}

std::vector<std::string> complaints(const std::string& text, const std::string& where) {
  std::vector<std::string> found;
  for (const auto& [pattern, instead] : never) {
    std::smatch match;
    if (std::regex_search(text, match, std::regex(pattern))) found.push_back(where + ": '" + match.str() + "'; say: " + instead);
  }
  return found;
}

}  // namespace

TEST_CASE("words: literals are found, across lines, in raw strings, and not in comments") {
  const std::string source =
      "#include \"undone.hpp\"\n// \"undone\"\nchar c = '\"'; f(\"must be longer \"\n  \"than nothing\"); g(R\"x(1 \")x\");";
  CHECK(literals_of(source).ends_with("\nmust be longer than nothing\n1 \""));
  CHECK(literals_of(source).find("undone") == std::string::npos);
  CHECK(complaints(literals_of(source), "f").size() == 1);
  CHECK(complaints("2 faults bit; taken back; 0.5 %", "f").size() == 3);
  CHECK(complaints("2 faults took effect; reverted; 0.5%", "f").empty());
}

TEST_CASE("words: no text that a user reads has one that is never used") {
  std::size_t read = 0;
  for (const std::string root : {"injector", "agent", "experiments"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(SOURCE_DIR) / root)) {
      const auto& path = entry.path();
      const bool is_source = path.extension() == ".cpp" || path.extension() == ".hpp", is_page = path.extension() == ".js";
      if (!is_source && !is_page) continue;
      ++read;
      const std::string text = text_of(path);
      for (const auto& each : complaints(is_source ? literals_of(text) : text, path.lexically_relative(SOURCE_DIR).string()))
        CHECK_MESSAGE(false, each);
    }
  for (const auto& each : complaints(text_of(std::filesystem::path(SOURCE_DIR) / "README.md"), "README.md")) CHECK_MESSAGE(false, each);
  CHECK(read > 300);
}
