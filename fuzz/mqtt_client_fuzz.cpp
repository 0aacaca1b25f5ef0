// links: sluice_codec_mqtt
// A server that sends anything to the client machine. Bytes: options, size of the pieces, then the stream. In pieces or at once, the client
// must hear and say the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "codec/mqtt/client_session.hpp"

using namespace sluice::mqtt;
using sluice::base::Bytes;
using sluice::base::ByteView;

namespace {

constexpr sluice::base::Monotonic kNow{std::chrono::seconds(1)};

class Listener final : public ClientListener {
public:
    Listener(ClientSession& session, Bytes& out) : session_(session), out_(out) {}
    void on_connected(const Connack& connack) override {
        note("connected", connack.properties.raw());
        const Subscription filters[] = {{.filter = "a/#"}};
        (void)session_.subscribe(filters, kNow, out_);  // both may fail: what the server allows is its choice
        (void)session_.publish({.topic = "t", .payload = {}, .qos = Qos::exactly_once}, kNow, out_);
    }
    void on_message(const Publish& message) override {
        note(message.topic, message.payload);
        (void)session_.publish({.topic = "echo", .payload = message.payload, .qos = Qos::at_least_once}, kNow, out_);
    }
    void on_acked(PacketId, ByteView codes) override { note("acked", codes); }
    void on_pong() override { note("pong", {}); }
    void on_closed(ReasonCode why) override { note(name(why), {}); }

    std::string heard;

private:
    void note(std::string_view what, ByteView bytes) { heard.append(what).append(sluice::base::as_text(bytes)).push_back('\n'); }
    ClientSession& session_;
    Bytes& out_;
};

std::string run(Version version, ByteView in, std::size_t piece) {
    ClientSession session;
    Bytes out;
    Listener listener(session, out);
    session.connect({.client_id = "c", .version = version, .in_flight_max = 4, .receive_maximum = 3, .packet_bytes_max = 4096}, kNow, out);
    std::size_t used = 0;
    for (std::size_t given = 0; given < in.size();) {
        given = std::min(given + piece, in.size());
        const auto now_used = session.on_bytes(in.subspan(used, given - used), kNow, out, listener);
        if (now_used > given - used) std::abort();
        used += now_used;
    }
    return listener.heard + std::string(sluice::base::as_text(out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto version = (data[0] & 1U) != 0 ? Version::v5 : Version::v311;
    const ByteView in(data + 2, size - 2);
    if (run(version, in, size) != run(version, in, std::size_t{1} + data[1])) std::abort();
    return 0;
}
