// One document of a foreign file: its fields with their places, and what is wrong with it. Private to this folder.
#pragma once

#include "experiments/import/import.hpp"
#include "experiments/spec/document/tree.hpp"

namespace arashi::import {

using spec::Tree;

const Tree* child(const Tree* tree, std::string_view key);  // nullptr where it is absent, null, or the tree is no mapping
std::string text_of(const Tree* tree, std::string_view key);
bool is_true(const Tree* tree, std::string_view key);

class Document {
 public:
  Document(const Tree& tree, Imported& into) : root(&tree), into_(into) {}
  void complain(const Tree* at, const std::string& path, const std::string& message);
  void note(const Tree* at, const std::string& path, const std::string& message);
  // A share in percent, "99.9" → 0.999; complains where it leaves no budget or is no number.
  double percent(const Tree* at, const std::string& path, double scale);
  // The counters of a query, or a complaint at its place and an empty text.
  std::string counters(const Tree* query, const std::string& path, bool plain);
  void add(ForeignSlo slo);  // unless something was complained of since the document began
  void clean() { bad_ = false; }
  const Tree* root;

 private:
  Imported& into_;
  bool bad_ = false;
};

// A finite decimal number and nothing else, no blanks and no hexadecimal.
std::optional<double> number_in(const std::string& text);

// Digits and a unit, by the seconds of the units; nothing where it is not so.
std::optional<Duration> units(const std::string& text, std::string_view units, std::initializer_list<std::int64_t> seconds);

void read_openslo(const std::vector<Tree>& documents, Strictness strictness, Imported& into);
void read_sloth(Document document, bool resource);
void read_pyrra(Document document);

}  // namespace arashi::import
