// One case in the engine, three ways, and in the plain interpreter.
#pragma once

#include <string>

#include "case_maker.hpp"

namespace sluice::rules::plain {

struct Finding {
    bool compared = false;   ///< false: the rules do not compile
    std::size_t rows = 0;    ///< that the interpreter put out
    std::string difference;  ///< empty: none
};

/// Runs all rules of the case as one plan: on one shard, on three, and with a restart after each reading. Each rule's rows must be the
/// interpreter's: floats within 1e-9, all else exactly; in order, except where groups or shards are many. So must the count of late
/// readings.
[[nodiscard]] Finding compare(const Case& one);

}  // namespace sluice::rules::plain
