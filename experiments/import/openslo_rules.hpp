// The published rules of OpenSLO v1: README of github.com/OpenSLO/OpenSLO (aa5cb78) and the validation of github.com/OpenSLO/go-sdk
// (ae145da), which refuses unknown fields too. Where the two differ the stricter one counts, but for a duration of 0, which the README
// itself gives as a default. Private to this folder.
#pragma once

#include "experiments/import/document.hpp"

namespace arashi::import {

// Of one document of any kind; each breach with its place.
std::vector<spec::Problem> breaches_of_openslo(const Tree& document);

}  // namespace arashi::import
