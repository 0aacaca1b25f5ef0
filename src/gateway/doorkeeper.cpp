#include "gateway/doorkeeper.hpp"

#include "codec/mqtt/packet.hpp"
#include "manage/identity/password.hpp"

namespace sluice::gateway {

using access::Identity;
using hub::Admission;
using hub::Principal;
using hub::Standing;
using mqtt::ReasonCode;

namespace {

constexpr std::string_view kUserPrefix = "user:";
constexpr std::string_view kCertificatePrefix = "cn:";
constexpr std::size_t kNameBytesMax = config::kUserNameBytesMax;

Admission refused(ReasonCode reason) { return {.reason = reason, .principal = {}}; }

std::string key_of(const Identity& identity) { return static_cast<char>('0' + static_cast<int>(identity.kind)) + identity.name; }

}  // namespace

Doorkeeper::Doorkeeper(DoorkeeperPort& port) : port_(port) {
    known_.push_back({});  // anonymous
}

void Doorkeeper::use(std::shared_ptr<const AccessRules> rules) {
    rules_ = std::move(rules);
    for (Known& known : known_) {
        known.has_rows = false;
        known.rows = std::vector<std::uint32_t>();
        known.standing = standing_of(known);
    }
}

Standing Doorkeeper::standing_of(const Known& known) const {
    if (rules_ == nullptr) return Standing::welcome;
    switch (known.identity.kind) {
        case Identity::Kind::anonymous:
            return rules_->anonymous ? Standing::welcome : Standing::gone;
        case Identity::Kind::certificate:
            return Standing::welcome;  // for as long as TLS takes it
        case Identity::Kind::user:
            break;
    }
    const auto* user = rules_->user(known.identity.name);
    if (!rules_->is_active(user)) return Standing::gone;
    return user->text == known.hash ? Standing::welcome : Standing::sign_in_again;
}

std::optional<Principal> Doorkeeper::principal_of(const Identity& identity) {
    if (identity.kind == Identity::Kind::anonymous) return Principal(0);
    const auto next = static_cast<std::uint32_t>(known_.size());
    if (const auto found = names_.find(key_of(identity)); found != names_.end()) return Principal(found->second);
    if (known_.size() > kPrincipalsMax) return std::nullopt;
    names_.emplace(key_of(identity), next);
    const std::string_view kind = identity.kind == Identity::Kind::user ? kUserPrefix : kCertificatePrefix;
    known_.push_back({.identity = identity, .name = std::string(kind) + identity.name, .hash = {}, .rows = {}});
    return Principal(next);
}

std::string_view Doorkeeper::name_of(Principal principal) const {
    return principal.value() < known_.size() ? std::string_view(known_[principal.value()].name) : std::string_view();
}

Principal Doorkeeper::principal_of(std::string_view name) {
    constexpr Principal kNobody{~0U};  // may() and standing() know no such number
    if (name.empty()) return Principal(0);
    const bool user = name.starts_with(kUserPrefix);
    if (!user && !name.starts_with(kCertificatePrefix)) return kNobody;
    const std::size_t prefix = user ? kUserPrefix.size() : kCertificatePrefix.size();
    const auto found = principal_of(Identity{user ? Identity::Kind::user : Identity::Kind::certificate, std::string(name.substr(prefix))});
    if (!found) return kNobody;
    Known& known = known_[found->value()];
    known.standing = standing_of(known);  // it may be that of a user who has gone
    return *found;
}

Admission Doorkeeper::admit(const Identity& identity) {
    const auto principal = principal_of(identity);
    if (!principal) return refused(ReasonCode::quota_exceeded);
    return {.reason = ReasonCode::success, .principal = *principal};
}

std::optional<Admission> Doorkeeper::authenticate(const hub::Credentials& credentials) {
    const auto listener = credentials.peer.listener;
    const bool certificate_needed = listener < rules_->needs_certificate.size() && rules_->needs_certificate[listener];
    if (!credentials.certificate.empty()) {
        if (credentials.certificate.size() > kNameBytesMax) return refused(ReasonCode::not_authorized);
        return admit({Identity::Kind::certificate, std::string(credentials.certificate)});
    }
    if (certificate_needed) return refused(ReasonCode::not_authorized);
    if (!rules_->has_users || (!credentials.has_username && !credentials.has_password)) {
        const bool welcome = rules_->anonymous && (rules_->configured || credentials.peer.loopback);
        return welcome ? admit({}) : refused(ReasonCode::not_authorized);
    }
    // Nobody can have these: no hash is needed to know that they are wrong.
    if (credentials.username.size() > kNameBytesMax || credentials.password.size() > identity::kPasswordBytesMax)
        return refused(ReasonCode::bad_user_name_or_password);
    access::SignIn sign_in{.connection = credentials.connection.value(),
                           .address = port_.source_of(credentials.connection),
                           .user = std::string(credentials.username),
                           .password = base::SecretBytes(credentials.password)};
    if (!port_.submit(std::move(sign_in))) return refused(ReasonCode::server_busy);
    return std::nullopt;
}

Admission Doorkeeper::admission(const SignInReply& reply) {
    switch (reply.answer) {
        case access::SignInAnswer::welcome:
            break;
        case access::SignInAnswer::wrong:
            return refused(ReasonCode::bad_user_name_or_password);
        case access::SignInAnswer::pause:
            return refused(ReasonCode::connection_rate_exceeded);
        case access::SignInAnswer::busy:
            return refused(ReasonCode::server_busy);
    }
    // The users may have changed since: then what was verified no longer counts, and the client tries again.
    const auto* user = rules_->user(reply.user);
    if (!rules_->is_active(user) || user->text != reply.hash) return refused(ReasonCode::server_busy);
    const Admission admission = admit({Identity::Kind::user, reply.user});
    if (admission.reason == ReasonCode::success) {
        Known& known = known_[admission.principal.value()];
        known.hash = reply.hash;
        known.standing = Standing::welcome;
    }
    return admission;
}

bool Doorkeeper::may_publish(const hub::Client& client, std::string_view topic) { return may(client, access::Action::publish, topic); }
bool Doorkeeper::may_subscribe(const hub::Client& client, std::string_view filter) {
    return may(client, access::Action::subscribe, filter);
}

bool Doorkeeper::may(const hub::Client& client, access::Action action, std::string_view topic) {
    if (client.principal.value() >= known_.size()) return false;
    Known& known = known_[client.principal.value()];
    if (known.standing == Standing::gone) return false;
    if (!rules_->acl) return true;
    if (!known.has_rows) {
        known.rows = rules_->acl->rows_for(known.identity);
        known.has_rows = true;
    }
    const auto decision = rules_->acl->decide(known.identity, {action, client.id, topic}, known.rows, scratch_);
    if (decision.unfit_name) ++unfit_names_;
    return decision.allowed;
}

Standing Doorkeeper::standing(const hub::Client& client) {
    return client.principal.value() < known_.size() ? known_[client.principal.value()].standing : Standing::gone;
}

}  // namespace sluice::gateway
