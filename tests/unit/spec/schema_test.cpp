#include "experiments/spec/schema.hpp"

#include "experiments/spec/objects.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

using namespace arashi;

namespace {

// Every "$ref" points to something that is there.
void check_references(const Json& part, const Json& schema) {
  if (part.is_object() && part.contains("$ref")) {
    const std::string target = part.at("$ref").get<std::string>();
    CAPTURE(target);
    CHECK(schema.contains(Json::json_pointer(target.substr(1))));
  }
  if (part.is_structured())
    for (const auto& each : part) check_references(each, schema);
}

}  // namespace

TEST_CASE("the schema knows every key that the parser knows and no other") {
  const Json schema = spec::schema(test::catalogue());
  CHECK(schema.at("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema.at("required") == Json{"apiVersion", "kind", "metadata", "spec"});
  for (const auto* object : spec::all_objects()) {
    CAPTURE(object->name);
    const Json& made = object == &spec::root_object ? schema : schema.at("$defs").at(std::string(object->name));
    CHECK(made.at("additionalProperties") == false);
    std::size_t known = 0;
    for (const auto& key : object->keys) {
      if (!key.unsupported.empty()) continue;
      ++known;
      CHECK(made.at("properties").contains(std::string(key.name)));
    }
    CHECK(made.at("properties").size() == known);
  }
  check_references(schema, schema);
}

TEST_CASE("the schema holds a fault's parameters to its declaration") {
  const Json schema = spec::schema(test::catalogue());
  const Json& step = schema.at("$defs").at("step");
  CHECK(step.at("properties").at("fault").at("enum") == Json{"network.impair", "process.kill", "command.run"});
  const Json& rule = step.at("allOf").at(2);
  CHECK(rule.at("if").at("properties").at("fault").at("const") == "command.run");
  CHECK(rule.at("then").at("required") == Json{"with"});
  CHECK(rule.at("then").at("properties").at("with").at("required") == Json{"do", "undo"});
}
