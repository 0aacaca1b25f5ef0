// How many connections a daemon can have: each takes a file descriptor.
#pragma once

#include <cstdint>

namespace sluice::cli {

/// Raises this process's limit of open files as far as the system lets us; warns where that is less than the configured connections need.
void raise_descriptor_limit(std::uint32_t connections);

}  // namespace sluice::cli
