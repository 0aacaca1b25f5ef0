#include "cli/sim_command.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/address_options.hpp"
#include "cli/load/fleet.hpp"
#include "cli/load/resources.hpp"
#include "cli/plant/reference.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

constexpr double kRateMax = 2'000'000;  // readings a second of all sensors: more than a loopback interface carries
constexpr std::chrono::seconds kSettleMax{60};

struct SimOptions {
    AddressOptions to{.flag = "--to"};
    std::uint32_t sensors = 1000;
    double rate = 1;
    double seconds = 60;
    double spikes = 0;
    int qos = 1;
    std::uint64_t seed = 1;
    std::string expect;
    bool json = false;
};

double in_ms(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

/// One run of the command, from the connections to the summary.
class Simulation {
public:
    Simulation(const SimOptions& options, const load::Endpoint& to)
        : options_(options), to_(to), loop_(clock_, std::chrono::microseconds(0)), signals_(loop_), fleet_(loop_, fleet_options()) {}

    int run() {
        fleet_.connect();
        if (!wait("connecting", [this] { return fleet_.ready(); })) return failed();
        const auto start = clock_.now();
        fleet_.start({.rate = options_.rate * options_.sensors,
                      .readings = static_cast<std::uint32_t>(std::lround(options_.rate * options_.seconds))},
                     clock_.wall().time);
        if (!wait(
                "publishing", [this] { return fleet_.finished(); }, true))
            return failed();
        elapsed_ = clock_.now() - start;
        fleet_.barrier();
        const auto settle_until = clock_.now() + kSettleMax;
        if (!wait("settling", [&] { return fleet_.barrier_passed() || clock_.now() > settle_until; })) return failed();
        fleet_.disconnect();
        loop_.run_once(loop_.now());
        return report();
    }

private:
    [[nodiscard]] load::FleetOptions fleet_options() const {
        load::FleetOptions out;
        out.to = to_;
        out.plant = {.seed = options_.seed, .sensors = options_.sensors, .spike_probability = options_.spikes};
        out.qos = static_cast<std::uint8_t>(options_.qos);
        return out;
    }

    /// Turns until it holds; false when the fleet fails or the user is impatient. The first Ctrl-C ends the schedule, not the run.
    template <class Condition>
    bool wait(const char* what, Condition holds, bool stoppable = false) {
        auto next_line = clock_.now() + std::chrono::seconds(1);
        while (!holds()) {
            if (fleet_.failure() || signals_.impatient() || (signals_.requested() && !stoppable)) return false;
            if (signals_.requested()) fleet_.stop();
            loop_.run_once(loop_.now() + milliseconds(100));
            if (clock_.now() < next_line) continue;
            next_line += std::chrono::seconds(1);
            progress(what);
        }
        return true;
    }

    void progress(const char* what) const {
        const auto& counters = fleet_.counters();
        if (counters.sent == 0) {
            fmt::print(stderr, "sim: {}: {} of {} sensors\n", what, counters.connections, options_.sensors);
        } else {
            fmt::print(stderr, "sim: {}: {} sent, {} acknowledged, {} spikes, {} of {} sensors connected\n", what, counters.sent,
                       counters.acknowledged, counters.spikes, counters.connections, options_.sensors);
        }
    }

    int failed() {
        if (fleet_.failure()) {
            fmt::print(stderr, "sim: error: {}\n", load::explain_failure(*fleet_.failure(), to_.target, fleet_.layer_failure()));
        } else {
            fmt::print(stderr, "sim: stopped\n");
        }
        return kExitFailed;
    }

    [[nodiscard]] bool write_expected(const plant::Expected& expected) const {
        std::ofstream out(options_.expect, std::ios::trunc);
        for (const auto& alert : expected.alerts) {
            out << fmt::format("{{\"device\":\"{}\",\"seq\":{},\"vibration\":{},\"spike\":{}{}}}\n", plant::device_name(alert.sensor),
                               alert.sequence, alert.vibration, alert.spike, alert.tie ? ",\"tie\":true" : "");
        }
        out.flush();
        if (out) return true;
        fmt::print(stderr, "sim: error: cannot write {}\n", options_.expect);
        return false;
    }

    int report() {
        const auto& counters = fleet_.counters();
        std::size_t alerts = 0;
        bool written = true;
        if (!options_.expect.empty()) {
            const auto expected = plant::expected_alerts(fleet_.options().plant, fleet_.published());
            alerts = expected.alerts.size();
            written = write_expected(expected);
        }
        const double seconds = static_cast<double>(elapsed_.count()) / 1e9;
        const auto& ack = fleet_.ack_latency();
        const auto& delay = fleet_.send_delay();
        if (options_.json) {
            fmt::print(
                R"({{"sensors":{},"sent":{},"acknowledged":{},"spikes":{},"seconds":{:.3f},"readings_per_second":{:.1f},"reconnects":{},"tls_resumed":{},)"
                R"("resent":{},"unexpected":{},"expected_alerts":{},)"
                R"("ack_ms":{{"p50":{:.3f},"p99":{:.3f},"max":{:.3f}}},"send_delay_ms":{{"p50":{:.3f},"p99":{:.3f},"max":{:.3f}}}}})"
                "\n",
                options_.sensors, counters.sent, counters.acknowledged, counters.spikes, seconds,
                static_cast<double>(counters.sent) / seconds, counters.reconnects, counters.tls_resumed, counters.resent,
                counters.unexpected, options_.expect.empty() ? "null" : std::to_string(alerts), in_ms(ack.quantile(0.5)),
                in_ms(ack.quantile(0.99)), in_ms(ack.max()), in_ms(delay.quantile(0.5)), in_ms(delay.quantile(0.99)), in_ms(delay.max()));
        } else {
            fmt::print("{} readings of {} sensors in {:.1f} s ({:.0f}/s), {} acknowledged, {} spikes\n", counters.sent, options_.sensors,
                       seconds, static_cast<double>(counters.sent) / seconds, counters.acknowledged, counters.spikes);
            if (options_.qos == 1) {
                fmt::print("from due to acknowledged: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n", in_ms(ack.quantile(0.5)),
                           in_ms(ack.quantile(0.99)), in_ms(ack.max()));
            }
            if (!options_.expect.empty()) fmt::print("{} expected alerts in {}\n", alerts, options_.expect);
        }
        if (counters.reconnects != 0) {
            fmt::print(stderr,
                       "sim: note: {} connections were lost and made again, {} readings sent twice: the expected alerts assume each "
                       "reading once\n",
                       counters.reconnects, counters.resent);
        }
        if (!fleet_.barrier_passed()) {
            fmt::print(stderr, "sim: error: the other side has not read everything within {} s\n", kSettleMax.count());
            return kExitFailed;
        }
        return written ? kExitGood : kExitFailed;
    }

    const SimOptions& options_;
    const load::Endpoint& to_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    load::Fleet fleet_;
    std::chrono::nanoseconds elapsed_{};
};

int run(const SimOptions& options) {
    load::Endpoint to;
    std::string problem;
    if (!make_endpoint(options.to, to, problem)) {
        fmt::print(stderr, "sim: error: {}\n", problem);
        return kExitUsage;
    }
    if (options.rate * options.sensors > kRateMax) {
        fmt::print(stderr, "sim: error: {} sensors x {} readings/s are more than {} a second: lower --sensors or --rate\n", options.sensors,
                   options.rate, kRateMax);
        return kExitUsage;
    }
    if (options.rate * options.seconds < 0.5 && options.seconds != 0) {
        fmt::print(stderr, "sim: error: at {} readings/s no sensor has one in {} s: raise --rate or --seconds\n", options.rate,
                   options.seconds);
        return kExitUsage;
    }
    if (!load::allow_connections(options.sensors)) {
        fmt::print(stderr,
                   "sim: error: {} connections need as many open files, but the limit is {}: raise it (ulimit -n) or lower --sensors\n",
                   options.sensors, load::open_files_max());
        return kExitFailed;
    }
    return Simulation(options, to).run();
}

}  // namespace

void add_sim(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<SimOptions>();
    CLI::App* command = app.add_subcommand("sim", "A plant of vibration sensors on bearings, each with its own MQTT connection");
    add_address_options(*command, options->to);
    command->add_option("--sensors", options->sensors, "number of sensors")
        ->check(CLI::Range(1U, plant::kSensorsMax))
        ->capture_default_str();
    command->add_option("--rate", options->rate, "readings a second of each sensor")
        ->check(CLI::Range(0.001, 100'000.0))
        ->capture_default_str();
    command->add_option("--seconds", options->seconds, "how long; 0: until Ctrl-C")->check(CLI::Range(0.0, 4e6))->capture_default_str();
    command
        ->add_option("--spikes", options->spikes,
                     "probability that a reading is a spike (after 100 readings of warm-up, at least 25 readings apart)")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    command->add_option("--qos", options->qos, "0 or 1")->check(CLI::Range(0, 1))->capture_default_str();
    command->add_option("--seed", options->seed, "the same seed gives the same readings")->capture_default_str();
    command->add_option("--expect", options->expect, "write the alerts that the z-score rule must raise to this file, as NDJSON");
    command->add_flag("--json", options->json, "summary as JSON");
    command->footer(
        "Readings are due on a schedule that waits for nobody: reading k of sensor i at (k x sensors + i) / (sensors x rate).\n"
        "Each goes to sensors/<device>/vibration as {\"device\",\"ts\",\"seq\",\"vibration\",\"temperature\",\"rpm\"}.\n"
        "--expect assumes a gateway that has not seen these sensors before.\n\n"
        "Examples:\n"
        "  sluice sim --to mqtt://127.0.0.1:1883 --sensors 100 --rate 10 --seconds 30 --spikes 0.001\n"
        "  sluice sim --to mqtts://plant-7:8883 --ca ca.crt --sensors 1000\n"
        "  sluice sim --sensors 10000 --rate 1 --seconds 120 --qos 0 --expect expected.ndjson --json");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
