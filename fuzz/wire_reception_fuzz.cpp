// links: sluice_cloud
// Everything a stranger can send to the cloud's port: bytes of two connections into the real reception and applier.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "cloud/memory_store.hpp"
#include "cloud/reception.hpp"
#include "cloud/store_writer.hpp"

namespace {

using namespace sluice;

class World final : public cloud::ReceptionPort {
public:
    base::Bytes* output(hub::ConnectionId to) override { return open.contains(to.value()) ? &open[to.value()] : nullptr; }
    std::size_t queued_bytes(hub::ConnectionId) const override { return 0; }
    void close(hub::ConnectionId who) override { open.erase(who.value()); }
    void submit(cloud::Delivery&& delivery) override { deliveries.push_back(std::move(delivery)); }
    std::map<std::uint64_t, base::Bytes> open;
    std::vector<cloud::Delivery> deliveries;
};

}  // namespace

/// Input: pieces of a byte that chooses the connection (bit 0), 2 bytes of length, and as many bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    World world;
    cloud::Admission admission({{"guarded", "secret"}}, false);
    cloud::Gateways gateways;
    cloud::Reception reception({}, admission, gateways, world);
    cloud::MemoryStore store;
    cloud::StoreWriter writer(store);
    base::Monotonic now{std::chrono::seconds(1)};
    std::map<std::uint64_t, base::Bytes> unread;
    while (size >= 3) {
        const hub::ConnectionId id((std::uint64_t{1} << 32) | (data[0] & 1U));
        const auto length = std::min<std::size_t>(size - 3, base::load_le<std::uint16_t>(data + 1));
        if (!world.open.contains(id.value())) {
            world.open[id.value()];
            unread[id.value()].clear();
            reception.on_connected(id, {.listener = 0, .loopback = true, .encrypted = false}, now);
        }
        auto& bytes = unread[id.value()];
        base::append(bytes, base::ByteView(data + 3, length));
        data += 3 + length;
        size -= 3 + length;
        const auto there = bytes.size();
        bytes.resize(there + data::kReadablePadding);
        const auto used = reception.on_bytes(id, base::ByteView(bytes).first(there), now, base::from_ms(1));
        if (used > there) std::abort();
        bytes.resize(there);
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(used));
        if (!world.deliveries.empty()) {
            if (!writer.write(world.deliveries)) std::abort();
            reception.on_durable(world.deliveries.back().ticket);
            world.deliveries.clear();
        }
        reception.end_of_turn(now);
        now += std::chrono::milliseconds(10);
    }
    return 0;
}
