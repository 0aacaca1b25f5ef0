// The thread that speaks with gateways: sockets around the reception.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cloud/reception.hpp"
#include "cloud/refusal_log.hpp"
#include "cloud/store_thread.hpp"
#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls.hpp"
#include "manage/config/listen.hpp"

namespace sluice::cloud {

/// Copies of the front's counters for the API: one writer, relaxed.
struct FrontGauges {
    std::array<std::atomic<std::uint64_t>, hub::kCounterTable.size()> hub{};
    std::atomic<std::uint64_t> batches{0}, batch_bytes{0}, refused{0}, statuses{0}, invalid_statuses{0};
    std::atomic<std::uint64_t> tls_handshakes{0}, tls_failed{0};
};

class Front final : private posix::TurnTask, private posix::TcpHandler, private ReceptionPort, private RefusalListener {
public:
    struct Options {
        hub::Limits hub;
        std::size_t store_queue_bytes_max = 64 * 1024 * 1024;  ///< waiting for the store; then sockets are not read
    };
    Front(const Options& options, const env::Clock& clock, Admission& admission, Gateways& gateways);
    ~Front() override;
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    /// Before start(). `tls`: nullptr for a plain one. Errors: in_use, permission, not_found (address), io. Returns the port.
    base::Result<std::uint16_t> listen(const config::MqttListener& where, std::shared_ptr<const posix::TlsContext> tls = nullptr);
    /// Any thread, while it runs: new connections of this listener (in the order of listen()) get these certificates; those that stand end
    /// if their own is on the new revocation list.
    void replace_tls(std::size_t listener, std::shared_ptr<const posix::TlsContext> tls);
    void start(StoreThread& store);
    /// Tells the gateways, closes, ends the thread.
    void stop();
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] const FrontGauges& gauges() const { return gauges_; }

private:
    class Acceptor;
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    base::Bytes* output(hub::ConnectionId to) override { return tcp_.output(to.value()); }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override { return tcp_.queued_bytes(of.value()); }
    void close(hub::ConnectionId connection) override { tcp_.close(connection.value()); }
    [[nodiscard]] std::string_view certificate_name(hub::ConnectionId of) const override { return tcp_.certificate_name(of.value()); }
    void submit(Delivery&& delivery) override;
    void on_refused(hub::ConnectionId who, std::string_view client, std::string_view why) override;
    void log_refusal(posix::TcpId who, std::string_view client, std::string_view why);
    void end_revoked();
    void publish_gauges();

    Options options_;
    const env::Clock& clock_;
    posix::EventLoop loop_;
    posix::TcpConnections tcp_;
    Reception reception_;
    StoreThread* store_ = nullptr;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    const Acceptor* adopting_ = nullptr;              // whose connection is being taken
    std::map<posix::TcpId, const Acceptor*> secure_;  // connections with TLS
    std::atomic<bool> tls_replaced_{false};
    RefusalLog refusals_;
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
