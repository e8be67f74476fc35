#include "experiments/import/document.hpp"
#include "experiments/spec/document/text.hpp"

#include <algorithm>

namespace arashi::import {
namespace {

constexpr std::size_t most_documents = 200;  // what follows stays in the last one, where it is an error

// Every document stays on its own lines, so that its places are the file's.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> documents{""};
  std::string blank;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    blank += '\n';
    if (documents.size() < most_documents && line.starts_with("---") && line.find_first_not_of(" \r\n", 3) == std::string_view::npos)
      documents.push_back(blank);
    else
      documents.back() += line;
    text.remove_prefix(end);
  }
  return documents;
}

std::string format_of(const Tree& tree) {
  const std::string version = text_of(&tree, "apiVersion");
  if (version.starts_with("openslo")) return "OpenSLO";
  if (version.starts_with("sloth.slok.dev/") || text_of(&tree, "version") == "prometheus/v1") return "Sloth";
  return version.starts_with("pyrra.dev/") ? "Pyrra" : "";
}

// OpenSLO's documents refer to each other, so they wait until all are known.
void read_document(const Tree& tree, std::vector<Tree>& openslo, Imported& into) {
  const std::string format = format_of(tree), version = text_of(&tree, "apiVersion");
  Document document(tree, into);
  if (into.format.empty()) into.format = format;
  if (format == "Sloth") return read_sloth(document, !version.empty());
  if (format == "Pyrra") return read_pyrra(document);
  if (format == "OpenSLO" && version == "openslo/v1") return openslo.push_back(tree);
  if (format == "OpenSLO")
    return document.complain(child(&tree, "apiVersion"), "apiVersion", "is '" + version + "': only openslo/v1 is read");
  if (!into.format.empty()) document.complain(&tree, "", "is not of " + into.format);
}

void read_documents(const std::vector<Tree>& documents, Strictness strictness, Imported& into) {
  std::vector<Tree> openslo;
  for (const Tree& each : documents) read_document(each, openslo, into);
  read_openslo(openslo, strictness, into);
}

// The mappings of one document: itself, or those of its list, which OpenSLO's SDK reads too.
void read_text(const std::string& text, std::vector<Tree>& trees, std::vector<spec::Problem>& problems) {
  if (auto foreign = spec::find_foreign_byte(text)) return problems.push_back(*foreign);
  auto read = spec::read_tree(text);
  if (const auto* problem = std::get_if<spec::TreeProblem>(&read)) return problems.push_back({problem->where, "", problem->message});
  Tree& tree = std::get<Tree>(read);
  if (tree.kind == Tree::Kind::list) trees.insert(trees.end(), tree.items.begin(), tree.items.end());
  if (tree.kind == Tree::Kind::map) trees.push_back(std::move(tree));
}

const ForeignSlo* find_slo(const std::vector<ForeignSlo>& slos, const std::string& name) {
  if (name.empty()) return slos.size() == 1 ? &slos.front() : nullptr;
  const auto found = std::ranges::find(slos, name, &ForeignSlo::name);
  return found == slos.end() ? nullptr : &*found;
}

// Why none was found.
std::string not_found(const Imported& imported, const std::string& file, const std::string& name) {
  const std::string quoted = "'" + file + "'";
  if (!imported.problems.empty()) return spec::to_text(file, imported.problems.front());
  if (imported.format.empty()) return quoted + " is not OpenSLO v1, Sloth or Pyrra";
  if (imported.slos.empty()) return quoted + " has no SLO";
  std::string names;
  for (const ForeignSlo& each : imported.slos) names += (names.empty() ? "" : ", ") + each.name;
  if (name.empty()) return quoted + " has several SLOs: write " + file + "#NAME; known are " + names;
  return quoted + " has no SLO '" + name + "'; known are " + names;
}

}  // namespace

Imported import(std::string_view text, Strictness strictness) {
  Imported into;
  std::vector<Tree> documents;
  for (const std::string& document : split(text.substr(0, spec::largest_spec)))
    if (document.find_first_not_of(" \r\n") != std::string::npos) read_text(document, documents, into.problems);
  if (std::ranges::all_of(documents, [](const Tree& each) { return format_of(each).empty(); })) return into;  // with what cannot be read
  read_documents(documents, strictness, into);
  // OpenSLO's other kinds may stand in files of their own.
  if (into.slos.empty() && into.problems.empty())
    (into.format == "OpenSLO" ? into.notes : into.problems).push_back({{1, 1}, "", "there is no SLO in it"});
  for (auto* told : {&into.problems, &into.notes}) std::ranges::sort(*told, [](const auto& a, const auto& b) { return a < b; });
  return into;
}

Result<spec::ImportedSlo> pick(std::string_view text, const std::string& file, const std::string& name) {
  const Imported imported = import(text);
  const ForeignSlo* found = find_slo(imported.slos, name);
  if (found == nullptr) return fail(Blame::input, not_found(imported, file, name));
  return spec::ImportedSlo{.objective = found->objective,
                           .window = found->window,
                           .calendar = found->calendar,
                           .bad = found->bad,
                           .total = found->total,
                           .url = found->url,
                           .method = found->method,
                           .slice = found->slice,
                           .slice_target = found->slice_target};
}

}  // namespace arashi::import
