// links: sluice_flow_bridge
// Two ends that send anything to a bridge, the hub among them. Bytes: version, then pieces: end and size, and so many bytes. Nothing may be
// left unread that is whole, nothing grow without bound, and what it writes must be packets.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "flow/bridge/bridge.hpp"

using namespace sluice;

namespace {

class NoEntropy final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override { std::fill(out.begin(), out.end(), base::Byte{1}); }
};

class Ends final : public bridge::Transport {
public:
    void open(bridge::End end) override { opening[static_cast<std::size_t>(end)] = true; }
    base::Bytes* output(bridge::End end) override { return &out[static_cast<std::size_t>(end)]; }
    void close(bridge::End end, bool) override {
        check(end);
        unread[static_cast<std::size_t>(end)].clear();
        opening[static_cast<std::size_t>(end)] = false;
    }
    void check(bridge::End end) {
        base::Bytes& bytes = out[static_cast<std::size_t>(end)];
        for (std::size_t at = 0; at < bytes.size();) {
            const auto framed = mqtt::frame(base::ByteView(bytes).subspan(at));
            if (framed.status != mqtt::FrameStatus::complete) std::abort();
            at += framed.total;
        }
        bytes.clear();
    }
    std::array<bool, 2> opening{};
    std::array<base::Bytes, 2> out;
    std::array<base::Bytes, 2> unread;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    NoEntropy entropy;
    Ends ends;
    bridge::Options options;
    options.name = "hq";
    options.gateway = "g";
    options.client_id = "g-hq";
    options.topics = {{.direction = bridge::Direction::both, .qos = 2, .filter = "a/#", .remote_prefix = "b/"},
                      {.direction = bridge::Direction::both, .qos = 1, .filter = "#", .local_prefix = "l/", .remote_prefix = "r/"}};
    options.version = static_cast<bridge::Protocol>(data[0] % 3);
    options.payload_bytes_max = 256;
    bridge::Bridge machine(options, ends, entropy);
    base::Monotonic now{std::chrono::hours(1)};
    machine.start(now);
    std::size_t at = 1;
    while (at + 1 < size) {
        for (const auto end : {bridge::End::local, bridge::End::remote}) {
            if (std::exchange(ends.opening[static_cast<std::size_t>(end)], false)) machine.on_open(end, now);
        }
        const auto end = (data[at] & 1U) != 0 ? bridge::End::remote : bridge::End::local;
        const unsigned what = (data[at] >> 1) & 7U;
        const std::size_t count = std::min<std::size_t>(data[at + 1], size - at - 2);
        at += 2;
        if (what == 0) {
            now += std::chrono::seconds(count);
            machine.on_tick(now);
            continue;
        }
        if (what == 1) {
            ends.unread[static_cast<std::size_t>(end)].clear();
            machine.on_closed(end, now);
            continue;
        }
        base::Bytes& unread = ends.unread[static_cast<std::size_t>(end)];
        if (what == 2) {  // an end that lets it in and takes its subscriptions: most inputs would not get so far
            mqtt::encode_connack(unread, {}, data[0] % 3 == 2 && end == bridge::End::remote ? mqtt::Version::v311 : mqtt::Version::v5);
        } else if (what == 3) {
            const std::array<base::Byte, 2> codes{2, 1};
            mqtt::encode_suback(unread, {.packet_id = 0xFFFF, .codes = codes, .properties = {}},
                                data[0] % 3 == 2 && end == bridge::End::remote ? mqtt::Version::v311 : mqtt::Version::v5);
        } else {
            unread.insert(unread.end(), data + at, data + at + count);
            at += count;
        }
        const base::Bytes bytes = unread;
        const std::size_t used = machine.on_bytes(end, bytes, now);
        if (used > bytes.size()) std::abort();
        if (!unread.empty()) unread.erase(unread.begin(), unread.begin() + static_cast<std::ptrdiff_t>(used));
        ends.check(bridge::End::local);
        ends.check(bridge::End::remote);
    }
    machine.stop();
    return 0;
}
