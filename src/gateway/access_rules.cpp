#include "gateway/access_rules.hpp"

#include <algorithm>

namespace sluice::gateway {
namespace {

access::Who::Kind kind_of(config::AclWho::Kind kind) {
    switch (kind) {
        case config::AclWho::Kind::anyone:
            return access::Who::Kind::anyone;
        case config::AclWho::Kind::anonymous:
            return access::Who::Kind::anonymous;
        case config::AclWho::Kind::user:
            return access::Who::Kind::user;
        case config::AclWho::Kind::client:
            return access::Who::Kind::client;
        case config::AclWho::Kind::certificate:
            return access::Who::Kind::certificate;
    }
    return access::Who::Kind::client;  // unreachable; a client without a name is nobody
}

std::vector<access::Row> rows_of(const std::vector<config::AclEntry>& entries) {
    std::vector<access::Row> rows;
    rows.reserve(entries.size());
    for (const auto& entry : entries) {
        access::Row row{.who = {},
                        .allows = entry.allows,
                        .publish = entry.publish,
                        .subscribe = entry.subscribe,
                        .topics = entry.topics,
                        .line = entry.at.line};
        for (const auto& who : entry.who) row.who.push_back({kind_of(who.kind), who.name});
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

const AccessRules::User* AccessRules::user(std::string_view name) const {
    const auto found = users.find(std::string(name));
    return found == users.end() ? nullptr : &found->second;
}

std::shared_ptr<const AccessRules> access_rules_of(const config::Auth& auth, const config::Listen& listen) {
    const bool certificates = std::any_of(listen.mqtt.begin(), listen.mqtt.end(), [](const auto& one) { return !one.ca.empty(); });
    if (!auth.configured && !certificates) return nullptr;
    auto rules = std::make_shared<AccessRules>();
    rules->configured = auth.configured;
    rules->anonymous = auth.anonymous;
    rules->has_users = !auth.users.empty();
    for (const auto& user : auth.user_list) rules->users[user.name] = {user.hash, phc::format(user.hash), user.disabled};
    if (!auth.acl.empty()) rules->acl.emplace(rows_of(auth.acl_rows));
    for (const auto& one : listen.mqtt) rules->needs_certificate.push_back(one.require_client_cert);
    return rules;
}

}  // namespace sluice::gateway
