// How a struct says which keys it has in JSON, without looking into any: record.hpp reads and writes by them.
#pragma once

#include <string_view>
#include <tuple>

namespace arashi {

template <class Owner, class Member>
struct Key {
  std::string_view name;
  Member Owner::*member;
};
template <class Owner, class Member>
constexpr Key<Owner, Member> key(std::string_view name, Member Owner::*member) {
  return {name, member};
}

// Of a value that is one text in JSON, such as an address or the name of a choice: specialise it with
//   static std::string print(const Value&);
//   static Result<Value> parse(std::string_view);
template <class Value>
struct AsText;

}  // namespace arashi
