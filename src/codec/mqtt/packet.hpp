// The vocabulary of MQTT 3.1.1 and 5.0: packet types, versions, reason codes and properties, as tables that decoder, encoder and tests
// walk. Section numbers are those of the OASIS standard MQTT Version 5.0 (2019-03-07), or of Version 3.1.1 (2014-10-29) where said so.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::mqtt {

/// §2.1.2. Value 0 is reserved on the wire; the tables use it for the will inside a CONNECT, which has properties of its own.
enum class PacketType : std::uint8_t {
    will = 0,
    connect = 1,
    connack = 2,
    publish = 3,
    puback = 4,
    pubrec = 5,
    pubrel = 6,
    pubcomp = 7,
    subscribe = 8,
    suback = 9,
    unsubscribe = 10,
    unsuback = 11,
    pingreq = 12,
    pingresp = 13,
    disconnect = 14,
    auth = 15,
};

inline constexpr std::array<std::string_view, 16> kPacketNames{"will",    "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                                               "PUBREL",  "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                                               "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
[[nodiscard]] constexpr std::string_view name(PacketType type) { return kPacketNames[static_cast<std::size_t>(type)]; }

/// The protocol level in CONNECT. 3.1 ("MQIsdp") differs from 3.1.1 in its name and level only, as far as we care.
enum class Version : std::uint8_t { v31 = 3, v311 = 4, v5 = 5 };
/// The protocol level of a bridge that speaks 3.1.1 (Connect::bridge).
inline constexpr std::uint8_t kBridgeLevel = 0x84;

enum class Qos : std::uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

/// What a subscriber wants of retained messages when it subscribes (§3.8.3.1).
enum class RetainHandling : std::uint8_t { send = 0, send_if_new = 1, do_not_send = 2 };

/// A set of packet types, one bit each.
using PacketMask = std::uint16_t;
[[nodiscard]] constexpr PacketMask bit(PacketType type) { return static_cast<PacketMask>(1U << static_cast<unsigned>(type)); }
template <class... T>
[[nodiscard]] constexpr PacketMask mask(T... types) {
    return static_cast<PacketMask>((0U | ... | bit(types)));
}

/// §2.4. In a SUBACK the values 0, 1 and 2 are the granted QoS; in a DISCONNECT 0 is a normal disconnection.
enum class ReasonCode : std::uint8_t {
    success = 0x00,
    granted_qos_1 = 0x01,
    granted_qos_2 = 0x02,
    disconnect_with_will = 0x04,
    no_matching_subscribers = 0x10,
    no_subscription_existed = 0x11,
    continue_authentication = 0x18,
    reauthenticate = 0x19,
    unspecified_error = 0x80,
    malformed_packet = 0x81,
    protocol_error = 0x82,
    implementation_specific_error = 0x83,
    unsupported_protocol_version = 0x84,
    client_identifier_not_valid = 0x85,
    bad_user_name_or_password = 0x86,
    not_authorized = 0x87,
    server_unavailable = 0x88,
    server_busy = 0x89,
    banned = 0x8A,
    server_shutting_down = 0x8B,
    bad_authentication_method = 0x8C,
    keep_alive_timeout = 0x8D,
    session_taken_over = 0x8E,
    topic_filter_invalid = 0x8F,
    topic_name_invalid = 0x90,
    packet_identifier_in_use = 0x91,
    packet_identifier_not_found = 0x92,
    receive_maximum_exceeded = 0x93,
    topic_alias_invalid = 0x94,
    packet_too_large = 0x95,
    message_rate_too_high = 0x96,
    quota_exceeded = 0x97,
    administrative_action = 0x98,
    payload_format_invalid = 0x99,
    retain_not_supported = 0x9A,
    qos_not_supported = 0x9B,
    use_another_server = 0x9C,
    server_moved = 0x9D,
    shared_subscriptions_not_supported = 0x9E,
    connection_rate_exceeded = 0x9F,
    maximum_connect_time = 0xA0,
    subscription_identifiers_not_supported = 0xA1,
    wildcard_subscriptions_not_supported = 0xA2,
};

struct ReasonInfo {
    ReasonCode code;
    std::string_view name;  ///< as the standard writes it
    PacketMask packets;     ///< which may carry it
};

namespace detail {
using enum PacketType;
inline constexpr PacketMask kAnyAnswer = mask(connack, puback, pubrec, suback, unsuback, disconnect);
inline constexpr PacketMask kConnackDisconnect = mask(connack, disconnect);
inline constexpr PacketMask kUserProperty =
    mask(connect, connack, publish, will, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, disconnect, auth);
}  // namespace detail

/// §2.4 table 2-6.
inline constexpr std::array kReasons{
    ReasonInfo{ReasonCode::success, "Success",
               mask(PacketType::connack, PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp,
                    PacketType::suback, PacketType::unsuback, PacketType::disconnect, PacketType::auth)},
    ReasonInfo{ReasonCode::granted_qos_1, "Granted QoS 1", mask(PacketType::suback)},
    ReasonInfo{ReasonCode::granted_qos_2, "Granted QoS 2", mask(PacketType::suback)},
    ReasonInfo{ReasonCode::disconnect_with_will, "Disconnect with Will Message", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::no_matching_subscribers, "No matching subscribers", mask(PacketType::puback, PacketType::pubrec)},
    ReasonInfo{ReasonCode::no_subscription_existed, "No subscription existed", mask(PacketType::unsuback)},
    ReasonInfo{ReasonCode::continue_authentication, "Continue authentication", mask(PacketType::auth)},
    ReasonInfo{ReasonCode::reauthenticate, "Re-authenticate", mask(PacketType::auth)},
    ReasonInfo{ReasonCode::unspecified_error, "Unspecified error", detail::kAnyAnswer},
    ReasonInfo{ReasonCode::malformed_packet, "Malformed Packet", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::protocol_error, "Protocol Error", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::implementation_specific_error, "Implementation specific error", detail::kAnyAnswer},
    ReasonInfo{ReasonCode::unsupported_protocol_version, "Unsupported Protocol Version", mask(PacketType::connack)},
    ReasonInfo{ReasonCode::client_identifier_not_valid, "Client Identifier not valid", mask(PacketType::connack)},
    ReasonInfo{ReasonCode::bad_user_name_or_password, "Bad User Name or Password", mask(PacketType::connack)},
    ReasonInfo{ReasonCode::not_authorized, "Not authorized", detail::kAnyAnswer},
    ReasonInfo{ReasonCode::server_unavailable, "Server unavailable", mask(PacketType::connack)},
    ReasonInfo{ReasonCode::server_busy, "Server busy", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::banned, "Banned", mask(PacketType::connack)},
    ReasonInfo{ReasonCode::server_shutting_down, "Server shutting down", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::bad_authentication_method, "Bad authentication method", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::keep_alive_timeout, "Keep Alive timeout", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::session_taken_over, "Session taken over", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::topic_filter_invalid, "Topic Filter invalid",
               mask(PacketType::suback, PacketType::unsuback, PacketType::disconnect)},
    ReasonInfo{ReasonCode::topic_name_invalid, "Topic Name invalid",
               mask(PacketType::connack, PacketType::puback, PacketType::pubrec, PacketType::disconnect)},
    ReasonInfo{ReasonCode::packet_identifier_in_use, "Packet Identifier in use",
               mask(PacketType::puback, PacketType::pubrec, PacketType::suback, PacketType::unsuback)},
    ReasonInfo{ReasonCode::packet_identifier_not_found, "Packet Identifier not found", mask(PacketType::pubrel, PacketType::pubcomp)},
    ReasonInfo{ReasonCode::receive_maximum_exceeded, "Receive Maximum exceeded", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::topic_alias_invalid, "Topic Alias invalid", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::packet_too_large, "Packet too large", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::message_rate_too_high, "Message rate too high", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::quota_exceeded, "Quota exceeded",
               mask(PacketType::connack, PacketType::puback, PacketType::pubrec, PacketType::suback, PacketType::disconnect)},
    ReasonInfo{ReasonCode::administrative_action, "Administrative action", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::payload_format_invalid, "Payload format invalid",
               mask(PacketType::connack, PacketType::puback, PacketType::pubrec, PacketType::disconnect)},
    ReasonInfo{ReasonCode::retain_not_supported, "Retain not supported", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::qos_not_supported, "QoS not supported", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::use_another_server, "Use another server", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::server_moved, "Server moved", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::shared_subscriptions_not_supported, "Shared Subscriptions not supported",
               mask(PacketType::suback, PacketType::disconnect)},
    ReasonInfo{ReasonCode::connection_rate_exceeded, "Connection rate exceeded", detail::kConnackDisconnect},
    ReasonInfo{ReasonCode::maximum_connect_time, "Maximum connect time", mask(PacketType::disconnect)},
    ReasonInfo{ReasonCode::subscription_identifiers_not_supported, "Subscription Identifiers not supported",
               mask(PacketType::suback, PacketType::disconnect)},
    ReasonInfo{ReasonCode::wildcard_subscriptions_not_supported, "Wildcard Subscriptions not supported",
               mask(PacketType::suback, PacketType::disconnect)},
};

[[nodiscard]] constexpr bool is_error(ReasonCode code) { return static_cast<std::uint8_t>(code) >= 0x80; }

/// The row of a code, or nullptr for a value that the standard does not know.
[[nodiscard]] constexpr const ReasonInfo* find(ReasonCode code) {
    for (const auto& row : kReasons)
        if (row.code == code) return &row;
    return nullptr;
}
/// "Not authorized"; "unknown reason" for a value that the standard does not know.
[[nodiscard]] constexpr std::string_view name(ReasonCode code) {
    const auto* row = find(code);
    return row ? row->name : std::string_view("unknown reason");
}
[[nodiscard]] constexpr bool may_carry(PacketType type, ReasonCode code) {
    const auto* row = find(code);
    return row && (row->packets & bit(type)) != 0;
}

/// CONNACK return codes of 3.1.1 (§3.2.2.3 there).
enum class ReturnCode : std::uint8_t {
    accepted = 0,
    unacceptable_protocol_version = 1,
    identifier_rejected = 2,
    server_unavailable = 3,
    bad_user_name_or_password = 4,
    not_authorized = 5,
};
/// The nearest 3.1.1 return code: anything without one of its own is server_unavailable.
[[nodiscard]] constexpr ReturnCode to_return_code(ReasonCode code) {
    switch (code) {
        case ReasonCode::success:
            return ReturnCode::accepted;
        case ReasonCode::unsupported_protocol_version:
            return ReturnCode::unacceptable_protocol_version;
        case ReasonCode::client_identifier_not_valid:
            return ReturnCode::identifier_rejected;
        case ReasonCode::bad_user_name_or_password:
            return ReturnCode::bad_user_name_or_password;
        case ReasonCode::not_authorized:
        case ReasonCode::banned:
            return ReturnCode::not_authorized;
        default:
            return ReturnCode::server_unavailable;
    }
}
[[nodiscard]] constexpr ReasonCode to_reason(ReturnCode code) {
    switch (code) {
        case ReturnCode::accepted:
            return ReasonCode::success;
        case ReturnCode::unacceptable_protocol_version:
            return ReasonCode::unsupported_protocol_version;
        case ReturnCode::identifier_rejected:
            return ReasonCode::client_identifier_not_valid;
        case ReturnCode::server_unavailable:
            return ReasonCode::server_unavailable;
        case ReturnCode::bad_user_name_or_password:
            return ReasonCode::bad_user_name_or_password;
        case ReturnCode::not_authorized:
            return ReasonCode::not_authorized;
    }
    return ReasonCode::unspecified_error;
}

/// §2.2.2.2 table 2-4.
enum class Property : std::uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0B,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1A,
    server_reference = 0x1C,
    reason_string = 0x1F,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2A,
};
inline constexpr std::size_t kPropertyIdEnd = 0x2B;

enum class PropertyType : std::uint8_t { byte, two_bytes, four_bytes, variable_integer, text, binary, text_pair };

struct PropertyInfo {
    Property id;
    std::string_view name;
    PropertyType type;
    PacketMask packets;        ///< which may have it
    PacketMask repeatable;     ///< in which it may appear more than once
    std::uint32_t least = 0;   ///< numbers: a value outside least…most is a protocol error
    std::uint32_t most = ~0U;  ///< (a topic alias of 0: topic_alias_invalid)
};

inline constexpr std::uint32_t kVariableIntegerMax = 268'435'455;  // four bytes of seven bits, §1.5.5

inline constexpr std::array kProperties{
    PropertyInfo{Property::payload_format_indicator, "Payload Format Indicator", PropertyType::byte,
                 mask(PacketType::publish, PacketType::will), 0, 0, 1},
    PropertyInfo{Property::message_expiry_interval, "Message Expiry Interval", PropertyType::four_bytes,
                 mask(PacketType::publish, PacketType::will), 0},
    PropertyInfo{Property::content_type, "Content Type", PropertyType::text, mask(PacketType::publish, PacketType::will), 0},
    PropertyInfo{Property::response_topic, "Response Topic", PropertyType::text, mask(PacketType::publish, PacketType::will), 0},
    PropertyInfo{Property::correlation_data, "Correlation Data", PropertyType::binary, mask(PacketType::publish, PacketType::will), 0},
    PropertyInfo{Property::subscription_identifier, "Subscription Identifier", PropertyType::variable_integer,
                 mask(PacketType::publish, PacketType::subscribe), mask(PacketType::publish), 1, kVariableIntegerMax},
    PropertyInfo{Property::session_expiry_interval, "Session Expiry Interval", PropertyType::four_bytes,
                 mask(PacketType::connect, PacketType::connack, PacketType::disconnect), 0},
    PropertyInfo{Property::assigned_client_identifier, "Assigned Client Identifier", PropertyType::text, mask(PacketType::connack), 0},
    PropertyInfo{Property::server_keep_alive, "Server Keep Alive", PropertyType::two_bytes, mask(PacketType::connack), 0},
    PropertyInfo{Property::authentication_method, "Authentication Method", PropertyType::text,
                 mask(PacketType::connect, PacketType::connack, PacketType::auth), 0},
    PropertyInfo{Property::authentication_data, "Authentication Data", PropertyType::binary,
                 mask(PacketType::connect, PacketType::connack, PacketType::auth), 0},
    PropertyInfo{Property::request_problem_information, "Request Problem Information", PropertyType::byte, mask(PacketType::connect), 0, 0,
                 1},
    PropertyInfo{Property::will_delay_interval, "Will Delay Interval", PropertyType::four_bytes, mask(PacketType::will), 0},
    PropertyInfo{Property::request_response_information, "Request Response Information", PropertyType::byte, mask(PacketType::connect), 0,
                 0, 1},
    PropertyInfo{Property::response_information, "Response Information", PropertyType::text, mask(PacketType::connack), 0},
    PropertyInfo{Property::server_reference, "Server Reference", PropertyType::text, mask(PacketType::connack, PacketType::disconnect), 0},
    PropertyInfo{Property::reason_string, "Reason String", PropertyType::text,
                 mask(PacketType::connack, PacketType::puback, PacketType::pubrec, PacketType::pubrel, PacketType::pubcomp,
                      PacketType::suback, PacketType::unsuback, PacketType::disconnect, PacketType::auth),
                 0},
    PropertyInfo{Property::receive_maximum, "Receive Maximum", PropertyType::two_bytes, mask(PacketType::connect, PacketType::connack), 0,
                 1},
    PropertyInfo{Property::topic_alias_maximum, "Topic Alias Maximum", PropertyType::two_bytes,
                 mask(PacketType::connect, PacketType::connack), 0},
    PropertyInfo{Property::topic_alias, "Topic Alias", PropertyType::two_bytes, mask(PacketType::publish), 0, 1},
    PropertyInfo{Property::maximum_qos, "Maximum QoS", PropertyType::byte, mask(PacketType::connack), 0, 0, 1},
    PropertyInfo{Property::retain_available, "Retain Available", PropertyType::byte, mask(PacketType::connack), 0, 0, 1},
    PropertyInfo{Property::user_property, "User Property", PropertyType::text_pair, detail::kUserProperty, detail::kUserProperty},
    PropertyInfo{Property::maximum_packet_size, "Maximum Packet Size", PropertyType::four_bytes,
                 mask(PacketType::connect, PacketType::connack), 0, 1},
    PropertyInfo{Property::wildcard_subscription_available, "Wildcard Subscription Available", PropertyType::byte,
                 mask(PacketType::connack), 0, 0, 1},
    PropertyInfo{Property::subscription_identifier_available, "Subscription Identifier Available", PropertyType::byte,
                 mask(PacketType::connack), 0, 0, 1},
    PropertyInfo{Property::shared_subscription_available, "Shared Subscription Available", PropertyType::byte, mask(PacketType::connack), 0,
                 0, 1},
};

/// The row of a property identifier, or nullptr for a value that the standard does not know.
[[nodiscard]] constexpr const PropertyInfo* find(Property id) {
    for (const auto& row : kProperties)
        if (row.id == id) return &row;
    return nullptr;
}

/// The verdict on a packet: good, or the reason for which it must be refused. Over 5.0 the reason goes out in a DISCONNECT (a CONNACK while
/// connecting); over 3.1.1 the connection is closed.
struct [[nodiscard]] Verdict {
    ReasonCode reason = ReasonCode::success;
    const char* words = "";  ///< what is wrong, for the reason string; static text, may be empty
    constexpr Verdict() = default;
    constexpr Verdict(ReasonCode why) : reason(why) {}  // NOLINT(google-explicit-constructor)
    constexpr Verdict(ReasonCode why, const char* text) : reason(why), words(text) {}
    [[nodiscard]] constexpr bool good() const { return reason == ReasonCode::success; }
    constexpr explicit operator bool() const { return good(); }
};

/// Packet identifiers are 1 to 65,535; 0 means none (QoS 0).
using PacketId = std::uint16_t;

}  // namespace sluice::mqtt
