// Assertions about our own code, always on. Nothing that came from outside may reach one.
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace sluice::base {

/// Prints what, where, and ends the process (SIGABRT). Never returns.
[[noreturn]] void check_failed(std::string_view what, Where where);

/// `check(tail <= head, "spool: tail past head")`: a false condition is a defect in Sluice and stops the process.
inline void check(bool condition, std::string_view what, Where where = Where::here()) {
    if (!condition) [[unlikely]]
        check_failed(what, where);
}

}  // namespace sluice::base
