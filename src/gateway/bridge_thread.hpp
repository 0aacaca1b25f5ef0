// One bridge on a thread of its own: a remote broker that is slow, or a name that cannot be looked up, is nobody else's business.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/resolver.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls_client.hpp"
#include "flow/bridge/bridge.hpp"
#include "gateway/address_turns.hpp"
#include "gateway/bridge_board.hpp"

namespace sluice::gateway {

class BridgeThread final : private posix::TurnTask, private bridge::Transport {
public:
    struct Options {
        bridge::Options bridge;
        std::string host;
        std::uint16_t port = 0;
        std::shared_ptr<posix::TlsClient> tls{};  ///< nullptr: plain TCP
    };

    /// Starts the thread. `gauges` are on the board already, or, for a retired bridge, are not.
    BridgeThread(Options options, const env::Clock& clock, env::Entropy& entropy, BridgeBoard& board, std::shared_ptr<BridgeGauges> gauges);
    /// Says goodbye to both sides and ends the thread.
    ~BridgeThread() override;
    BridgeThread(const BridgeThread&) = delete;
    BridgeThread& operator=(const BridgeThread&) = delete;

    /// Any thread. A retired bridge has ended its session in the hub.
    [[nodiscard]] bool finished() const { return finished_.load(std::memory_order_acquire); }

private:
    using End = bridge::End;
    /// The sockets of one end: each may be paused for itself.
    class Side final : public posix::TcpHandler {
    public:
        Side(BridgeThread& owner, End end) : tcp(owner.loop_, *this), owner_(owner), end_(end) {}
        void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
        std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
        void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
        void on_closed(posix::TcpId id, const base::Error& why) override;
        posix::TcpConnections tcp;
        posix::TcpId id = 0;
        bool left = false;    ///< bytes that the bridge did not take
        bool failed = false;  ///< to be told: no connection could be begun

    private:
        BridgeThread& owner_;
        End end_;
    };

    // posix::TurnTask
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    // bridge::Transport
    void open(End end) override;
    [[nodiscard]] base::Bytes* output(End end) override;
    void close(End end, bool flush) override;

    [[nodiscard]] Side& side(End end) { return end == End::local ? local_ : remote_; }
    void run();
    void finish_lookup();
    bool connect_next();
    void end_turn_of_address(base::Monotonic now);
    void move_on(End end, base::Monotonic now);
    void report(base::Monotonic now);
    void publish();

    Options options_;
    BridgeBoard& board_;
    std::shared_ptr<BridgeGauges> gauges_;
    posix::EventLoop loop_;
    posix::Resolver resolver_;
    Side local_;
    Side remote_;
    bridge::Bridge bridge_;

    posix::DetachedConnection into_hub_;  // ours of a new pair, until the turn comes
    AddressTurns addresses_;              // of the remote, in this attempt
    base::Monotonic attempt_until_{};     // the bridge gives it up then
    std::string failure_;                 // of its TLS, or why the operating system could not reach it
    bool was_up_ = false;
    std::uint64_t failures_seen_ = 0;
    bridge::Trouble trouble_seen_ = bridge::Trouble::none;
    std::uint8_t reason_seen_ = 0;
    std::uint32_t refused_seen_ = 0;
    base::Monotonic reported_at_{};
    base::Monotonic give_up_at_{};
    bool saying_goodbye_ = false;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> finished_{false};
    std::thread thread_;
};

}  // namespace sluice::gateway
