// sluice_simulate: runs seeds of the whole-system simulation. `./dev sim` calls it.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "sim/system_sim.hpp"

namespace {

using namespace sluice::sim;

constexpr std::string_view kHelp =
    "sluice_simulate: spool, uplink and cloud under seeded faults, in virtual time.\n"
    "\n"
    "  sluice_simulate --seed N              one seed, with what happened\n"
    "  sluice_simulate --seeds A..B          all of these; prints those that fail\n"
    "      --jobs J                          at a time (the number of processors)\n"
    "      --defect NAME                     with a deliberate defect that the checkers must catch\n"
    "\n"
    "Exit: 0 every promise kept, 1 a seed failed, 2 wrong use.\n";

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t last = 300;
    bool single = false;
    unsigned jobs = 0;
    Defect defect = Defect::none;
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool parse_pair(std::string_view name, std::string_view value, Arguments& out) {
    if (name == "--defect") {
        const auto found = std::find_if(kDefects.begin(), kDefects.end(), [value](const DefectInfo& row) { return row.name == value; });
        if (found == kDefects.end()) return false;
        out.defect = found->defect;
        return true;
    }
    if (name == "--seeds") {
        const auto dots = value.find("..");
        if (dots == std::string_view::npos) return false;
        const auto first = number(value.substr(0, dots));
        const auto last = number(value.substr(dots + 2));
        if (!first || !last || *last < *first) return false;
        out.first = *first;
        out.last = *last;
        return true;
    }
    const auto parsed = number(value);
    if (!parsed) return false;
    if (name == "--seed") {
        out.first = out.last = *parsed;
        out.single = true;
    } else if (name == "--jobs" && *parsed >= 1 && *parsed <= 256) {
        out.jobs = static_cast<unsigned>(*parsed);
    } else {
        return false;
    }
    return true;
}

void print(const SystemPlan& plan, const SystemResult& result) {
    fmt::print("seed {}: {}\n", plan.seed, plan.describe());
    fmt::print(
        "  {} events taken, {} acknowledged, {} in the cloud, {} resent, {} reported as dropped; {} starts of the gateway, {} connections "
        "reset; {:.1f} s\n",
        result.events, result.acked, result.stored, result.duplicates, result.gone, result.boots, result.resets, result.virtual_seconds);
    fmt::print("  {}\n", result.broken.empty() ? "every promise kept" : "BROKEN: " + result.broken);
}

class Runner {
public:
    explicit Runner(const Arguments& arguments) : arguments_(arguments), next_(arguments.first) {}

    int run() {
        const auto jobs = std::max(1U, arguments_.jobs != 0 ? arguments_.jobs : std::thread::hardware_concurrency());
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < jobs; ++i) threads.emplace_back([this] { work(); });
        for (auto& thread : threads) thread.join();
        if (!arguments_.single)
            fmt::print(
                "seeds {}..{}: {} failed; {} events, {} resent, {} dropped and told, {} starts of the gateway, {:.0f} hours of virtual "
                "time\n",
                arguments_.first, arguments_.last, failed_, total_.events, total_.duplicates, total_.gone, total_.boots,
                total_.virtual_seconds / 3600);
        return failed_ == 0 ? 0 : 1;
    }

private:
    void work() {
        for (;;) {
            const auto seed = next_.fetch_add(1);
            if (seed > arguments_.last) return;
            const auto plan = plan_of_seed(seed);
            const auto result = simulate(plan, arguments_.defect);
            const std::lock_guard guard(lock_);
            total_.events += result.events;
            total_.duplicates += result.duplicates;
            total_.gone += result.gone;
            total_.boots += result.boots;
            total_.virtual_seconds += result.virtual_seconds;
            if (!result.broken.empty()) ++failed_;
            if (arguments_.single || !result.broken.empty()) print(plan, result);
            std::fflush(stdout);
        }
    }

    const Arguments& arguments_;
    std::atomic<std::uint64_t> next_;
    std::mutex lock_;
    SystemResult total_;
    std::uint64_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--help" || name == "-h") {
            fmt::print("{}", kHelp);
            return 0;
        }
        if (i + 1 == argc || !parse_pair(name, argv[i + 1], arguments)) {
            fmt::print(stderr, "sluice_simulate: cannot use '{}{}{}'; see --help\n", name, i + 1 < argc ? " " : "",
                       i + 1 < argc ? argv[i + 1] : "");
            return 2;
        }
    }
    return Runner(arguments).run();
}
