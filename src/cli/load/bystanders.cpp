#include "cli/load/bystanders.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include <fmt/format.h>

#include "cli/load/alert_book.hpp"
#include "cli/load/fleet.hpp"
#include "cli/load/resources.hpp"
#include "cli/load/subscriber.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::load {
namespace {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kAnswerMax{60};  // for each step that waits for the other side
constexpr milliseconds kDoublesWait{300};       // after the last message, for one that comes twice
constexpr std::uint8_t kAtLeastOnce = 1;

class Run {
public:
    explicit Run(const BystanderOptions& options)
        : options_(options),
          loop_(clock_, std::chrono::microseconds(0)),
          signals_(loop_),
          fleet_(loop_,
                 {.to = {.target = options.target}, .plant = {.seed = options.seed, .sensors = options.sensors}, .qos = kAtLeastOnce}) {
        for (std::uint32_t i = 0; i < options.watchers; ++i) {
            heard_.emplace_back(options.sensors, 0);
            watchers_.emplace_back(loop_,
                                   SubscriberOptions{.at = {.target = options.target},
                                                     .client_id = fmt::format("bystander-{}", i),
                                                     .filter = "sensors/+/vibration",
                                                     .qos = kAtLeastOnce},
                                   [this, i](std::string_view, std::string_view payload, Monotonic now) { on_reading(i, payload, now); });
        }
        result_.phases.resize(options.phases.size());
    }

    base::Result<Bystanders> run() {
        for (Subscriber& each : watchers_) each.connect();
        if (!wait([this] { return std::all_of(watchers_.begin(), watchers_.end(), [](const auto& each) { return each.ready(); }); }))
            return failure();
        fleet_.connect();
        if (!wait([this] { return fleet_.ready(); })) return failure();
        publish();
        if (!wait([this] { return fleet_.finished() && heard_all(); })) {
            if (failed()) return failure();
            // What is missing is part of the answer.
        }
        turns_until(clock_.now() + kDoublesWait);
        count_missing();
        result_.reconnects = fleet_.counters().reconnects;
        result_.send_delay = fleet_.send_delay();
        fleet_.disconnect();
        for (Subscriber& each : watchers_) each.disconnect();
        turns_until(clock_.now() + milliseconds(1));
        return std::move(result_);
    }

private:
    void publish() {
        const double seconds = std::accumulate(options_.phases.begin(), options_.phases.end(), 0.0);
        const auto readings = static_cast<std::uint32_t>(std::lround(std::max(1.0, options_.rate * seconds / options_.sensors)));
        fleet_.start({.rate = options_.rate, .readings = readings}, clock_.wall().time);
        Monotonic at = fleet_.intended(0, 1).value_or(clock_.now());
        for (const double each : options_.phases) ends_.push_back(at += nanoseconds(static_cast<std::int64_t>(each * 1e9)));
        auto cpu = watched().cpu;
        options_.on_begin();
        for (std::size_t i = 0; i < ends_.size(); ++i) {
            fleet_.clear_measurements_of_acks();
            turns_until(ends_[i]);
            const ProcessUse use = watched();
            result_.phases[i].ack = fleet_.ack_latency();
            result_.phases[i].memory = use.memory;
            result_.phases[i].cpu = use.cpu - cpu;
            result_.memory_peak = use.memory_peak;
            cpu = use.cpu;
        }
    }

    [[nodiscard]] BystanderPhase& phase_of(Monotonic due) {
        const auto at = std::upper_bound(ends_.begin(), ends_.end(), due);
        return result_.phases[std::min<std::size_t>(static_cast<std::size_t>(at - ends_.begin()), ends_.size() - 1)];
    }

    /// Readings of one sensor come in order, or something is wrong.
    void on_reading(std::uint32_t watcher, std::string_view payload, Monotonic now) {
        const auto key = read_alert(payload);
        if (!key || key->sensor >= options_.sensors) return;
        const auto due = fleet_.intended(key->sensor, key->sequence);
        if (!due) return;
        BystanderPhase& phase = phase_of(*due);
        std::uint64_t& last = heard_[watcher][key->sensor];
        if (key->sequence <= last) {
            ++phase.repeated;
            return;
        }
        for (std::uint64_t lost = last + 1; lost < key->sequence; ++lost) miss(key->sensor, lost);
        last = key->sequence;
        ++phase.expected;
        phase.delivery.record(now - *due);
    }

    void miss(std::uint32_t sensor, std::uint64_t sequence) {
        BystanderPhase& phase = phase_of(fleet_.intended(sensor, sequence).value_or(Monotonic{}));
        ++phase.expected;
        ++phase.missing;
    }

    [[nodiscard]] bool heard_all() const {
        const auto published = fleet_.published();
        return std::all_of(heard_.begin(), heard_.end(),
                           [&](const auto& heard) { return std::equal(heard.begin(), heard.end(), published.begin()); });
    }

    /// What came never, not even something behind it.
    void count_missing() {
        const auto published = fleet_.published();
        for (const auto& heard : heard_)
            for (std::uint32_t sensor = 0; sensor < options_.sensors; ++sensor)
                for (std::uint64_t lost = heard[sensor] + 1; lost <= published[sensor]; ++lost) miss(sensor, lost);
    }

    [[nodiscard]] ProcessUse watched() const {
        if (options_.watch == 0) return {};
        const auto use = process_use(options_.watch);
        return use ? use.value() : ProcessUse{};
    }

    [[nodiscard]] bool failed() const {
        return fleet_.failure() || signals_.requested() ||
               std::any_of(watchers_.begin(), watchers_.end(), [](const Subscriber& each) { return each.failure().has_value(); });
    }

    void turns_until(Monotonic until) {
        while (clock_.now() < until && !failed()) loop_.run_once(until);
    }

    template <class Condition>
    bool wait(Condition holds) {
        const auto give_up = clock_.now() + kAnswerMax;
        while (!holds()) {
            if (failed() || clock_.now() > give_up) return false;
            loop_.run_once(loop_.now() + milliseconds(50));
        }
        return true;
    }

    [[nodiscard]] base::Error failure() const {
        if (signals_.requested()) return base::Error{base::Errc::unavailable};
        if (fleet_.failure()) return *fleet_.failure();
        for (const Subscriber& each : watchers_)
            if (each.failure()) return *each.failure();
        return base::Error{base::Errc::timeout};
    }

    BystanderOptions options_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    Fleet fleet_;
    std::deque<Subscriber> watchers_;                // they do not move
    std::vector<std::vector<std::uint64_t>> heard_;  // by watcher and sensor: the last sequence number
    std::vector<Monotonic> ends_;
    Bystanders result_;
};

std::string histogram_json(const Histogram& histogram) {
    const auto ms = [](nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
    return fmt::format(R"({{"count":{},"p50":{:.3f},"p99":{:.3f},"p99_9":{:.3f},"max":{:.3f}}})", histogram.count(),
                       ms(histogram.quantile(0.5)), ms(histogram.quantile(0.99)), ms(histogram.quantile(0.999)), ms(histogram.max()));
}

}  // namespace

base::Result<Bystanders> watch_bystanders(const BystanderOptions& options) {
    if (const auto allowed = allow_connections(options.sensors + options.watchers); !allowed) return allowed.error();
    return Run(options).run();
}

std::string to_json(const Bystanders& result) {
    std::string out = fmt::format(R"({{"memory_peak_bytes":{},"reconnects":{},"send_delay_ms":{},"phases":[)", result.memory_peak,
                                  result.reconnects, histogram_json(result.send_delay));
    for (const BystanderPhase& phase : result.phases) {
        out += fmt::format(
            R"({}{{"expected":{},"missing":{},"repeated":{},"memory_bytes":{},"cpu_seconds":{:.3f},"delivery_ms":{},"ack_ms":{}}})",
            &phase == result.phases.data() ? "" : ",", phase.expected, phase.missing, phase.repeated, phase.memory,
            static_cast<double>(phase.cpu.count()) / 1e9, histogram_json(phase.delivery), histogram_json(phase.ack));
    }
    return out + "]}";
}

}  // namespace sluice::load
