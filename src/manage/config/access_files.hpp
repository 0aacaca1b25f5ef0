// The files that `auth` names: users with the hashes of their passwords, and the access list. docs/access.md describes both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/phc/phc.hpp"
#include "manage/config/problem.hpp"

namespace sluice::config {

/// Either file; about 35,000 users. Larger ones are refused unread.
inline constexpr std::size_t kAccessFileBytesMax = 4 * 1024 * 1024;
inline constexpr std::size_t kUserNameBytesMax = 256;
/// Each topic of a client is judged by the rows that can be about it, one after the other: more than a few thousand would be felt.
inline constexpr std::size_t kAclRowsMax = 10'000;

/// `ana: $argon2id$…` or `ana: {password: $argon2id$…, disabled: true}`.
struct UserEntry {
    std::string name;
    phc::Argon2id hash;
    bool disabled = false;
    Place at;
    friend bool operator==(const UserEntry&, const UserEntry&) = default;
};

struct AclWho {
    enum class Kind : std::uint8_t { anyone, anonymous, user, client, certificate };
    Kind kind = Kind::anyone;
    std::string name;
    friend bool operator==(const AclWho&, const AclWho&) = default;
};

/// `{who: "user:ana", may: [publish, subscribe], topics: ["sensors/%u/#"]}`, or with `may_not`.
struct AclEntry {
    std::vector<AclWho> who;
    bool allows = false;
    bool publish = false;
    bool subscribe = false;
    std::vector<std::string> topics;  ///< data::is_topic_pattern
    Place at;
    friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

/// Adds a problem for everything that is wrong, with `file` in it; never repeats a hash. What is wrong is left out of the result.
[[nodiscard]] std::vector<UserEntry> read_users(std::string_view text, const std::string& file, Problems& problems);
[[nodiscard]] std::vector<AclEntry> read_acl(std::string_view text, const std::string& file, Problems& problems);

}  // namespace sluice::config
