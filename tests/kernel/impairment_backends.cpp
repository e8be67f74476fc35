#include "tests/impairment/backends.hpp"

std::vector<std::string> arashi::test::backends_here() { return {"bpf", "tap"}; }
