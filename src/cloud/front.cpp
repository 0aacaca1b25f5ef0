#include "cloud/front.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "codec/wire/topics.hpp"
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
        front_.adopting_ = this;
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
    admission.tell(*this);
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
    tls_replaced_.store(true, std::memory_order_release);
    loop_.wake();
}

/// Everything else that changed holds for new connections only.
void Front::end_revoked() {
    std::vector<posix::TcpId> revoked;
    for (const auto& [id, acceptor] : secure_) {
        if (acceptor->layers.tls()->revokes(tcp_.certificates(id))) revoked.push_back(id);
    }
    for (const posix::TcpId id : revoked) {
        spdlog::warn("{}: the certificate of {} is revoked: the connection ends", tcp_.peer(id).text(), tcp_.certificate_name(id));
        tcp_.close(id);
    }
}

/// What a client calls itself is anybody's word: only letters that do no harm in a log.
void Front::log_refusal(posix::TcpId who, std::string_view client, std::string_view why) {
    const posix::PeerAddress from = tcp_.peer(who);
    const auto line = refusals_.refused(from, loop_.now());
    if (!line) return;
    std::string name(client.substr(0, wire::kClientPrefix.size() + wire::kGatewayIdBytesMax));
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    std::string more;
    if (line->unsaid != 0) more += fmt::format("; {} more from this address since it was last told", line->unsaid);
    if (line->elsewhere != 0) more += fmt::format("; {} from others that were not told", line->elsewhere);
    spdlog::warn("{} {}is refused: {}{}", from.text(), name.empty() ? name : fmt::format("({}) ", name), why, more);
}

void Front::on_refused(hub::ConnectionId who, std::string_view client, std::string_view why) { log_refusal(who.value(), client, why); }

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
    const bool encrypted = adopting_->layers.has_tls();
    if (encrypted) secure_.emplace(id, adopting_);
    reception_.on_connected(hub::ConnectionId(id), {.listener = 0, .loopback = peer.loopback(), .encrypted = encrypted}, loop_.now());
}

void Front::on_layer(posix::TcpId id, const posix::StreamLayer& /*layer*/, std::string_view failure) {
    (failure.empty() ? gauges_.tls_handshakes : gauges_.tls_failed).fetch_add(1, std::memory_order_relaxed);
    if (!failure.empty()) log_refusal(id, {}, fmt::format("TLS: {}", failure));
}

std::size_t Front::on_bytes(posix::TcpId id, base::ByteView bytes) {
    return reception_.on_bytes(hub::ConnectionId(id), bytes, loop_.now(), clock_.wall().time);
}

void Front::on_closed(posix::TcpId id, const base::Error& why) {
    (void)why;  // the hub counts connections that were lost
    secure_.erase(id);
    reception_.on_closed(hub::ConnectionId(id), loop_.now(), clock_.wall().time);
}

void Front::submit(Delivery&& delivery) {
    // A push that finds no room leaves it as it was.
    if (outbox_.empty() && store_->push(std::move(delivery))) return;
    outbox_.push_back(std::move(delivery));  // NOLINT(bugprone-use-after-move)
}

void Front::on_turn(base::Monotonic now) {
    if (tls_replaced_.exchange(false, std::memory_order_acquire)) end_revoked();
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
    if (store_->durable() != durable_seen_ || tls_replaced_.load(std::memory_order_relaxed)) return loop_.now();
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
