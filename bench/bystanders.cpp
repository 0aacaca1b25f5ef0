// Sensors and watchers beside an attack: bench/hostile.py starts it, attacks when it says "began", and reads one line of JSON at its end.
#include "cli/load/bystanders.hpp"

#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/plant/plant.hpp"

int main(int count, char** arguments) {
    namespace load = sluice::load;
    CLI::App app{"Publishes and receives readings at a fixed rate and tells, phase by phase, how long they took and what is missing"};
    load::BystanderOptions options;
    std::string to = "mqtt://127.0.0.1:1883";
    app.add_option("--to", to, "mqtt://HOST:PORT")->capture_default_str();
    app.add_option("--sensors", options.sensors)->check(CLI::Range(1U, sluice::plant::kSensorsMax))->capture_default_str();
    app.add_option("--watchers", options.watchers, "clients that hear every reading")->check(CLI::Range(1U, 1000U))->capture_default_str();
    app.add_option("--rate", options.rate, "readings a second of all sensors")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--phases", options.phases, "seconds of each")->delimiter(',')->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--watch", options.watch, "process whose CPU and memory to report");
    CLI11_PARSE(app, count, arguments);

    const auto target = load::parse_target(to);
    if (!target) {
        fmt::print(stderr, "bystanders: --to {}: expected mqtt://HOST:PORT\n", to);
        return 2;
    }
    options.target = target.value();
    options.on_begin = [] {
        fmt::print("began\n");
        std::fflush(stdout);
    };
    const auto result = load::watch_bystanders(options);
    if (!result) {
        fmt::print(stderr, "bystanders: {}\n", load::explain_failure(result.error(), options.target));
        return 1;
    }
    fmt::print("{}\n", load::to_json(result.value()));
    return 0;
}
