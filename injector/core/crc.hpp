// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of journal lines.
#pragma once

#include <cstdint>
#include <string_view>

namespace arashi {

// `before` is that of what the bytes follow: crc32c("ab") == crc32c("b", crc32c("a")).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace arashi
