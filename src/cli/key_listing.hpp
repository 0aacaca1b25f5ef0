// What `sluice key list` says: the keys of a gateway, whether their files are the right ones, and what needs them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "gateway/key_desk.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::cli {

enum class KeyFileState : std::uint8_t {
    missing,
    good,        ///< nothing on the disk says otherwise
    other,       ///< a key, and not the one of this number that was sealed with
    no_key,      ///< not 32 bytes
    unreadable,  ///< readable by others, or not by us
};

struct KeyRow {
    identity::KeyNumber number = 0;
    KeyFileState file = KeyFileState::missing;
    bool seals = false;                                ///< the newest
    std::int64_t made_ms = 0;                          ///< by the file system; 0: not there
    std::map<std::string, gateway::HeldKey> needed{};  ///< by holder
};
struct KeyListing {
    std::vector<KeyRow> rows;     ///< by number
    bool sessions_known = false;  ///< else a running gateway could not be asked
    /// A gateway that needs all of them would start, and lose nothing.
    [[nodiscard]] bool good() const;
};

/// Beside a running gateway or not. Compares each key with what spool, journal and sessions name. Errors: permission, io (of the folder of
/// keys).
[[nodiscard]] base::Result<KeyListing> list_keys(env::FileSystem& files, const config::GatewayConfig& config);

/// `now_ms`: for the ages.
[[nodiscard]] std::string key_list_text(const KeyListing& listing, std::int64_t now_ms);
[[nodiscard]] std::string key_list_json(const KeyListing& listing);

}  // namespace sluice::cli
