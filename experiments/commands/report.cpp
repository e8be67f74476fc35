// `arashi report`: draws a finished run again, from its result.json.
#include "experiments/report/report.hpp"

#include "experiments/commands/commands.hpp"
#include "injector/core/json.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace arashi::commands {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string run, format = "text", out;
};

Result<std::string> read_result(const fs::path& run) {
  const auto path = fs::is_directory(run) ? run / "result.json" : run;
  if (!fs::exists(path))
    return fail(Blame::input, "there is no '", path.string(),
                "'; name the folder of a run (arashi run says where it is) or its result.json");
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) return fail(Blame::input, "cannot read '", path.string(), "'");
  return text;
}

Result<std::string> drawn(const Options& options) {
  const auto text = TRY(read_result(options.run));
  auto result = report::read(text);
  if (!result) return because(result.error(), options.run);
  if (options.format == "html") return report::html(*result);
  if (options.format == "junit") return report::junit(*result);
  if (options.format == "json") return to_text(*result, 2) + "\n";
  return report::terminal(*result, options.out.empty() && isatty(STDOUT_FILENO) == 1);
}

Result<void> write_out(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return sys_fail("write '", path, "'");
  return {};
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("report", "draw a finished run again");
  auto options = std::make_shared<Options>();
  command->add_option("run", options->run, "folder of the run, or its result.json")->required();
  command->add_option("--format", options->format, "text, html, junit or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "html", "junit", "json"}));
  command->add_option("--out", options->out, "file to write it to, instead of standard output");
  command->footer("Example:\n  arashi report arashi-runs/held-20261122T100000Z --format html --out report.html");
  command->callback([options, &exit_code] {
    const auto text = drawn(*options);
    if (!text) {
      exit_code = complain("report", text.error());
    } else if (options->out.empty()) {
      print(*text);
    } else if (auto written = write_out(options->out, *text); !written) {
      exit_code = complain("report", written.error());
    }
  });
}

}  // namespace arashi::commands
