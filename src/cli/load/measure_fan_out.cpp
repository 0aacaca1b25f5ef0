#include "cli/load/measure_fan_out.hpp"

#include <fmt/format.h>

#include "cli/load/fan_out.hpp"
#include "cli/load/fleet.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kAnswerMax{60};  // for each step that waits for the other side

nanoseconds from_seconds(double value) { return nanoseconds(static_cast<std::int64_t>(value * 1e9)); }

class Run {
public:
    explicit Run(const FanOutMeasureOptions& options)
        : options_(options),
          loop_(clock_, options.rate > 0 ? kScheduleNap : std::chrono::microseconds(0)),
          signals_(loop_),
          crowd_(loop_, {.to = options.to, .subscribers = options.subscribers, .qos = options.qos, .window = options.window}) {}

    base::Result<FanOutMeasurement> run() {
        crowd_.connect();
        if (!wait([this] { return crowd_.ready(); })) return failure();
        if (!publish_for(options_.warmup_seconds)) return failure();
        crowd_.clear_measurements();
        const FanOutCounters before = crowd_.counters();
        const auto cpu_before = process_use(options_.watch).cpu;
        const auto began = clock_.now();
        if (!publish_for(options_.seconds)) return failure();
        FanOutMeasurement result;
        result.elapsed = clock_.now() - began;
        result.process = process_use(options_.watch);
        result.cpu = result.process.cpu - cpu_before;
        result.published = crowd_.counters().published - before.published;
        result.delivered = crowd_.counters().delivered - before.delivered;
        result.latency = crowd_.latency();
        crowd_.disconnect();
        loop_.run_once(clock_.now() + milliseconds(1));
        return result;
    }

private:
    bool publish_for(double duration) {
        crowd_.start(options_.rate);
        const auto until = clock_.now() + from_seconds(duration);
        while (clock_.now() < until && !crowd_.failure() && !signals_.requested()) loop_.run_once(until);
        crowd_.stop();
        return wait([this] { return crowd_.finished(); });
    }

    template <class Condition>
    bool wait(Condition holds) {
        const auto give_up = clock_.now() + kAnswerMax;
        while (!holds()) {
            if (crowd_.failure() || signals_.requested() || clock_.now() > give_up) return false;
            loop_.run_once(loop_.now() + milliseconds(50));
        }
        return !crowd_.failure();
    }

    [[nodiscard]] base::Error failure() const {
        if (signals_.requested()) return base::Error{base::Errc::unavailable};
        if (crowd_.failure()) return *crowd_.failure();
        return base::Error{base::Errc::timeout};
    }

    FanOutMeasureOptions options_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    FanOut crowd_;
};

}  // namespace

base::Result<FanOutMeasurement> measure_fan_out(const FanOutMeasureOptions& options) {
    if (const auto allowed = allow_connections(options.subscribers + 1); !allowed) return allowed.error();
    return Run(options).run();
}

std::string to_json(const FanOutMeasureOptions& options, const FanOutMeasurement& result) {
    const double elapsed = static_cast<double>(result.elapsed.count()) / 1e9;
    const double cpu = static_cast<double>(result.cpu.count()) / 1e9;
    const auto delivered = static_cast<double>(result.delivered);
    return fmt::format(
        R"({{"subscribers":{},"qos":{},"rate":{},"published":{},"delivered":{},"seconds":{:.3f},"delivered_per_second":{:.0f},)"
        R"("cpu_us_per_delivery":{:.3f},"memory_peak_bytes":{},"memory_bytes":{},"latency_ms":{}}})",
        options.subscribers, options.qos, options.rate, result.published, result.delivered, elapsed, delivered / elapsed,
        result.delivered == 0 ? 0 : cpu * 1e6 / delivered, result.process.memory_peak, result.process.memory,
        load::to_json(result.latency));
}

}  // namespace sluice::load
