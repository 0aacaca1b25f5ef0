#include "cli/bench_command.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/load/measure.hpp"
#include "cli/local/http_client.hpp"
#include "cli/local/tiers.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::cli {
namespace {

constexpr std::chrono::seconds kStartMax{30};

struct BenchOptions {
    std::vector<std::uint32_t> connections{10, 1000};
    double seconds = 5;
    std::uint32_t sensors = 1000;
    double rate = 10'000;
    double steady_seconds = 15;
    bool json = false;
};

/// A fresh gateway for one measurement, with the example rules and no uplink.
class FreshGateway {
public:
    /// False with a message on stderr.
    bool start() {
        auto folder = local::TempFolder::make("sluice-bench");
        if (!folder) return complain("cannot make a folder for the run's data: " + base::describe(folder.error()));
        folder_.emplace(std::move(*folder));
        const posix::PosixClock clock;
        posix::EventLoop loop(clock, std::chrono::microseconds(0));
        const posix::SignalWatch signals(loop);
        const local::TierPorts ports{local::free_port(loop), local::free_port(loop)};
        auto tier = local::Tier::start(folder_->path(), "gateway", local::gateway_config("bench", ports, 0, 0), ports);
        if (!tier) return complain("cannot start a gateway: " + base::describe(tier.error()));
        tier_.emplace(std::move(*tier));
        local::HttpClient http(loop);
        bool healthy = false, asking = false;
        const auto give_up = clock.now() + kStartMax;
        while (!healthy) {
            if (signals.requested()) return complain("stopped");
            if (tier_->exit_code() || clock.now() > give_up) return complain("the gateway did not start:\n" + tier_->last_words());
            if (!std::exchange(asking, true)) {
                http.get(ports.http, "/healthz", [&](const base::Result<local::HttpAnswer>& answer) {
                    healthy = answer && answer->status == 200;
                    asking = false;
                });
            }
            loop.run_once(clock.now() + std::chrono::milliseconds(20));
        }
        return true;
    }
    [[nodiscard]] std::uint16_t mqtt() const { return tier_->ports().mqtt; }
    [[nodiscard]] pid_t id() const { return tier_->id(); }

private:
    static bool complain(const std::string& message) {
        fmt::print(stderr, "bench: error: {}\n", message);
        return false;
    }
    std::optional<local::TempFolder> folder_;
    std::optional<local::Tier> tier_;
};

/// One row; nothing, with a message on stderr, when it could not be measured.
std::optional<load::Measurement> measure_fresh(load::MeasureOptions& options) {
    FreshGateway gateway;
    if (!gateway.start()) return std::nullopt;
    options.to.target = {"127.0.0.1", gateway.mqtt()};
    options.watch = {gateway.id()};
    options.progress = true;
    auto result = load::measure(options);
    if (result) return std::move(*result);
    switch (result.error().code) {
        case base::Errc::limit:
            fmt::print(stderr, "bench: error: {} connections need as many open files, but the limit is {}: raise it (ulimit -n)\n",
                       options.connections, load::open_files_max());
            break;
        case base::Errc::unavailable:
            fmt::print(stderr, "bench: stopped\n");
            break;
        default:
            fmt::print(stderr, "bench: error: {}\n", load::explain_failure(result.error(), options.to.target));
    }
    return std::nullopt;
}

double in_ms(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }
double in_mib(std::uint64_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

bool at_full_speed(const BenchOptions& options, std::vector<std::string>& rows) {
    if (!options.json)
        fmt::print("{:>12}{:>6}{:>14}{:>14}{:>12}{:>18}\n", "connections", "QoS", "messages/s", "CPU us/msg", "MiB", "ack p99 ms");
    for (const std::uint32_t connections : options.connections) {
        for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
            load::MeasureOptions measure;
            measure.connections = connections;
            measure.qos = qos;
            measure.seconds = options.seconds;
            const auto result = measure_fresh(measure);
            if (!result) return false;
            rows.push_back(load::to_json(measure, *result));
            if (options.json) continue;
            fmt::print("{:>12}{:>6}{:>14.0f}{:>14.2f}{:>12.1f}{:>18}\n", connections, qos, result->per_second(),
                       result->cpu_us_per_message(), in_mib(result->process.memory_peak),
                       qos == 0 ? "" : fmt::format("{:.2f}", in_ms(result->ack.quantile(0.99))));
            std::fflush(stdout);
        }
    }
    return true;
}

/// True when it could be measured and every alert was right.
bool at_a_rate(const BenchOptions& options, std::vector<std::string>& rows) {
    load::MeasureOptions measure;
    measure.connections = options.sensors;
    measure.qos = 1;
    measure.rate = options.rate;
    measure.seconds = options.steady_seconds;
    measure.spikes = 0.001;
    measure.check_alerts = true;
    const auto result = measure_fresh(measure);
    if (!result) return false;
    rows.push_back(load::to_json(measure, *result));
    const auto& alerts = result->alerts;
    if (!options.json) {
        fmt::print("\n{} readings/s of {} sensors, QoS 1: CPU {:.2f} us/msg, {:.1f} MiB\n", options.rate, options.sensors,
                   result->cpu_us_per_message(), in_mib(result->process.memory_peak));
        fmt::print("from the moment a reading was due to its alert: p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms, max {:.2f} ms\n",
                   in_ms(result->alert.quantile(0.5)), in_ms(result->alert.quantile(0.99)), in_ms(result->alert.quantile(0.999)),
                   in_ms(result->alert.max()));
        fmt::print("alerts: {} of {} exact{}\n", alerts.exact, alerts.expected,
                   alerts.perfect() ? ""
                                    : fmt::format(" -- {} missing, {} repeated, {} without a reason", alerts.missing, alerts.repeated,
                                                  alerts.unexpected + alerts.strange));
    }
    return alerts.perfect();
}

int run(const BenchOptions& options) {
    std::vector<std::string> rows;
    const bool good = at_full_speed(options, rows) && at_a_rate(options, rows);
    if (options.json && !rows.empty()) fmt::print("[{}]\n", fmt::join(rows, ",\n "));
    return good ? kExitGood : kExitFailed;
}

}  // namespace

void add_bench(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<BenchOptions>();
    CLI::App* command = app.add_subcommand("bench", "Measures a gateway on this machine: throughput, CPU, memory, latency of alerts");
    command->add_option("--connections", options->connections, "for the measurements at full speed")
        ->check(CLI::Range(1U, plant::kSensorsMax))
        ->delimiter(',')
        ->capture_default_str();
    command->add_option("--seconds", options->seconds, "of each of them")->check(CLI::Range(0.5, 3600.0))->capture_default_str();
    command->add_option("--sensors", options->sensors, "for the measurement at a fixed rate")
        ->check(CLI::Range(1U, plant::kSensorsMax))
        ->capture_default_str();
    command->add_option("--rate", options->rate, "its readings a second")->check(CLI::Range(1.0, 1'000'000.0))->capture_default_str();
    command->add_option("--steady-seconds", options->steady_seconds, "how long it takes")
        ->check(CLI::Range(1.0, 3600.0))
        ->capture_default_str();
    command->add_flag("--json", options->json, "all results as JSON");
    command->footer(
        "Starts gateways of its own in a temporary folder, with three rules (z-score alerts, averages of ten, samples) and no uplink.\n"
        "The load generator runs on the same machine and takes its share of the processor; CPU is that of the gateway alone.\n"
        "Exit 0 only if every alert was the right one.\n\n"
        "Examples:\n"
        "  sluice bench\n"
        "  sluice bench --connections 10,1000,10000 --sensors 10000\n"
        "  sluice bench --seconds 2 --json");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
