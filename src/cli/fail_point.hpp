// SLUICE_FAILPOINT: dying at a named place (base/fail_point.hpp).
#pragma once

#include <string_view>

namespace sluice::cli {

/// Reads the variable. `tier`: `gateway` or `cloud`. False: it names no place there; said on standard error, with all that there are.
[[nodiscard]] bool arm_fail_point(std::string_view tier);

}  // namespace sluice::cli
