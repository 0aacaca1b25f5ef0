// Bytes to packets. Nothing here allocates; views in the results are valid as long as the body that was decoded.
//
// `body` is what frame() calls the body, `first` the first byte of the packet; frame() has checked the flags in it. A packet that breaks a
// normative statement of the standard gets the reason with which to refuse it; the output is then unspecified, except where said otherwise.
// Not checked here, because it depends on the session or the direction: topic aliases in range, a Subscription Identifier in a PUBLISH of a
// client, packet identifiers in use, limits.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/mqtt/packets.hpp"

namespace sluice::mqtt {

/// Errors: malformed_packet, protocol_error (an unknown protocol name too), unsupported_protocol_version, client_identifier_not_valid (5.0:
/// not plain text; 3.1.1: empty without clean session; 3.1: empty), topic_name_invalid (will), bad_user_name_or_password (missing, or a
/// user name that is not plain text). `out.version` is set as soon as it is known, and `out.properties` when they are read, so that the
/// refusal can be written as the client understands it (unsupported level: v311, as 3.1.1's MQTT-3.1.2-2 wants).
Verdict decode_connect(base::ByteView body, Connect& out);
/// The flags beside the type of a CONNECT must be 0, except in 3.1, where they mean nothing.
[[nodiscard]] bool has_legal_flags(base::Byte first, base::ByteView connect_body);
Verdict decode_connack(base::ByteView body, Version version, Connack& out);

/// The hot one. Errors: malformed_packet (no topic and no alias too), protocol_error (packet id 0), topic_alias_invalid (alias 0).
Verdict decode_publish(base::Byte first, base::ByteView body, Version version, Publish& out);
/// The same, for whoever has an answer to a topic that is no topic name: `out.topic` is not judged.
Verdict read_publish(base::Byte first, base::ByteView body, Version version, Publish& out);

/// PUBACK, PUBREC, PUBREL, PUBCOMP, by the type in the first byte. Errors: malformed_packet, protocol_error (packet id 0, a code that this
/// packet may not carry).
Verdict decode_ack(base::Byte first, base::ByteView body, Version version, Ack& out);

/// Errors: malformed_packet (also: a filter that is not one, no filter, QoS or retain handling 3, packet id 0), protocol_error (a shared
/// subscription without group or filter, or with no-local). Where the standard says protocol error for a field out of range, we say
/// malformed, as mosquitto does: docs/decisions/0014.
Verdict decode_subscribe(base::ByteView body, Version version, Subscribe& out);
Verdict decode_suback(base::ByteView body, Version version, Suback& out);
Verdict decode_unsubscribe(base::ByteView body, Version version, Unsubscribe& out);
Verdict decode_unsuback(base::ByteView body, Version version, Suback& out);
/// PINGREQ and PINGRESP: a body is malformed.
Verdict decode_ping(base::ByteView body);
Verdict decode_disconnect(base::ByteView body, Version version, Disconnect& out);
/// Errors: protocol_error (not 5.0, no authentication method).
Verdict decode_auth(base::ByteView body, Version version, Auth& out);

/// True for `$share/<group>/<filter>` with a valid group and filter. `is_shared` alone: begins with `$share/`.
[[nodiscard]] bool split_shared_filter(std::string_view filter, SharedFilter& out);
[[nodiscard]] inline bool is_shared(std::string_view filter) { return filter.starts_with("$share/"); }

enum class PeekStatus : std::uint8_t {
    found,
    incomplete,   ///< show the same bytes again with more behind them; the caller limits how many
    not_connect,  ///< another packet, or not MQTT at all
    malformed,
};
struct Peek {
    PeekStatus status;
    std::string_view client_id;  ///< may be empty; not checked for UTF-8; valid as long as the input
};
/// Finds the client id at the beginning of a connection, as soon as its bytes are there (the rest of the CONNECT may be missing), without
/// judging the packet: decode_connect() does.
[[nodiscard]] Peek peek_client_id(base::ByteView in);

}  // namespace sluice::mqtt
