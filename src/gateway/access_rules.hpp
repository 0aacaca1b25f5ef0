// What a configuration says about who may do what: immutable, shared by all threads, replaced as a whole at a reload.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/phc/phc.hpp"
#include "manage/access/acl.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

struct AccessRules {
    struct User {
        phc::Argon2id hash;
        std::string text;  ///< the hash as it stands in the file: another text is another password
        bool disabled = false;
    };
    bool configured = false;  ///< the section `auth` is there; else only certificates tell clients apart
    bool anonymous = false;   ///< who shows nothing may come in
    bool has_users = false;   ///< `auth.users` is there: a name or password that is shown must be right
    std::unordered_map<std::string, User> users;
    std::optional<access::Acl> acl;       ///< absent: who is in may do everything
    std::vector<bool> needs_certificate;  ///< by listener

    [[nodiscard]] const User* user(std::string_view name) const;
    /// Somebody may sign in with this name and, if `hash` is theirs, the password that it is of.
    [[nodiscard]] bool is_active(const User* user) const { return user != nullptr && !user->disabled; }
};

/// The listeners are those that run, which can differ from those of a reloaded file. Null: nobody is asked anything (no `auth`, and no
/// listener where certificates would tell who is who).
[[nodiscard]] std::shared_ptr<const AccessRules> access_rules_of(const config::Auth& auth, const config::Listen& listen);

}  // namespace sluice::gateway
