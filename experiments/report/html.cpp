#include "experiments/report/page_parts.hpp"
#include "experiments/report/report.hpp"
#include "injector/core/json.hpp"

namespace arashi::report {

namespace {

// JSON inside a script element: "<" is the only character that could end it or open a comment.
std::string for_script(const Json& json) {
  std::string safe;
  for (const char c : to_text(json)) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

// What stands for "@name@" in the page.
std::string part(std::string_view name, const Json& result) {
  if (name == "uplot_css") return std::string(uPlot_min_css);
  if (name == "uplot_js") return std::string(uPlot_iife_min_js);
  if (name == "style_css") return std::string(style_css);
  if (name == "draw_js") return std::string(draw_js);
  return for_script(result);
}

}  // namespace

std::string html(const Json& result) {
  std::string page;
  std::string_view rest = index_html;
  while (true) {
    const auto from = rest.find('@');
    const auto to = from == std::string_view::npos ? from : rest.find('@', from + 1);
    page.append(rest.substr(0, from));
    if (to == std::string_view::npos) return page;
    page.append(part(rest.substr(from + 1, to - from - 1), result));
    rest.remove_prefix(to + 1);
  }
}

}  // namespace arashi::report
