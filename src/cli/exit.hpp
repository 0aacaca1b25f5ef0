// What a command leaves behind for main().
#pragma once

namespace sluice::cli {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFailed = 1;  ///< the command ran and did not succeed
inline constexpr int kExitUsage = 2;   ///< wrong use or configuration; nothing was touched

/// Set by the callback of the subcommand that ran; main() returns it.
struct Exit {
    int code = kExitGood;
};

}  // namespace sluice::cli
