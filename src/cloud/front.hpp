// The thread that speaks with gateways: sockets around the reception.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cloud/reception.hpp"
#include "cloud/store_thread.hpp"
#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::cloud {

/// Copies of the front's counters for the API: one writer, relaxed.
struct FrontGauges {
    std::array<std::atomic<std::uint64_t>, hub::kCounterTable.size()> hub{};
    std::atomic<std::uint64_t> batches{0}, batch_bytes{0}, refused{0}, statuses{0}, invalid_statuses{0};
};

class Front final : private posix::TurnTask, private posix::TcpHandler, private posix::TcpListener::Sink, private ReceptionPort {
public:
    struct Options {
        hub::Limits hub;
        std::size_t store_queue_bytes_max = 64 * 1024 * 1024;  ///< waiting for the store; then sockets are not read
    };
    Front(const Options& options, const env::Clock& clock, Admission& admission, Gateways& gateways);
    ~Front() override;
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    /// Before start(). Errors: in_use, permission, not_found (address), io. Returns the port.
    base::Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);
    void start(StoreThread& store);
    /// Tells the gateways, closes, ends the thread.
    void stop();
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] const FrontGauges& gauges() const { return gauges_; }

private:
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    void on_accept(posix::DetachedConnection&& connection) override { tcp_.adopt(std::move(connection)); }
    base::Bytes* output(hub::ConnectionId to) override { return tcp_.output(to.value()); }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override { return tcp_.queued_bytes(of.value()); }
    void close(hub::ConnectionId connection) override { tcp_.close(connection.value()); }
    void submit(Delivery&& delivery) override;
    void publish_gauges();

    Options options_;
    const env::Clock& clock_;
    posix::EventLoop loop_;
    posix::TcpConnections tcp_;
    Reception reception_;
    StoreThread* store_ = nullptr;
    std::vector<std::unique_ptr<posix::TcpListener>> listeners_;
    std::deque<Delivery> outbox_;  // what the store's mailbox had no room for
    std::uint64_t durable_seen_ = 0;
    bool paused_ = false;
    bool said_goodbye_ = false;
    std::atomic<bool> stopping_{false};
    std::optional<base::Monotonic> stop_by_;
    FrontGauges gauges_;
    std::thread thread_;
};

}  // namespace sluice::cloud
