// CRC-32C, to tell a header from garbage. Not for security: AES-GCM does that.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace sluice::spool {

/// Castagnoli polynomial, reflected (RFC 3720 B.4): crc32c("123456789") = 0xe3069283.
[[nodiscard]] std::uint32_t crc32c(base::ByteView bytes);

}  // namespace sluice::spool
