// Which keys the files of a spool name: in the clear, so it needs none of them.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

struct NamedKeyUse {
    KeyName key;
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;      ///< of these
    std::uint64_t manifests = 0;  ///< slots
};

/// By key; files that name none (damaged ones) are left out. A gateway may be at work meanwhile. Errors: not_found (no such folder),
/// permission, io.
[[nodiscard]] base::Result<std::vector<NamedKeyUse>> scan_keys(env::FileSystem& files, const std::string& directory);

}  // namespace sluice::spool
