// Where bridges, shards and the API meet: connections on their way into the hub, and what each bridge tells of itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"
#include "flow/bridge/bridge.hpp"

namespace sluice::gateway {

/// The number of the listener that bridges come in by: no configured one has it.
inline constexpr std::uint16_t kBridgeListener = 0xFFFF;

/// Written by the bridge's thread and, where said, by the shard that has its session; read by anybody.
struct BridgeGauges {
    BridgeGauges(std::string bridge_name, std::string bridge_url) : name(std::move(bridge_name)), url(std::move(bridge_url)) {}
    const std::string name;
    const std::string url;
    std::atomic<bool> connected{false}, bridge_bit{false};
    std::atomic<std::uint8_t> version{5}, trouble{0}, reason{0};
    std::atomic<std::uint64_t> connections{0}, failures{0}, filters_refused{0}, messages_in{0}, messages_out{0}, echoes{0};
    std::array<std::atomic<std::uint64_t>, bridge::kDropNames.size()> dropped_in{}, dropped_out{};
    std::atomic<std::uint64_t> waiting{0}, queue_full{0};  ///< of the session in the hub: the shard's
};

using BridgeList = std::vector<std::shared_ptr<BridgeGauges>>;

/// Any thread; locks are held for moments, and never on the way of a message.
class BridgeBoard {
public:
    /// Connections go to this loop; before any bridge starts.
    void use(posix::EventLoop& loop) { loop_ = &loop; }

    /// From a bridge: the hub's end of a new connection.
    void knock(posix::DetachedConnection&& connection);
    /// The loop's thread: the next of them.
    [[nodiscard]] bool take(posix::DetachedConnection& connection);
    /// Is there one? Ordered with the loop's sleep, as mailboxes are.
    [[nodiscard]] bool knocked() const { return knocks_.load(std::memory_order_seq_cst) != 0; }

    /// In the place of the one of that name, if there is one: who looks never finds neither.
    void add(std::shared_ptr<BridgeGauges> gauges);
    void remove(const std::string& name);
    [[nodiscard]] BridgeList list() const;

    /// Changes with the list, and when a bridge comes up or goes down.
    [[nodiscard]] std::uint64_t edition() const { return edition_.load(std::memory_order_seq_cst); }
    void changed();

    BridgeBoard() = default;
    ~BridgeBoard();
    BridgeBoard(const BridgeBoard&) = delete;
    BridgeBoard& operator=(const BridgeBoard&) = delete;

private:
    posix::EventLoop* loop_ = nullptr;
    mutable std::mutex lock_;
    std::deque<posix::DetachedConnection> knocking_;  // at most two for each bridge
    BridgeList bridges_;
    std::atomic<std::uint32_t> knocks_{0};
    std::atomic<std::uint64_t> edition_{0};
};

}  // namespace sluice::gateway
