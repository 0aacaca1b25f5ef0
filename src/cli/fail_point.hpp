// SLUICE_FAILPOINT: dying at a named place (base/fail_point.hpp).
#pragma once

namespace sluice::cli {

/// Reads the variable. False: it names no place; said on standard error, with all that there are.
[[nodiscard]] bool arm_fail_point();

}  // namespace sluice::cli
