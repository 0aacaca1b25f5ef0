// Logs go to stderr, one line each, as text or as JSON for machines.
#pragma once

#include "manage/config/listen.hpp"

namespace sluice::cli {

/// Sets the process-wide logger. Call before any thread starts.
void set_up_logging(const config::Log& log);

}  // namespace sluice::cli
