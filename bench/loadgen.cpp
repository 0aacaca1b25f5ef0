// The load generator: one measurement of whatever listens, printed as one line of JSON. bench/ingest.py and bench/broker.py run it against
// the gateway and its peers in turn.
#include <chrono>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/address_options.hpp"
#include "cli/load/fleet.hpp"
#include "cli/load/measure.hpp"
#include "cli/load/measure_fan_out.hpp"
#include "env/posix/clock.hpp"

namespace {

namespace load = sluice::load;

struct HoldOptions {
    load::Endpoint to;
    std::uint32_t connections = 1000;
    std::string prefix = "idle-";
};

struct Options {
    sluice::cli::AddressOptions to{.flag = "--to"};
    int qos = 0;
    load::MeasureOptions fan_in;
    load::FanOutMeasureOptions fan_out;
    HoldOptions hold;
};

void add_fan_in(CLI::App& app, load::MeasureOptions& options) {
    app.add_option("--connections", options.connections, "one for each sensor")
        ->check(CLI::Range(1U, sluice::plant::kSensorsMax))
        ->capture_default_str();
    app.add_option("--rate", options.rate, "readings a second of all connections (open loop); 0: as many as are taken")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--batch", options.batch, "without --rate: readings in one write to a connection; 0: as many as fit")
        ->check(CLI::Range(0U, 256U));
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
    app.add_option("--watch", options.watch, "process whose CPU and memory to report; several are added up");
    app.add_flag("--progress", options.progress, "phases on stderr");
}

void add_fan_out(CLI::App& app, load::FanOutMeasureOptions& options) {
    app.add_option("--subscribers", options.subscribers, "of the one topic, each its own connection")
        ->check(CLI::Range(1U, 100'000U))
        ->capture_default_str();
    app.add_option("--window", options.window, "messages that not every subscriber has yet, at most")
        ->check(CLI::Range(1U, 65'535U))
        ->capture_default_str();
    app.add_option("--rate", options.rate, "messages a second (open loop); 0: as many as the window allows")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--seconds", options.seconds, "measured")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--warmup", options.warmup_seconds, "seconds before that")->check(CLI::NonNegativeNumber)->capture_default_str();
    app.add_option("--watch", options.watch, "process whose CPU and memory to report; several are added up");
}

int explain(const sluice::base::Error& error, const load::Target& target, std::uint32_t connections) {
    if (error.code == sluice::base::Errc::limit) {
        fmt::print(stderr, "loadgen: {} connections need as many open files, but the limit is {} (ulimit -n)\n", connections,
                   load::open_files_max());
    } else {
        fmt::print(stderr, "loadgen: {}\n", load::explain_failure(error, target));
    }
    return 1;
}

template <class Options, class Outcome>
int report(const Options& options, const Outcome& outcome, std::uint32_t connections) {
    if (!outcome) return explain(outcome.error(), options.to.target, connections);
    fmt::print("{}\n", load::to_json(options, outcome.value()));
    return 0;
}

/// Connects and stays, silent, until stdin ends.
int hold(const HoldOptions& options) {
    if (const auto allowed = load::allow_connections(options.connections); !allowed) {
        return explain(allowed.error(), options.to.target, options.connections);
    }
    const sluice::posix::PosixClock clock;
    sluice::posix::EventLoop loop(clock, std::chrono::microseconds(0));
    load::Fleet fleet(
        loop, {.to = options.to, .plant = {.sensors = options.connections}, .client_prefix = options.prefix, .keep_alive_seconds = 0});
    fleet.connect();
    const auto give_up = clock.now() + std::chrono::seconds(120);
    while (!fleet.ready()) {
        if (fleet.failure()) return explain(*fleet.failure(), options.to.target, options.connections);
        if (clock.now() > give_up) return explain(sluice::base::Error{sluice::base::Errc::timeout}, options.to.target, options.connections);
        loop.run_once(loop.now() + std::chrono::milliseconds(50));
    }
    fmt::print("{{\"held\":{}}}\n", options.connections);
    std::fflush(stdout);
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    // What closed meanwhile is told now.
    for (const auto until = clock.now() + std::chrono::milliseconds(100); clock.now() < until;) loop.run_once(until);
    if (fleet.counters().reconnects == 0) return 0;
    fmt::print(stderr, "loadgen: {} connections were lost\n", fleet.counters().reconnects);
    return 1;
}

}  // namespace

int main(int count, char** arguments) {
    // A nap until the next reading is due ends when it should, not 50 µs later. Where that is refused, naps are longer.
    (void)::prctl(PR_SET_TIMERSLACK, 1'000UL);
    Options options;
    options.fan_in.progress = false;
    CLI::App app{"Loads an MQTT broker or gateway and measures it"};
    app.require_subcommand(1);
    CLI::App& fan_in = *app.add_subcommand("fan-in", "sensors that publish, each over its own connection");
    CLI::App& fan_out = *app.add_subcommand("fan-out", "one publisher, many subscribers that check what they get");
    CLI::App& hold_on = *app.add_subcommand("hold", "connections that do nothing until stdin ends");
    for (CLI::App* each : {&fan_in, &fan_out, &hold_on}) sluice::cli::add_address_options(*each, options.to);
    for (CLI::App* each : {&fan_in, &fan_out}) {
        each->add_option("--qos", options.qos, "0 or 1")->check(CLI::Range(0, 1))->capture_default_str();
    }
    add_fan_in(fan_in, options.fan_in);
    add_fan_out(fan_out, options.fan_out);
    hold_on.add_option("--connections", options.hold.connections)->check(CLI::Range(1U, sluice::plant::kSensorsMax))->capture_default_str();
    hold_on.add_option("--prefix", options.hold.prefix, "of the client ids")->capture_default_str();
    CLI11_PARSE(app, count, arguments);

    load::Endpoint to;
    std::string problem;
    if (!sluice::cli::make_endpoint(options.to, to, problem)) {
        fmt::print(stderr, "loadgen: {}\n", problem);
        return 2;
    }
    const auto qos = static_cast<std::uint8_t>(options.qos);
    if (hold_on.parsed()) {
        options.hold.to = to;
        return hold(options.hold);
    }
    if (fan_out.parsed()) {
        options.fan_out.to = to;
        options.fan_out.qos = qos;
        return report(options.fan_out, load::measure_fan_out(options.fan_out), options.fan_out.subscribers);
    }
    options.fan_in.to = to;
    options.fan_in.qos = qos;
    return report(options.fan_in, load::measure(options.fan_in), options.fan_in.connections);
}
