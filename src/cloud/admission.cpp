#include "cloud/admission.hpp"

#include "codec/mqtt/packet.hpp"
#include "codec/wire/topics.hpp"

namespace sluice::cloud {

using mqtt::ReasonCode;

namespace {

/// Takes as long for a wrong token as for the right one of the same length, so that it cannot be guessed byte by byte.
bool same(std::string_view secret, std::string_view shown) {
    if (secret.size() != shown.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < secret.size(); ++i)
        difference |= static_cast<unsigned>(static_cast<unsigned char>(secret[i])) ^ static_cast<unsigned char>(shown[i]);
    return difference == 0;
}

}  // namespace

std::optional<hub::Admission> Admission::authenticate(const hub::Credentials& credentials) {
    const Verdict verdict = judge(credentials);
    if (verdict.reason != ReasonCode::success && listener_ != nullptr)
        listener_->on_refused(credentials.connection, credentials.client, verdict.why);
    return hub::Admission{.reason = verdict.reason};
}

Admission::Verdict Admission::judge(const hub::Credentials& credentials) const {
    if (!credentials.client.starts_with(wire::kClientPrefix))
        return {ReasonCode::client_identifier_not_valid, "it is no gateway: the client id does not begin with gw:"};
    const auto gateway = credentials.client.substr(wire::kClientPrefix.size());
    if (!wire::is_gateway_id(gateway)) return {ReasonCode::client_identifier_not_valid, "no gateway can have that id"};
    if (!credentials.has_username || credentials.username != gateway)
        return {ReasonCode::bad_user_name_or_password, "the user name is not the gateway's id"};
    if (!credentials.certificate.empty()) {
        if (credentials.certificate == gateway) return {ReasonCode::success};
        return {ReasonCode::not_authorized, "its certificate has another name"};
    }
    bool has_entry = false;
    bool matches = false;
    for (const auto& row : tokens_) {
        if (row.gateway != gateway) continue;
        has_entry = true;
        matches = matches || (credentials.has_password && same(row.token, base::as_text(credentials.password)));
    }
    if (matches || (!has_entry && (anonymous_ || credentials.peer.loopback))) return {ReasonCode::success};
    if (!has_entry)
        return {ReasonCode::not_authorized, "it has neither a certificate nor an entry in auth.tokens, and is not on this machine"};
    return {ReasonCode::bad_user_name_or_password, credentials.has_password ? "wrong token" : "it shows no token"};
}

bool Admission::may_publish(const hub::Client& client, std::string_view topic) {
    const auto address = wire::parse_topic(topic);
    return address.known && client.id.starts_with(wire::kClientPrefix) && client.id.substr(wire::kClientPrefix.size()) == address.gateway;
}

bool Admission::may_subscribe(const hub::Client& client, std::string_view filter) {
    (void)client, (void)filter;  // nothing is published here for anyone
    return false;
}

}  // namespace sluice::cloud
