// The load generator: one measurement of whatever listens, printed as one line of JSON. bench/ingest.py runs it against the gateway and
// against mosquitto in turn.
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/load/measure.hpp"

int main(int count, char** arguments) {
    namespace load = sluice::load;
    CLI::App app{"Publishes sensor readings over many MQTT connections and measures who takes them"};
    load::MeasureOptions options;
    options.progress = false;
    std::string to = "mqtt://127.0.0.1:1883";
    int qos = 0;
    app.add_option("--to", to, "mqtt://HOST:PORT")->capture_default_str();
    app.add_option("--connections", options.connections, "one for each sensor")
        ->check(CLI::Range(1U, sluice::plant::kSensorsMax))
        ->capture_default_str();
    app.add_option("--qos", qos, "0 or 1")->check(CLI::Range(0, 1))->capture_default_str();
    app.add_option("--rate", options.rate, "readings a second of all connections (open loop); 0: as many as are taken")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "measured")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--warmup", options.warmup_seconds, "seconds before that, without --rate")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--warmup-readings", options.warmup_readings, "of each sensor, with --rate")->capture_default_str();
    app.add_option("--warmup-rate", options.warmup_rate, "readings a second meanwhile")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--window", options.window, "QoS 1: unacknowledged publications of a connection; 0: chosen")
        ->check(CLI::Range(0U, 65'535U));
    app.add_option("--seed", options.seed)->capture_default_str();
    app.add_option("--spikes", options.spikes, "probability of a spike")->check(CLI::Range(0.0, 1.0))->capture_default_str();
    app.add_flag("--alerts", options.check_alerts, "with --rate: time the alerts at alerts/# and check that they are the right ones");
    app.add_option("--watch", options.watch, "process whose CPU and memory to report");
    app.add_flag("--progress", options.progress, "phases on stderr");
    CLI11_PARSE(app, count, arguments);

    const auto target = load::parse_target(to);
    if (!target) {
        fmt::print(stderr, "loadgen: --to {}: expected mqtt://HOST:PORT\n", to);
        return 2;
    }
    options.target = target.value();
    options.qos = static_cast<std::uint8_t>(qos);
    const auto result = load::measure(options);
    if (!result) {
        if (result.error().code == sluice::base::Errc::limit) {
            fmt::print(stderr, "loadgen: {} connections need as many open files, but the limit is {} (ulimit -n)\n", options.connections,
                       load::open_files_max());
        } else {
            fmt::print(stderr, "loadgen: {}\n", load::explain_failure(result.error(), options.target));
        }
        return 1;
    }
    fmt::print("{}\n", load::to_json(options, result.value()));
    return 0;
}
