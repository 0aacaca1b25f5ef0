#include "gateway/bridge_thread.hpp"

#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "codec/mqtt/packet.hpp"
#include "env/posix/signals_blocked.hpp"
#include "env/posix/socket_pair.hpp"

namespace sluice::gateway {
namespace {

/// Waiting for one side's socket: from here the other side is not read, so that it feels it.
constexpr std::size_t kOutputBytesMax = 1024 * 1024;
constexpr std::chrono::seconds kReportEvery{60};  // while nothing but the same failure happens
constexpr std::chrono::milliseconds kGoodbyeMax{1000};
/// A message is handed on as it comes: no naps.
constexpr std::chrono::microseconds kNap{0};

}  // namespace

BridgeThread::BridgeThread(Options options, const env::Clock& clock, env::Entropy& entropy, BridgeBoard& board,
                           std::shared_ptr<BridgeGauges> gauges)
    : options_(std::move(options)),
      board_(board),
      gauges_(std::move(gauges)),
      loop_(clock, kNap),
      resolver_(loop_),
      local_(*this, End::local),
      remote_(*this, End::remote),
      bridge_(options_.bridge, *this, entropy) {
    loop_.add_task(*this);
    loop_.add_task(local_.tcp);
    loop_.add_task(remote_.tcp);
    const posix::SignalsBlocked for_new_threads;
    thread_ = std::thread([this] { run(); });
}

BridgeThread::~BridgeThread() {
    stopping_.store(true, std::memory_order_seq_cst);
    loop_.wake();
    thread_.join();
    posix::discard(std::move(into_hub_));
}

void BridgeThread::run() {
    bridge_.start(loop_.clock().now());
    loop_.run();
}

// ---- the turn

void BridgeThread::on_turn(base::Monotonic now) {
    if (into_hub_.fd >= 0) local_.tcp.adopt(std::exchange(into_hub_, {}));
    finish_lookup();
    end_turn_of_address(now);
    for (const End end : {End::local, End::remote}) {
        if (!std::exchange(side(end).failed, false)) continue;
        bridge_.on_closed(end, now);
    }
    if (const auto due = bridge_.next_deadline(); due && *due <= now) bridge_.on_tick(now);
    for (const End end : {End::local, End::remote}) move_on(end, now);
    publish();
    report(now);
    if (!stopping_.load(std::memory_order_acquire)) return;
    if (!std::exchange(saying_goodbye_, true)) {
        give_up_at_ = now + kGoodbyeMax;
        bridge_.stop();
        publish();
    }
    if (local_.tcp.count() + remote_.tcp.count() == 0 || now >= give_up_at_) loop_.stop();
}

/// Reads from an end, or does not, as the other one takes what comes; what waits for the bridge is shown to it again when it can take it.
void BridgeThread::move_on(End end, base::Monotonic now) {
    Side& from = side(end);
    const Side& to = side(end == End::local ? End::remote : End::local);
    if (from.left && !bridge_.holds(end)) {
        from.left = false;
        if (from.id != 0) from.tcp.present_again(from.id);
    }
    const bool full = to.id != 0 && to.tcp.queued_bytes(to.id) > kOutputBytesMax;
    const bool pause = full || bridge_.holds(end);
    from.tcp.pause_reading(pause);
    if (pause) bridge_.on_held(end, now);
}

std::optional<base::Monotonic> BridgeThread::next_deadline() const {
    const bool taken_again = (local_.left && !bridge_.holds(End::local)) || (remote_.left && !bridge_.holds(End::remote));
    if (into_hub_.fd >= 0 || resolver_.ready() || local_.failed || remote_.failed || taken_again ||
        (stopping_.load(std::memory_order_seq_cst) && !saying_goodbye_))
        return loop_.now();
    if (saying_goodbye_) return local_.tcp.count() + remote_.tcp.count() == 0 ? loop_.now() : give_up_at_;
    const auto due = bridge_.next_deadline();
    const auto turn = addresses_.due();
    return turn && (!due || *turn < *due) ? turn : due;
}

// ---- connections

void BridgeThread::open(End end) {
    if (end == End::remote) {
        remote_.id = 0;
        attempt_until_ = loop_.now() + options_.bridge.answer_timeout;
        failure_.clear();
        return resolver_.start(options_.host);
    }
    auto pair = posix::make_socket_pair();
    if (!pair) {
        local_.failed = true;
        return;
    }
    board_.knock(std::move(pair->first));
    posix::discard(std::exchange(into_hub_, std::move(pair->second)));
}

void BridgeThread::finish_lookup() {
    auto found = resolver_.take();
    if (!found) return;
    if (found->has_value())
        addresses_.begin(std::move(**found), attempt_until_);
    else
        failure_ = "the name cannot be looked up";
    if (!connect_next()) remote_.failed = true;
}

bool BridgeThread::connect_next() {
    while (const auto address = addresses_.next(loop_.now())) {
        std::unique_ptr<posix::LayerStack> layers;
        if (options_.tls != nullptr) {
            auto layer = options_.tls->connect();
            if (layer == nullptr) return false;
            layers = std::make_unique<posix::LayerStack>(std::move(layer));
        }
        if (const auto id = remote_.tcp.connect(*address, options_.port, std::move(layers))) {
            remote_.id = *id;
            return true;
        }
    }
    return false;
}

/// An address that does not answer has had its time: the next one.
void BridgeThread::end_turn_of_address(base::Monotonic now) {
    if (const auto due = addresses_.due(); !due || now < *due) return;
    if (const auto id = std::exchange(remote_.id, 0); id != 0) remote_.tcp.abort(id);
    if (!connect_next()) remote_.failed = true;
}

base::Bytes* BridgeThread::output(End end) { return side(end).tcp.output(side(end).id); }

void BridgeThread::close(End end, bool flush) {
    Side& which = side(end);
    which.left = which.failed = false;
    if (end == End::remote) {
        resolver_.cancel();
        addresses_.end();
    } else {
        posix::discard(std::exchange(into_hub_, {}));
    }
    const auto id = std::exchange(which.id, 0);
    if (id == 0) return;
    flush ? which.tcp.close(id) : which.tcp.abort(id);
}

void BridgeThread::Side::on_open(posix::TcpId opened, const posix::PeerAddress&) {
    if (end_ == End::local) id = opened;
    if (opened != id) return;
    if (end_ == End::remote) owner_.addresses_.end();
    owner_.bridge_.on_open(end_, owner_.loop_.now());
}

std::size_t BridgeThread::Side::on_bytes(posix::TcpId from, base::ByteView bytes) {
    if (from != id) return bytes.size();
    const std::size_t used = owner_.bridge_.on_bytes(end_, bytes, owner_.loop_.now());
    left = used < bytes.size() && owner_.bridge_.holds(end_);
    return used;
}

void BridgeThread::Side::on_layer(posix::TcpId from, const posix::StreamLayer&, std::string_view failure) {
    if (from == id && !failure.empty()) owner_.failure_ = "TLS: " + std::string(failure);
}

void BridgeThread::Side::on_closed(posix::TcpId closed, const base::Error& why) {
    if (closed != id) return;
    id = 0;
    if (end_ == End::remote && owner_.connect_next()) return;
    if (end_ == End::remote && owner_.failure_.empty() && why.code != base::Errc::closed) owner_.failure_ = base::describe(why);
    owner_.bridge_.on_closed(end_, owner_.loop_.now());
}

// ---- what others see

void BridgeThread::publish() {
    const bridge::Stats& stats = bridge_.stats();
    BridgeGauges& to = *gauges_;
    const auto put = [](auto& gauge, auto value) { gauge.store(value, std::memory_order_relaxed); };
    put(to.version, static_cast<std::uint8_t>(stats.version));
    put(to.bridge_bit, stats.bridge_bit);
    put(to.trouble, static_cast<std::uint8_t>(stats.trouble));
    put(to.reason, stats.reason);
    put(to.connections, stats.connections);
    put(to.failures, stats.failures);
    put(to.filters_refused, std::uint64_t{stats.filters_refused});
    put(to.messages_in, stats.messages_in);
    put(to.messages_out, stats.messages_out);
    put(to.echoes, stats.echoes);
    for (std::size_t i = 0; i < stats.dropped_in.size(); ++i) {
        put(to.dropped_in[i], stats.dropped_in[i]);
        put(to.dropped_out[i], stats.dropped_out[i]);
    }
    if (to.connected.load(std::memory_order_relaxed) != stats.connected) {
        put(to.connected, stats.connected);
        board_.changed();
    }
    if (bridge_.finished()) finished_.store(true, std::memory_order_release);
}

/// Says in the log what became of the bridge: each change at once, the same failure once a minute.
void BridgeThread::report(base::Monotonic now) {
    const bridge::Stats& stats = bridge_.stats();
    const auto& name = options_.bridge.name;
    if (stats.filters_refused > refused_seen_)
        spdlog::warn("bridge {}: {} of its subscriptions were refused, here or there; see the access list of the broker", name,
                     stats.filters_refused);
    refused_seen_ = stats.filters_refused;
    if (options_.bridge.retired || saying_goodbye_) return;
    if (stats.connected && !was_up_) {
        const bool fell_back = options_.bridge.version == bridge::Protocol::automatic && stats.fallback != bridge::Fallback::none;
        spdlog::info("bridge {}: connected to {}:{} with MQTT {}{}{}", name, options_.host, options_.port,
                     stats.version == mqtt::Version::v5 ? "5.0" : "3.1.1", stats.bridge_bit ? " as a bridge" : "",
                     !fell_back                                    ? ""
                     : stats.fallback == bridge::Fallback::refused ? ", as it refuses 5.0"
                                                                   : ", as it hangs up on 5.0");
    }
    const bool lost = was_up_ && !stats.connected;
    was_up_ = stats.connected;
    if (stats.failures == failures_seen_) return;
    const bool news =
        lost || failures_seen_ == 0 || stats.trouble != trouble_seen_ || stats.reason != reason_seen_ || now - reported_at_ >= kReportEvery;
    failures_seen_ = stats.failures;
    if (!news) return;
    trouble_seen_ = stats.trouble;
    reason_seen_ = stats.reason;
    reported_at_ = now;
    const std::string who = stats.trouble == bridge::Trouble::hub ? "" : fmt::format("{}:{} ", options_.host, options_.port);
    const auto reason = stats.reason == 0 ? "" : fmt::format(": {}", mqtt::name(static_cast<mqtt::ReasonCode>(stats.reason)));
    spdlog::warn("bridge {}: {}{}{}{}; messages wait, trying again", name, who,
                 bridge::kTroubleNames[static_cast<std::size_t>(stats.trouble)], reason, failure_.empty() ? "" : " (" + failure_ + ")");
}

}  // namespace sluice::gateway
