#include "cloud/front.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "gateway/connection_layers.hpp"

namespace sluice::cloud {

namespace {

/// How long a farewell may take to leave.
constexpr std::chrono::seconds kGoodbyeMax{2};
/// The store's mailbox is full: look again soon.
constexpr std::chrono::milliseconds kOutboxRetry{1};

}  // namespace

/// One listener: its connections get their layers and go to the front's loop.
class Front::Acceptor final : public posix::TcpListener::Sink {
public:
    Acceptor(Front& front, const config::MqttListener& where, std::shared_ptr<const posix::TlsContext> tls)
        : layers(where, std::move(tls)), front_(front) {}
    void on_accept(posix::DetachedConnection&& connection) override {
        if (!layers.equip(connection)) {
            ::close(connection.fd);
            return;
        }
        front_.adopting_tls_ = layers.has_tls();
        front_.tcp_.adopt(std::move(connection));
    }
    gateway::ConnectionLayers layers;
    std::unique_ptr<posix::TcpListener> listener;

private:
    Front& front_;
};

Front::Front(const Options& options, const env::Clock& clock, Admission& admission, Gateways& gateways)
    : options_(options),
      clock_(clock),
      loop_(clock, std::chrono::microseconds(0)),
      tcp_(loop_, *this),
      reception_(options.hub, admission, gateways, *this) {
    loop_.add_task(*this);
    loop_.add_task(tcp_);
}

Front::~Front() { stop(); }

base::Result<std::uint16_t> Front::listen(const config::MqttListener& where, std::shared_ptr<const posix::TlsContext> tls) {
    auto acceptor = std::make_unique<Acceptor>(*this, where, std::move(tls));
    auto listener = posix::TcpListener::open(loop_, *acceptor, where.host, where.port);
    if (!listener) return listener.error();
    acceptor->listener = std::move(*listener);
    acceptors_.push_back(std::move(acceptor));
    return acceptors_.back()->listener->port();
}

void Front::replace_tls(std::size_t listener, std::shared_ptr<const posix::TlsContext> tls) {
    acceptors_[listener]->layers.replace(std::move(tls));
}

void Front::start(StoreThread& store) {
    store_ = &store;
    thread_ = std::thread([this] { loop_.run(); });
}

void Front::stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true);
    loop_.wake();
    thread_.join();
}

void Front::on_open(posix::TcpId id, const posix::PeerAddress& peer) {
    reception_.on_connected(hub::ConnectionId(id), {.listener = 0, .loopback = peer.loopback(), .encrypted = adopting_tls_}, loop_.now());
}

void Front::on_layer(posix::TcpId id, const posix::StreamLayer& /*layer*/, std::string_view failure) {
    (failure.empty() ? gauges_.tls_handshakes : gauges_.tls_failed).fetch_add(1, std::memory_order_relaxed);
    if (!failure.empty()) spdlog::debug("{} closed: TLS: {}", tcp_.peer(id).text(), failure);
}

std::size_t Front::on_bytes(posix::TcpId id, base::ByteView bytes) {
    return reception_.on_bytes(hub::ConnectionId(id), bytes, loop_.now(), clock_.wall().time);
}

void Front::on_closed(posix::TcpId id, const base::Error& why) {
    (void)why;  // the hub counts connections that were lost
    reception_.on_closed(hub::ConnectionId(id), loop_.now(), clock_.wall().time);
}

void Front::submit(Delivery&& delivery) {
    if (outbox_.empty() && store_->push(std::move(delivery))) return;
    outbox_.push_back(std::move(delivery));
}

void Front::on_turn(base::Monotonic now) {
    if (const auto durable = store_->durable(); durable != durable_seen_) {
        durable_seen_ = durable;
        reception_.on_durable(durable);
    }
    while (!outbox_.empty() && store_->push(std::move(outbox_.front()))) outbox_.pop_front();
    if (const auto at = reception_.next_deadline(); at && now >= *at) reception_.on_tick(now, clock_.wall().time);
    reception_.end_of_turn(now);

    const bool full = !outbox_.empty() || store_->queued_bytes() > options_.store_queue_bytes_max || !reception_.wants_input();
    if (full != paused_) {
        paused_ = full;
        tcp_.pause_reading(full);
    }
    publish_gauges();
    if (!stopping_.load()) return;
    if (!said_goodbye_) {
        said_goodbye_ = true;
        stop_by_ = now + kGoodbyeMax;
        for (const auto& each : acceptors_) each->listener.reset();
        reception_.shut_down(now);
    }
    if (tcp_.count() == 0 || now >= *stop_by_) loop_.stop();
}

std::optional<base::Monotonic> Front::next_deadline() const {
    if (store_->durable() != durable_seen_) return loop_.now();
    if (stopping_.load() && (!said_goodbye_ || tcp_.count() == 0)) return loop_.now();  // the last one went at the end of this turn
    auto next = reception_.next_deadline();
    const auto sooner = [&next](base::Monotonic at) { next = next ? std::min(*next, at) : at; };
    if (!outbox_.empty()) sooner(loop_.now() + kOutboxRetry);
    if (stop_by_) sooner(*stop_by_);
    return next;
}

void Front::publish_gauges() {
    const auto& counters = reception_.hub_counters();
    for (std::size_t i = 0; i < gauges_.hub.size(); ++i)
        gauges_.hub[i].store(counters.*hub::kCounterTable[i].value, std::memory_order_relaxed);
    const auto& counts = reception_.counts();
    gauges_.batches.store(counts.batches, std::memory_order_relaxed);
    gauges_.batch_bytes.store(counts.batch_bytes, std::memory_order_relaxed);
    gauges_.refused.store(counts.refused, std::memory_order_relaxed);
    gauges_.statuses.store(counts.statuses, std::memory_order_relaxed);
    gauges_.invalid_statuses.store(counts.invalid_statuses, std::memory_order_relaxed);
}

}  // namespace sluice::cloud
