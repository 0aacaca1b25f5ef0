// `sluice key`: the master keys of a gateway.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/key_desk.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_key(CLI::App& app, Exit& exit);

/// One key, as `sluice key list` has it.
struct KeyRow {
    identity::KeyNumber number = 0;
    bool present = false;                              ///< its file is there
    bool seals = false;                                ///< the newest
    std::int64_t made_ms = 0;                          ///< by the file system; 0: not there
    std::map<std::string, gateway::HeldKey> needed{};  ///< by holder
};
struct KeyListing {
    std::vector<KeyRow> rows;     ///< by number
    bool sessions_known = false;  ///< else a running gateway could not be asked
};
/// `now_ms`: for the ages.
[[nodiscard]] std::string key_list_text(const KeyListing& listing, std::int64_t now_ms);
[[nodiscard]] std::string key_list_json(const KeyListing& listing);

}  // namespace sluice::cli
