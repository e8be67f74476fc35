// The report as a browser draws it: headless Chromium runs the page's script and gives back what stands there then.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>

namespace arashi::testing {

namespace {

std::string drawn(const std::filesystem::path& page, const std::filesystem::path& profile) {
  return run({"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + profile.string(), "--dump-dom",
              "file://" + page.string()},
             std::chrono::seconds(60))
      .output;
}

}  // namespace

TEST_CASE("the report's timeline tells twenty victims of one name apart, and text of the spec is no markup") {
  const Directory folder;
  const auto spec = folder.path() / "many.yaml";
  std::vector<Child> victims;
  std::string targets, timeline;
  for (int i = 0; i < 20; ++i) {
    victims.push_back(sleeper());
    const auto name = "v" + std::to_string(i);
    targets += "    " + name + ": {process: {pid: " + std::to_string(victims.back().pid()) + "}}\n";
    timeline += "    - {at: 0s, for: 1s, on: " + name + ", fault: process.pause}\n";
  }
  std::ofstream(spec) << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: many}\nspec:\n"
                         "  hypothesis: Nobody minds </script><b>twenty</b> that stand still\n  targets:\n"
                      << targets << "  timeline:\n"
                      << timeline << "  limits: {targets: 20, share: 100%, duration: 1m}\n";
  Run run({spec});
  CHECK(run.wait(std::chrono::seconds(30)) == 0);
  const auto page = drawn(run.folder / "report.html", folder.path() / "profile");
  INFO(page.substr(page.size() - std::min<std::size_t>(page.size(), 2000)));
  CHECK(page.find("Drawn by Arashi from result.json") != std::string::npos);  // the script came to its end
  CHECK(page.find("Nobody minds &lt;/script&gt;&lt;b&gt;twenty") != std::string::npos);
  CHECK(page.find("<td class=\"\">0 s</td><td class=\"\">1 s</td>") != std::string::npos);  // the plan's times have their unit
  for (const auto& victim : victims) CHECK(page.find(">sleep (pid " + std::to_string(victim.pid()) + ")</div>") != std::string::npos);
}

}  // namespace arashi::testing
