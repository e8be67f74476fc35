#include "experiments/commands/live_view.hpp"
#include "tests/unit/run/world.hpp"

#include <sstream>

namespace arashi::commands {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Without escape sequences; what starts at U+3000 or later takes two columns.
std::size_t width_of(const std::string& line) {
  std::size_t width = 0;
  bool escape = false;
  for (const char c : line) {
    if (c == '\x1b') escape = true;
    if (!escape && (static_cast<unsigned char>(c) & 0xc0U) != 0x80U) width += static_cast<unsigned char>(c) >= 0xe3 ? 2 : 1;
    if (c == 'm') escape = false;
  }
  return width;
}

run::World a_world() { return {run::an_experiment(), {run::planned("aaaaaaaa", {}, std::chrono::seconds(10))}}; }

}  // namespace

TEST_CASE("no line of the picture is wider than the terminal, and a name cannot move the cursor") {
  auto world = a_world();
  world.plan.injections[0].victim.label = "evil\x1b[2Jname 嵐嵐 with a very long label that goes on and on and on and on and on";
  world.until(run::State::observing);
  world.run_for(std::chrono::seconds(3));
  for (const int width : {20, 40, 80, 200}) {
    const std::string text = picture(world.experiment, *world.runner, world.now, {.width = width});
    for (const auto& line : lines_of(text)) CHECK(width_of(line) <= static_cast<std::size_t>(width));
    CHECK(text.find("\x1b[2J") == std::string::npos);
  }
  const std::string text = picture(world.experiment, *world.runner, world.now, {.width = 120, .colour = false});
  CHECK(text.find("observing") != std::string::npos);
  CHECK(text.find("pay") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("plain lines tell each event once and how the SLOs stand now and then") {
  auto world = a_world();
  world.until(run::State::observing);
  PlainLines lines;
  const std::string first = lines.next(*world.runner, world.now);
  CHECK(first.find("state: observing") != std::string::npos);
  world.run_for(std::chrono::seconds(6));
  const std::string later = lines.next(*world.runner, world.now);
  CHECK(later.find("state: observing") == std::string::npos);
  CHECK(later.find("observing: pay error budget used") != std::string::npos);
  CHECK(later.find("no significant violation") != std::string::npos);
  CHECK(lines.next(*world.runner, world.now).empty());
}

}  // namespace arashi::commands
