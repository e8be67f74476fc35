// The only file that includes yaml-cpp. It listens to the parser's events instead of loading its node graph: then the limits hold while
// reading, and every node has its place.
#include "experiments/spec/document/tree.hpp"
#include "experiments/spec/load/surrogates.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace arashi::spec {
namespace {

// Thrown through yaml-cpp to stop it early; caught below.
struct Stop {
  TreeProblem problem;
};

[[noreturn]] void stop(Where where, std::string message) { throw Stop{{where, std::move(message)}}; }

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const Joined& joined) : joined_(joined) {}
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) stop(place(mark), "a second document begins here ('---'): one file holds one experiment");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf({.where = place(mark)}, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    const bool text = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!text && tag != "?") stop(place(mark), "the tag '" + tag + "' is not supported: write the value plainly");
    leaf({.kind = Tree::Kind::scalar, .text = value, .quoted = text, .where = place(mark)}, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(Tree::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(Tree::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) stop(place(mark), "this alias stands inside the node it names: it would have no end");
    count(found->second.size, place(mark));
    if (open_.size() + depth_of(found->second) > deepest) stop(place(mark), too_deep());
    Tree copy = found->second;
    copy.where = place(mark);
    add(std::move(copy));
  }

  [[nodiscard]] Tree take() { return std::move(root_); }
  [[nodiscard]] Where place(const YAML::Mark& mark) const { return joined_.before({mark.line + 1, mark.column + 1}); }

 private:
  struct Open {
    Tree tree;
    YAML::anchor_t anchor = YAML::NullAnchor;
  };

  static std::string too_deep() { return "nested more than " + std::to_string(deepest) + " levels deep"; }

  static std::size_t depth_of(const Tree& tree) {
    std::size_t deepest_item = 0;
    for (const auto* part : {&tree.items, &tree.keys})
      for (const auto& item : *part) deepest_item = std::max(deepest_item, depth_of(item));
    return deepest_item + 1;
  }

  void count(std::size_t nodes, Where where) {
    nodes_ += nodes;
    if (nodes_ > most_nodes)
      stop(where, "more than " + std::to_string(most_nodes) + " nodes up to here; an alias counts as all that it stands for");
  }

  void leaf(Tree tree, YAML::anchor_t anchor) {
    count(1, tree.where);
    if (anchor != YAML::NullAnchor) anchored_[anchor] = tree;
    add(std::move(tree));
  }

  void begin(Tree::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (tag != "?" && !tag.empty()) stop(place(mark), "the tag '" + tag + "' is not supported: write the value plainly");
    count(1, place(mark));
    if (open_.size() >= deepest) stop(place(mark), too_deep());
    open_.push_back({{.kind = kind, .where = place(mark)}, anchor});
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != YAML::NullAnchor) {
      count(done.tree.size, done.tree.where);  // the copy kept for its aliases; so that memory is bounded too
      anchored_[done.anchor] = done.tree;
    }
    add(std::move(done.tree));
  }

  void add(Tree tree) {
    if (open_.empty()) {
      root_ = std::move(tree);
      return;
    }
    Tree& parent = open_.back().tree;
    parent.size += tree.size;
    const bool is_key = parent.kind == Tree::Kind::map && parent.keys.size() == parent.items.size();
    (is_key ? parent.keys : parent.items).push_back(std::move(tree));
  }

  const Joined& joined_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Tree> anchored_;
  Tree root_;
};

Where end_of(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const auto last_line = text.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::ranges::count(text, '\n')) + 1, static_cast<int>(text.size() - last_line) + 1};
}

// Tabs are the usual reason, and yaml-cpp does not say so.
std::string explain(const std::string& message, std::string_view text, Where where) {
  for (int line = 1; line < where.line && !text.empty(); ++line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const auto blank = text.substr(0, text.find_first_not_of(" \t"));
  if (message.starts_with("invalid unicode"))
    return "not YAML: an escape of half a character: write the character itself, or \\U and its eight hex digits";
  return "not YAML: " + message + (blank.find('\t') == std::string_view::npos ? "" : ": indent with spaces, not with tabs");
}

}  // namespace

std::variant<Tree, TreeProblem> read_tree(std::string_view text) {
  const Joined joined = join_surrogates(text);
  Builder builder(joined);
  try {
    std::istringstream stream{joined.text};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const Stop& stopped) {
    return stopped.problem;
  } catch (const YAML::Exception& error) {
    const bool at_end = error.msg.starts_with("end of") || error.mark.is_null();  // its mark is the beginning then
    const Where where = at_end ? end_of(text) : builder.place(error.mark);
    return TreeProblem{where, explain(error.msg, text, where)};
  } catch (const std::exception& error) {
    return TreeProblem{{1, 1}, std::string("not YAML: ") + error.what()};
  }
}

}  // namespace arashi::spec
