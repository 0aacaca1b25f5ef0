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

/// Errors: malformed_packet, protocol_error, unsupported_protocol_version (wrong protocol name too), client_identifier_not_valid (3.1.1:
/// empty without clean session), topic_name_invalid (will). `out.version` is set as soon as it is known, so that the refusal can be written
/// in the right dialect (an unsupported higher level: v5; a lower one or none: v311).
Verdict decode_connect(base::ByteView body, Connect& out);
Verdict decode_connack(base::ByteView body, Version version, Connack& out);

/// The hot one. Errors: malformed_packet, protocol_error (packet id 0, no topic and no alias), topic_alias_invalid (alias 0).
Verdict decode_publish(base::Byte first, base::ByteView body, Version version, Publish& out);

/// PUBACK, PUBREC, PUBREL, PUBCOMP, by the type in the first byte. Errors: malformed_packet, protocol_error (packet id 0, a code that this
/// packet may not carry).
Verdict decode_ack(base::Byte first, base::ByteView body, Version version, Ack& out);

/// Errors: malformed_packet (also for a filter that is not one), protocol_error (no filter, QoS or retain handling 3, no-local on a shared
/// subscription, packet id 0).
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
