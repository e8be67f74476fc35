// A backend out of functions over its own struct of notes: the one place where these meet JSON.
#pragma once

#include "injector/core/record.hpp"
#include "injector/network/impairment.hpp"

namespace arashi {

namespace backend {

template <class Prepare>
struct NotesOf;
template <class Notes>
struct NotesOf<Result<Notes> (*)(const Host&, const Impairment&)> {
  using type = Notes;
};

// Each adapter is told where the notes are in the journal, so that a wrong key is named by its whole path.
inline constexpr std::string_view place = "change.notes";

}  // namespace backend

// prepare:  Result<Notes>(const Host&, const Impairment&); the others take these Notes in the place of Backend's JSON.
template <auto prepare, auto apply, auto revert, auto observe, auto programs>
constexpr Backend make_backend(std::string_view name, std::string (*undo)(const Impairment&)) {
  using Notes = typename backend::NotesOf<decltype(prepare)>::type;
  return {
      .name = name,
      .prepare = [](const Host& host, const Impairment& impairment) -> Result<Json> {
        return print_record(TRY(prepare(host, impairment)));
      },
      .readable = [](const Json& notes) -> Result<void> {
        TRY(read_record<Notes>(notes, backend::place));
        return {};
      },
      .apply = [](const Host& host, const Impairment& impairment, const Json& notes) -> Result<Evidence> {
        return apply(host, impairment, TRY(read_record<Notes>(notes, backend::place)));
      },
      .revert = [](const Host& host, const Impairment& impairment, const Json& notes) -> Result<void> {
        return revert(host, impairment, TRY(read_record<Notes>(notes, backend::place)));
      },
      .observe = [](const Host& host, const Impairment& impairment, const Json& notes) -> Result<Evidence> {
        return observe(host, impairment, TRY(read_record<Notes>(notes, backend::place)));
      },
      .undo = undo,
      .programs = programs,
  };
}

}  // namespace arashi
