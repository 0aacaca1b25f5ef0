// Which master keys a data folder names, by what lies in it: needs none of them.
#pragma once

#include <string>

#include "env/file_system.hpp"
#include "manage/identity/key_ring.hpp"

namespace sluice::gateway {

/// The greatest number that spool, journal or documents name; where they name none, the one of sessions. 0: nothing names a key, so
/// nothing on the disk waits for one. What cannot be read names none.
[[nodiscard]] identity::KeyNumber greatest_named_key(env::FileSystem& files, const std::string& data);

}  // namespace sluice::gateway
