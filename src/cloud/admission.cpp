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
    if (!credentials.client.starts_with(wire::kClientPrefix)) return hub::Admission{.reason = ReasonCode::client_identifier_not_valid};
    const auto gateway = credentials.client.substr(wire::kClientPrefix.size());
    if (!wire::is_gateway_id(gateway)) return hub::Admission{.reason = ReasonCode::client_identifier_not_valid};
    if (!credentials.has_username || credentials.username != gateway)
        return hub::Admission{.reason = ReasonCode::bad_user_name_or_password};
    if (!credentials.certificate.empty())
        return hub::Admission{.reason = credentials.certificate == gateway ? ReasonCode::success : ReasonCode::not_authorized};
    bool has_entry = false;
    bool matches = false;
    for (const auto& row : tokens_) {
        if (row.gateway != gateway) continue;
        has_entry = true;
        matches = matches || (credentials.has_password && same(row.token, base::as_text(credentials.password)));
    }
    if (has_entry) return hub::Admission{.reason = matches ? ReasonCode::success : ReasonCode::bad_user_name_or_password};
    return hub::Admission{.reason = anonymous_ || credentials.peer.loopback ? ReasonCode::success : ReasonCode::not_authorized};
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
