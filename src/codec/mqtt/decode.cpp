#include "codec/mqtt/decode.hpp"

#include "codec/mqtt/byte_reader.hpp"

namespace sluice::mqtt {
namespace {

constexpr auto kMalformed = ReasonCode::malformed_packet;

/// Property length and properties, where the version has them.
Verdict read_properties(ByteReader& in, Version version, PacketType type, Properties& out) {
    if (version != Version::v5) return {};
    std::uint32_t size = 0;
    base::ByteView bytes;
    if (!in.variable_integer(size) || !in.bytes(size, bytes)) return {kMalformed, "property length wrong or beyond the packet"};
    return size == 0 ? Verdict{} : Properties::decode(bytes, type, out);
}

Verdict read_packet_id(ByteReader& in, PacketId& out) {
    if (!in.two_bytes(out)) return {kMalformed, "cut short"};
    return out == 0 ? Verdict(ReasonCode::protocol_error, "packet identifier 0") : Verdict();  // MQTT-2.2.1-3
}

/// The same for SUBSCRIBE and UNSUBSCRIBE, whose every fault makes them malformed (MQTT-3.8.3-5; what mosquitto answers).
Verdict read_request_id(ByteReader& in, PacketId& out) {
    const auto verdict = read_packet_id(in, out);
    return verdict.good() ? verdict : Verdict(kMalformed, verdict.words);
}

/// "[reason [length properties]]": the short forms of ACK, DISCONNECT and AUTH. `shortest`: bytes that need not have a property length.
Verdict read_reason_and_properties(ByteReader& in, PacketType type, ReasonCode& reason, Properties& properties) {
    if (in.left() == 0) return {};
    std::uint8_t code = 0;
    if (!in.byte(code)) return kMalformed;
    reason = static_cast<ReasonCode>(code);
    if (code != 0 && !may_carry(type, reason)) return {ReasonCode::protocol_error, "a reason code that this packet cannot have"};
    if (in.left() == 0) return {};
    if (const auto verdict = read_properties(in, Version::v5, type, properties); !verdict) return verdict;
    return in.left() == 0 ? Verdict{} : Verdict(kMalformed, "bytes behind the properties");
}

/// `$share/…` means the same in every version. A filter that is not one is malformed, a share that is not one a protocol error.
Verdict check_filter(std::string_view filter) {
    if (!data::is_topic_filter(filter)) return {kMalformed, "not a topic filter"};
    SharedFilter parts;
    if (is_shared(filter) && !split_shared_filter(filter, parts)) return {ReasonCode::protocol_error, "not $share/<group>/<filter>"};
    return {};
}

struct ConnectFlags {
    std::uint8_t bits;
    [[nodiscard]] bool reserved() const { return (bits & 1U) != 0; }
    [[nodiscard]] bool clean_start() const { return (bits & 2U) != 0; }
    [[nodiscard]] bool will() const { return (bits & 4U) != 0; }
    [[nodiscard]] unsigned will_qos() const { return (bits >> 3) & 3U; }
    [[nodiscard]] bool will_retain() const { return (bits & 0x20U) != 0; }
    [[nodiscard]] bool password() const { return (bits & 0x40U) != 0; }
    [[nodiscard]] bool user() const { return (bits & 0x80U) != 0; }
};

Verdict read_protocol(ByteReader& in, Connect& out) {
    std::string_view protocol;
    std::uint8_t level = 0;
    out.version = Version::v311;
    if (!in.binary(protocol)) return kMalformed;
    const bool old = protocol == "MQIsdp";
    if (protocol != "MQTT" && !old) return ReasonCode::protocol_error;  // MQTT-3.1.2-1: who speaks something else expects no CONNACK
    if (!in.byte(level)) return kMalformed;
    out.bridge = !old && level == kBridgeLevel;
    if (old && level == 3)
        out.version = Version::v31;
    else if (out.bridge)
        out.version = Version::v311;
    else if (!old && (level == 4 || level == 5))
        out.version = static_cast<Version>(level);
    else
        return ReasonCode::unsupported_protocol_version;
    return {};
}

Verdict check_flags(ConnectFlags flags, Version version) {
    if (flags.reserved() && version != Version::v31) return {kMalformed, "the reserved connect flag is set"};  // MQTT-3.1.2-3
    if (!flags.will() && (flags.will_qos() != 0 || flags.will_retain())) return {kMalformed, "will flags without a will"};
    if (flags.will_qos() == 3) return {kMalformed, "will QoS 3"};                                        // MQTT-3.1.2-12
    if (version != Version::v5 && flags.password() && !flags.user()) return ReasonCode::protocol_error;  // 3.1.1: MQTT-3.1.2-22
    return {};
}

Verdict read_will(ByteReader& in, ConnectFlags flags, Version version, Will& out) {
    if (const auto verdict = read_properties(in, version, PacketType::will, out.properties); !verdict) return verdict;
    std::string_view payload;
    if (!in.text(out.topic) || !in.binary(payload)) return {kMalformed, "the will's topic or payload"};
    if (!data::is_topic_name(out.topic)) return {ReasonCode::topic_name_invalid, "the will's topic"};
    out.payload = base::as_bytes(payload);
    out.qos = static_cast<Qos>(flags.will_qos());
    out.retain = flags.will_retain();
    return {};
}

/// User name and password, as far as the flags promise them. In 3.1 what is promised may be missing.
bool read_credentials(ByteReader& in, ConnectFlags flags, Connect& out) {
    const bool may_lack = out.version == Version::v31;
    if (flags.user() && !(may_lack && in.left() == 0)) {
        std::string_view user;
        if (!in.binary(user) || !data::is_plain_text(user)) return false;
        out.user = user;
    }
    if (flags.password() && !(may_lack && in.left() == 0)) {
        std::string_view password;
        if (!in.binary(password)) return false;
        out.password = base::as_bytes(password);
    }
    return true;
}

}  // namespace

bool has_legal_flags(base::Byte first, base::ByteView connect_body) {
    if ((first & 0x0FU) == 0) return true;
    Connect packet;
    ByteReader in(connect_body);
    return read_protocol(in, packet).good() && packet.version == Version::v31;
}

Verdict decode_connect(base::ByteView body, Connect& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_protocol(in, out); !verdict) return verdict;
    ConnectFlags flags{};
    std::uint16_t keep_alive = 0;
    if (!in.byte(flags.bits) || !in.two_bytes(keep_alive)) return {kMalformed, "cut short"};
    if (const auto verdict = check_flags(flags, out.version); !verdict) return verdict;
    out.clean_start = flags.clean_start();
    out.keep_alive = decltype(out.keep_alive)(keep_alive);
    if (const auto verdict = read_properties(in, out.version, PacketType::connect, out.properties); !verdict) return verdict;
    if (out.properties.has(Property::authentication_data) && !out.properties.has(Property::authentication_method))
        return {ReasonCode::protocol_error, "authentication data without a method"};  // §3.1.2.11.10
    if (!in.binary(out.client_id)) return {kMalformed, "no client identifier"};
    if (!data::is_plain_text(out.client_id))
        return out.version == Version::v5 ? Verdict(ReasonCode::client_identifier_not_valid, "not plain UTF-8") : kMalformed;
    if (flags.will())
        if (const auto verdict = read_will(in, flags, out.version, out.will.emplace()); !verdict) return verdict;
    if (!read_credentials(in, flags, out)) return ReasonCode::bad_user_name_or_password;
    if (in.left() != 0) return {kMalformed, "bytes behind the last field"};
    const bool nameless = out.client_id.empty();
    if (nameless && (out.version == Version::v31 || (out.version == Version::v311 && !out.clean_start)))
        return ReasonCode::client_identifier_not_valid;  // 3.1.1: MQTT-3.1.3-8; 3.1 knows no empty ones
    return {};
}

Verdict decode_connack(base::ByteView body, Version version, Connack& out) {
    out = {};
    ByteReader in(body);
    std::uint8_t flags = 0;
    std::uint8_t code = 0;
    if (!in.byte(flags) || !in.byte(code)) return kMalformed;
    if (version == Version::v31) flags = 0;  // reserved there, without a rule for its value
    if ((flags & 0xFEU) != 0) return kMalformed;
    out.session_present = flags != 0;
    if (version != Version::v5 || (in.left() == 0 && code == 1)) {  // an older server refuses 5.0 in its own words
        if (code > static_cast<std::uint8_t>(ReturnCode::not_authorized)) return ReasonCode::protocol_error;
        out.reason = to_reason(static_cast<ReturnCode>(code));
        if (in.left() != 0) return kMalformed;
    } else {
        out.reason = static_cast<ReasonCode>(code);
        if (!may_carry(PacketType::connack, out.reason)) return ReasonCode::protocol_error;
        if (const auto verdict = read_properties(in, version, PacketType::connack, out.properties); !verdict) return verdict;
        if (in.left() != 0) return kMalformed;
    }
    return out.session_present && is_error(out.reason) ? ReasonCode::protocol_error : ReasonCode::success;  // MQTT-3.2.2-6
}

Verdict read_publish(base::Byte first, base::ByteView body, Version version, Publish& out) {
    ByteReader in(body);
    if (!in.binary(out.topic)) return {kMalformed, "cut short"};
    out.qos = static_cast<Qos>((first >> 1) & 3U);
    out.retain = (first & 1U) != 0;
    out.dup = (first & 8U) != 0;
    out.packet_id = 0;
    if (out.qos != Qos::at_most_once)
        if (const auto verdict = read_packet_id(in, out.packet_id); !verdict) return verdict;
    out.properties = {};
    if (version == Version::v5)
        if (const auto verdict = read_properties(in, version, PacketType::publish, out.properties); !verdict) return verdict;
    if (out.topic.empty() && !out.properties.has(Property::topic_alias)) return {kMalformed, "no topic and no alias"};  // 3.1.1 has none
    out.payload = in.rest();
    return {};
}

Verdict decode_publish(base::Byte first, base::ByteView body, Version version, Publish& out) {
    if (const auto verdict = read_publish(first, body, version, out); !verdict) return verdict;
    if (!out.topic.empty() && !data::is_topic_name(out.topic)) return {kMalformed, "not a topic name"};
    return {};
}

Verdict decode_ack(base::Byte first, base::ByteView body, Version version, Ack& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_packet_id(in, out.packet_id); !verdict) return verdict;
    if (version != Version::v5) return in.left() == 0 ? Verdict{} : kMalformed;
    return read_reason_and_properties(in, static_cast<PacketType>(first >> 4), out.reason, out.properties);
}

Verdict decode_subscribe(base::ByteView body, Version version, Subscribe& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_request_id(in, out.packet_id); !verdict) return verdict;
    if (const auto verdict = read_properties(in, version, PacketType::subscribe, out.properties); !verdict) return verdict;
    const unsigned reserved = version == Version::v5 ? 0xC0U : 0xFCU;
    const auto list = in.rest();
    std::size_t count = 0;
    for (; in.left() != 0; ++count) {
        std::string_view filter;
        std::uint8_t options = 0;
        if (!in.binary(filter) || !in.byte(options)) return {kMalformed, "cut short"};
        if (const auto verdict = check_filter(filter); !verdict) return verdict;
        if ((options & reserved) != 0 || (options & 3U) == 3 || (options & 0x30U) == 0x30)
            return {kMalformed, "QoS 3, retain handling 3 or a reserved option"};  // MQTT-3.8.3-5
        if (is_shared(filter) && (options & 4U) != 0) return {ReasonCode::protocol_error, "no-local on a shared subscription"};
    }
    if (count == 0) return {kMalformed, "no topic filter"};  // MQTT-3.8.3-2
    out.filters = FilterList<true>(list);
    return {};
}

Verdict decode_unsubscribe(base::ByteView body, Version version, Unsubscribe& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_request_id(in, out.packet_id); !verdict) return verdict;
    if (const auto verdict = read_properties(in, version, PacketType::unsubscribe, out.properties); !verdict) return verdict;
    const auto list = in.rest();
    std::size_t count = 0;
    for (; in.left() != 0; ++count) {
        std::string_view filter;
        if (!in.binary(filter)) return {kMalformed, "cut short"};
        if (const auto verdict = check_filter(filter); !verdict) return verdict;
    }
    if (count == 0) return {kMalformed, "no topic filter"};  // MQTT-3.10.3-2
    out.filters = FilterList<false>(list);
    return {};
}

Verdict decode_suback(base::ByteView body, Version version, Suback& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_packet_id(in, out.packet_id); !verdict) return verdict;
    if (const auto verdict = read_properties(in, version, PacketType::suback, out.properties); !verdict) return verdict;
    out.codes = in.rest();
    if (out.codes.empty()) return ReasonCode::protocol_error;
    for (const auto code : out.codes) {
        const bool known =
            version == Version::v5 ? may_carry(PacketType::suback, static_cast<ReasonCode>(code)) : code <= 2 || code == 0x80;
        if (!known) return ReasonCode::protocol_error;
    }
    return {};
}

Verdict decode_unsuback(base::ByteView body, Version version, Suback& out) {
    out = {};
    ByteReader in(body);
    if (const auto verdict = read_packet_id(in, out.packet_id); !verdict) return verdict;
    if (version != Version::v5) return in.left() == 0 ? Verdict{} : kMalformed;
    if (const auto verdict = read_properties(in, version, PacketType::unsuback, out.properties); !verdict) return verdict;
    out.codes = in.rest();
    if (out.codes.empty()) return ReasonCode::protocol_error;
    for (const auto code : out.codes)
        if (!may_carry(PacketType::unsuback, static_cast<ReasonCode>(code))) return ReasonCode::protocol_error;
    return {};
}

Verdict decode_ping(base::ByteView body) { return body.empty() ? ReasonCode::success : kMalformed; }

Verdict decode_disconnect(base::ByteView body, Version version, Disconnect& out) {
    out = {};
    if (version != Version::v5) return body.empty() ? ReasonCode::success : kMalformed;
    ByteReader in(body);
    return read_reason_and_properties(in, PacketType::disconnect, out.reason, out.properties);
}

Verdict decode_auth(base::ByteView body, Version version, Auth& out) {
    out = {};
    if (version != Version::v5) return ReasonCode::protocol_error;
    ByteReader in(body);
    if (const auto verdict = read_reason_and_properties(in, PacketType::auth, out.reason, out.properties); !verdict) return verdict;
    if (body.empty()) return {};  // §3.15.2.1: success without properties may be left out altogether
    return out.properties.has(Property::authentication_method) ? ReasonCode::success : ReasonCode::protocol_error;
}

bool split_shared_filter(std::string_view filter, SharedFilter& out) {
    if (!is_shared(filter)) return false;
    const auto rest = filter.substr(std::string_view("$share/").size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return false;
    out = {.group = rest.substr(0, slash), .filter = rest.substr(slash + 1)};
    return data::is_topic_name(out.group) && data::is_topic_filter(out.filter);
}

Peek peek_client_id(base::ByteView in) {
    if (in.empty()) return {PeekStatus::incomplete, {}};
    if (in[0] >> 4 != static_cast<unsigned>(PacketType::connect)) return {PeekStatus::not_connect, {}};
    // The length of the packet, tolerant of overlong forms like frame().
    std::size_t at = 1;
    std::uint32_t length = 0;
    for (unsigned shift = 0;; shift += 7, ++at) {
        if (shift == 28) return {PeekStatus::malformed, {}};
        if (at == in.size()) return {PeekStatus::incomplete, {}};
        length |= (in[at] & 0x7FU) << shift;
        if ((in[at] & 0x80U) == 0) break;
    }
    ++at;
    const bool whole = in.size() - at >= length;
    const Peek missing{whole ? PeekStatus::malformed : PeekStatus::incomplete, {}};
    ByteReader reader(in.subspan(at, whole ? length : in.size() - at));
    std::string_view protocol;
    std::uint8_t level = 0;
    std::uint8_t flags = 0;
    std::uint16_t keep_alive = 0;
    if (!reader.binary(protocol)) return missing;
    if (protocol != "MQTT" && protocol != "MQIsdp") return {PeekStatus::malformed, {}};
    if (!reader.byte(level) || !reader.byte(flags) || !reader.two_bytes(keep_alive)) return missing;
    if (level == 5) {
        std::uint32_t size = 0;
        base::ByteView properties;
        if (!reader.variable_integer(size) || !reader.bytes(size, properties)) return missing;
    }
    std::string_view client_id;
    if (!reader.binary(client_id)) return missing;
    return {PeekStatus::found, client_id};
}

}  // namespace sluice::mqtt
