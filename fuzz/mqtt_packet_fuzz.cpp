// links: sluice_codec_mqtt
// First byte: the version; the rest: a stream of packets, as both sides may send them. What decodes is encoded and decoded again.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"

using namespace sluice::mqtt;
using sluice::base::Byte;
using sluice::base::Bytes;
using sluice::base::ByteView;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

/// Decodes a body and, if it is good, appends its encoding to `out`.
bool decode_and_encode(Byte first, ByteView body, Version version, Bytes& out) {
    const auto type = static_cast<PacketType>(first >> 4);
    switch (type) {
        case PacketType::connect: {
            Connect packet;
            if (!decode_connect(body, packet)) return false;
            encode_connect(out, packet);
            return true;
        }
        case PacketType::connack: {
            Connack packet;
            if (!decode_connack(body, version, packet)) return false;
            encode_connack(out, packet, version);
            return true;
        }
        case PacketType::publish: {
            Publish packet;
            if (!decode_publish(first, body, version, packet)) return false;
            const auto at = encode_publish(out, packet, version);
            require(out.size() == publish_size(packet, version));
            require((at == 0) == (packet.packet_id == 0));
            return true;
        }
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp: {
            Ack packet;
            if (!decode_ack(first, body, version, packet)) return false;
            encode_ack(out, type, packet, version);
            return true;
        }
        case PacketType::subscribe: {
            Subscribe packet;
            if (!decode_subscribe(body, version, packet)) return false;
            const std::vector<Subscription> filters(packet.filters.begin(), packet.filters.end());
            require(!filters.empty());
            encode_subscribe(out, packet.packet_id, filters, version, packet.properties);
            return true;
        }
        case PacketType::unsubscribe: {
            Unsubscribe packet;
            if (!decode_unsubscribe(body, version, packet)) return false;
            std::vector<std::string_view> filters;
            for (const auto& each : packet.filters) filters.push_back(each.filter);
            require(!filters.empty());
            encode_unsubscribe(out, packet.packet_id, filters, version, packet.properties);
            return true;
        }
        case PacketType::suback: {
            Suback packet;
            if (!decode_suback(body, version, packet)) return false;
            encode_suback(out, packet, version);
            return true;
        }
        case PacketType::unsuback: {
            Suback packet;
            if (!decode_unsuback(body, version, packet)) return false;
            encode_unsuback(out, packet, version);
            return true;
        }
        case PacketType::pingreq:
        case PacketType::pingresp: {
            if (!decode_ping(body)) return false;
            const auto& bytes = type == PacketType::pingreq ? kPingreq : kPingresp;
            sluice::base::append(out, ByteView(bytes));
            return true;
        }
        case PacketType::disconnect: {
            Disconnect packet;
            if (!decode_disconnect(body, version, packet)) return false;
            encode_disconnect(out, packet, version);
            return true;
        }
        case PacketType::auth: {
            Auth packet;
            if (!decode_auth(body, version, packet)) return false;
            encode_auth(out, packet);
            return true;
        }
        case PacketType::will:
            break;  // frame() lets no reserved type pass
    }
    std::abort();
}

/// Packets that have exactly one encoding must come back as the bytes that they were.
bool has_one_encoding(PacketType type) {
    return type == PacketType::publish || type == PacketType::subscribe || type == PacketType::unsubscribe || type == PacketType::suback ||
           type == PacketType::pingreq;
}

void check_packet(ByteView packet, const Framed& framed, Version version) {
    // 3.1 leaves the flags of a CONNECT open; they are not written again.
    if (framed.type() == PacketType::connect && framed.first != 0x10) return;
    Bytes once;
    if (!decode_and_encode(framed.first, framed.body(packet), version, once)) return;
    const auto again = frame(once);
    require(again.status == FrameStatus::complete && again.total == once.size() && again.first == framed.first && !again.overlong);
    Bytes twice;
    require(decode_and_encode(again.first, again.body(once), version, twice));
    require(once == twice);
    if (has_one_encoding(framed.type()) && !framed.overlong) require(once == Bytes(packet.begin(), packet.begin() + framed.total));
    if (framed.type() == PacketType::connect) {
        Connect connect;
        require(decode_connect(framed.body(packet), connect).good());
        const auto peek = peek_client_id(packet);
        require(peek.status == PeekStatus::found && peek.client_id == connect.client_id);
        // Nor is what 3.1 lets a client promise and leave out.
        const bool one_encoding = connect.version != Version::v31 && !framed.overlong;
        require(!one_encoding || once == Bytes(packet.begin(), packet.begin() + framed.total));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto version = (data[0] & 1U) != 0 ? Version::v5 : Version::v311;
    ByteView in(data + 1, size - 1);
    (void)peek_client_id(in);  // anything may come first on a connection; only its safety is of interest here
    while (true) {
        const auto framed = frame(in);
        if (framed.status != FrameStatus::complete) return 0;
        check_packet(in, framed, version);
        in = in.subspan(framed.total);
    }
}
