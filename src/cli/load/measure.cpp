#include "cli/load/measure.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "cli/load/fleet.hpp"
#include "cli/load/subscriber.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::load {
namespace {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kAnswerMax{60};          // for each step that waits for the other side
constexpr seconds kAlertsMax{10};          // for the last alert after the last reading
constexpr milliseconds kDoublesWait{300};  // then for one that comes twice

nanoseconds from_seconds(double value) { return nanoseconds(static_cast<std::int64_t>(value * 1e9)); }

class Run {
public:
    explicit Run(const MeasureOptions& options)
        : options_(options),
          loop_(clock_, options.rate > 0 ? kScheduleNap : std::chrono::microseconds(0)),
          signals_(loop_),
          fleet_(loop_, {.to = options.to,
                         .plant = {.seed = options.seed, .sensors = options.connections, .spike_probability = options.spikes},
                         .qos = options.qos,
                         .window = options.window,
                         .batch = options.batch}),
          subscriber_(loop_, {.at = options.to, .client_id = "alert-watch", .filter = "alerts/#"},
                      [this](std::string_view, std::string_view payload, Monotonic now) { on_alert(payload, now); }) {}

    base::Result<Measurement> run() {
        say("connecting");
        if (options_.check_alerts) {
            subscriber_.connect();
            if (!wait([this] { return subscriber_.ready(); })) return failure();
        }
        fleet_.connect();
        if (!wait([this] { return fleet_.ready(); })) return failure();
        const base::Status done = options_.rate > 0 ? at_a_rate() : at_full_speed();
        if (!done) return done.error();
        result_.reconnects = fleet_.counters().reconnects;
        result_.tls_resumed = fleet_.counters().tls_resumed;
        result_.ack = fleet_.ack_latency();
        result_.send_delay = fleet_.send_delay();
        if (options_.check_alerts) {
            if (subscriber_.failure()) return *subscriber_.failure();
            subscriber_.disconnect();
        }
        fleet_.disconnect();
        turns_until(clock_.now() + milliseconds(1));
        return std::move(result_);
    }

private:
    base::Status at_full_speed() {
        say("warming up");
        fleet_.start({}, clock_.wall().time);
        turns_until(clock_.now() + from_seconds(options_.warmup_seconds));
        if (const auto settled = settle(); !settled) return settled;
        say("measuring");
        begin();
        fleet_.start({}, clock_.wall().time);
        turns_until(clock_.now() + from_seconds(options_.seconds));
        if (const auto settled = settle(); !settled) return settled;
        end();
        return {};
    }

    base::Status at_a_rate() {
        if (options_.warmup_readings != 0) {
            say("warming up");
            fleet_.start({.rate = std::max(options_.rate, options_.warmup_rate), .readings = options_.warmup_readings}, clock_.wall().time);
            if (!wait([this] { return fleet_.finished(); }, whole_warmup())) return failure();
            if (const auto settled = settle(); !settled) return settled;
        }
        say("measuring");
        begin();
        const auto readings =
            static_cast<std::uint32_t>(std::lround(std::max(1.0, options_.rate * options_.seconds / options_.connections)));
        fleet_.start({.rate = options_.rate, .readings = readings}, clock_.wall().time);
        const double planned = static_cast<double>(readings) * options_.connections / options_.rate;
        if (!wait([this] { return fleet_.finished(); }, from_seconds(planned) + kAnswerMax)) return failure();
        if (const auto settled = settle(); !settled) return settled;
        end();
        if (options_.check_alerts) check_alerts();
        return {};
    }

    [[nodiscard]] nanoseconds whole_warmup() const {
        return from_seconds(static_cast<double>(options_.warmup_readings) * options_.connections / options_.rate) + kAnswerMax;
    }

    void check_alerts() {
        say("checking alerts");
        const auto expected = plant::expected_alerts(fleet_.options().plant, fleet_.published());
        const auto give_up = clock_.now() + kAlertsMax;
        while (book_.count() < expected.alerts.size() - expected.ties && clock_.now() < give_up)
            loop_.run_once(loop_.now() + milliseconds(50));
        turns_until(clock_.now() + kDoublesWait);
        result_.alerts = book_.compare(expected);
    }

    void on_alert(std::string_view payload, Monotonic now) {
        if (!book_.note(payload)) return;
        const auto key = read_alert(payload);
        if (key->sensor >= options_.connections) return;
        if (const auto due = fleet_.intended(key->sensor, key->sequence)) result_.alert.record(now - *due);
    }

    /// Ends the schedule and waits until the other side has read (and acknowledged) everything.
    base::Status settle() {
        fleet_.stop();
        if (!wait([this] { return fleet_.finished(); })) return failure();
        fleet_.barrier();
        if (!wait([this] { return fleet_.barrier_passed(); })) return failure();
        return {};
    }

    void begin() {
        fleet_.clear_measurements();
        sent_before_ = fleet_.counters().sent;
        cpu_before_ = watched().cpu;
        began_ = clock_.now();
    }

    void end() {
        result_.elapsed = clock_.now() - began_;
        result_.process = watched();
        result_.cpu = result_.process.cpu - cpu_before_;
        result_.messages = fleet_.counters().sent - sent_before_;
    }

    [[nodiscard]] ProcessUse watched() const { return process_use(options_.watch); }

    void turns_until(Monotonic until) {
        while (clock_.now() < until && !fleet_.failure() && !signals_.requested()) loop_.run_once(until);
    }

    template <class Condition>
    bool wait(Condition holds, nanoseconds at_most = kAnswerMax) {
        const auto give_up = clock_.now() + at_most;
        while (!holds()) {
            if (fleet_.failure() || subscriber_.failure() || signals_.requested() || clock_.now() > give_up) return false;
            loop_.run_once(loop_.now() + milliseconds(50));
        }
        return true;
    }

    [[nodiscard]] base::Error failure() const {
        if (signals_.requested()) return base::Error{base::Errc::unavailable};
        if (fleet_.failure()) return *fleet_.failure();
        if (subscriber_.failure()) return *subscriber_.failure();
        return base::Error{base::Errc::timeout};
    }

    void say(const char* phase) const {
        if (options_.progress) fmt::print(stderr, "load: {} ({} connections, QoS {})\n", phase, options_.connections, options_.qos);
    }

    MeasureOptions options_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    Fleet fleet_;
    Subscriber subscriber_;
    AlertBook book_;
    Measurement result_;
    std::uint64_t sent_before_ = 0;
    nanoseconds cpu_before_{};
    Monotonic began_{};
};

}  // namespace

base::Result<Measurement> measure(const MeasureOptions& options) {
    if (const auto allowed = allow_connections(options.connections + 1); !allowed) return allowed.error();
    return Run(options).run();
}

std::string to_json(const MeasureOptions& options, const Measurement& result) {
    std::string out = fmt::format(
        R"({{"connections":{},"qos":{},"rate":{},"messages":{},"seconds":{:.3f},"messages_per_second":{:.0f},"cpu_us_per_message":{:.3f},)"
        R"("memory_peak_bytes":{},"memory_bytes":{},"threads":{},"reconnects":{},"tls_resumed":{},"ack_ms":{},"send_delay_ms":{},"alert_ms":{})",
        options.connections, options.qos, options.rate, result.messages, static_cast<double>(result.elapsed.count()) / 1e9,
        result.per_second(), result.cpu_us_per_message(), result.process.memory_peak, result.process.memory, result.process.threads,
        result.reconnects, result.tls_resumed, load::to_json(result.ack), load::to_json(result.send_delay), load::to_json(result.alert));
    if (options.check_alerts) {
        const auto& alerts = result.alerts;
        out += fmt::format(
            R"(,"alerts":{{"expected":{},"exact":{},"missing":{},"repeated":{},"unexpected":{},"strange":{},"ties":{},"spikes":{},)"
            R"("spikes_exact":{},"perfect":{}}})",
            alerts.expected, alerts.exact, alerts.missing, alerts.repeated, alerts.unexpected, alerts.strange, alerts.ties, alerts.spikes,
            alerts.spikes_exact, alerts.perfect());
    }
    return out + "}";
}

}  // namespace sluice::load
