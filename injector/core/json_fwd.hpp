#pragma once

#include <nlohmann/json_fwd.hpp>

namespace arashi {
using Json = nlohmann::json;
}
