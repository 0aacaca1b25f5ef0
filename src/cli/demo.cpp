#include "cli/demo.hpp"

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/demo/stage.hpp"
#include "cli/exit.hpp"
#include "cli/plant/plant.hpp"

namespace sluice::cli {
namespace {

constexpr double kRateMax = 40'000;      // readings a second: plant, gateway and cloud share this machine
constexpr double kRateDefault = 10'000;  // 25.92 billion a month, what the default price was taken from
constexpr double kSensorRateMax = 100;   // readings a second of one sensor, unless asked for
constexpr double kSecondsMin = 3;        // a third of it without the link

}  // namespace

void add_demo(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<demo::StageOptions>();
    auto rate = std::make_shared<double>(0);
    CLI::App* command =
        app.add_subcommand("demo", "Plant, gateway and cloud on this machine; the link is cut in the middle, everything is checked");
    command->add_option("--sensors", options->sensors, "simulated vibration sensors, each with its own MQTT connection")
        ->check(CLI::Range(1U, plant::kSensorsMax))
        ->capture_default_str();
    command->add_option("--seconds", options->seconds, "of publishing, after the warm-up")
        ->check(CLI::Range(kSecondsMin, 86'400.0))
        ->capture_default_str();
    command->add_option("--rate", *rate, "readings a second of all sensors together (10000, fewer for few sensors)")
        ->check(CLI::Range(1.0, kRateMax));
    command->add_option("--seed", options->seed, "the same seed gives the same readings and spikes")->capture_default_str();
    command->add_option("--price-per-million", options->price_per_million, "dollars for a million messages, for the cost table")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_flag("--keep", options->keep, "leave it running afterwards (Ctrl-C ends it) and keep the data");
    command->add_flag("--json", options->json, "the report as JSON");
    command->footer(
        "Ends with the ledger, what sending everything would have cost, and the checks; exit 0 only if all of them held.\n"
        "The default price is that of 25.92 billion messages a month for $50,000.\n\n"
        "Examples:\n"
        "  sluice demo\n"
        "  sluice demo --sensors 10000 --seconds 60\n"
        "  sluice demo --keep --price-per-million 1.00");
    command->callback([options, rate, &exit] {
        options->rate = *rate > 0 ? *rate : std::min(kRateDefault, kSensorRateMax * options->sensors);
        exit.code = demo::run(*options);
    });
}

}  // namespace sluice::cli
