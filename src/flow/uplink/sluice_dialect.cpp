#include "flow/uplink/sluice_dialect.hpp"

#include <utility>

#include "codec/wire/topics.hpp"

namespace sluice::uplink {

MqttSignIn sluice_sign_in(const std::string& gateway, const std::string& token) {
    return {.client_id = wire::client_id(gateway),
            .user = gateway,
            .password = token,
            .will_topic = wire::topic(gateway, wire::Channel::status),
            .will_payload = std::string(wire::kOfflineStatus)};
}

SluiceDialect::SluiceDialect(const std::string& gateway)
    : events_topic_(wire::topic(gateway, wire::Channel::events)), status_topic_(wire::topic(gateway, wire::Channel::status)) {}

bool SluiceDialect::add_event(data::Sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) {
    return encoder_.add_event(rule, ts_ms, json);
}

bool SluiceDialect::add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) {
    return encoder_.add_gap(last.value() - first.value() + 1, base::name(reason));
}

Outgoing SluiceDialect::finish(data::Epoch epoch) {
    message_.clear();
    encoder_.finish(epoch, message_);
    return {.topic = events_topic_, .payload = message_};
}

/// Also proves, right after CONNACK and on a quiet line, that the cloud's store answers.
std::optional<Outgoing> SluiceDialect::status(bool online, StatusSource& source) {
    message_.clear();
    if (online) {
        base::append(message_, std::string_view(R"({"online":true,"ledger":)"));
        source.append_ledger(message_);
        message_.push_back('}');
    } else {
        base::append(message_, wire::kOfflineStatus);
    }
    return Outgoing{.topic = status_topic_, .payload = message_};
}

}  // namespace sluice::uplink
