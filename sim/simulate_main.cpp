// sluice_simulate: runs seeds of the whole-system simulation. `./dev sim` calls it.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/system_shrink.hpp"
#include "sim/system_sim.hpp"

namespace {

using namespace sluice::sim;

constexpr std::string_view kHelp =
    "sluice_simulate: spool, uplink and cloud under seeded faults, in virtual time.\n"
    "\n"
    "  sluice_simulate --seed N              one seed, with what happened\n"
    "  sluice_simulate --seeds A..B          all of these; prints those that fail\n"
    "      --family mixed|rough|lasting|stateful\n"
    "                                        what kind of runs (mixed): seconds under load; with media and clocks that lie, lost disks,\n"
    "                                        backups and twins as well; months with few events; rule state and many short lives\n"
    "      --jobs J                          at a time (the number of processors)\n"
    "      --minutes M                       begin no further seed after that\n"
    "      --defect NAME                     with a deliberate defect that the checkers must catch (--defects lists them)\n"
    "      --set FIELD=VALUE                 change a number of the plan (as often as wanted; --seed prints them)\n"
    "      --shrink                          with --seed: the smallest plan that breaks the same promise\n"
    "\n"
    "Exit: 0 every promise kept, 1 a seed failed, 2 wrong use.\n";

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t last = 300;
    bool single = false;
    unsigned jobs = 0;
    std::uint64_t minutes = 0;  ///< 0: as long as it takes
    bool shrink = false;
    Family family = Family::mixed;
    Defect defect = Defect::none;
    std::vector<std::pair<const PlanField*, std::uint64_t>> changes;

    [[nodiscard]] SystemPlan plan(std::uint64_t seed) const {
        auto plan = plan_of_seed(seed, family);
        for (const auto& [field, value] : changes) field->set(plan, value);
        return plan;
    }
};

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool parse_range(std::string_view value, Arguments& out) {
    const auto dots = value.find("..");
    if (dots == std::string_view::npos) return false;
    const auto first = number(value.substr(0, dots));
    const auto last = number(value.substr(dots + 2));
    if (!first || !last || *last < *first) return false;
    out.first = *first;
    out.last = *last;
    return true;
}

bool parse_change(std::string_view value, Arguments& out) {
    const auto equals = value.find('=');
    if (equals == std::string_view::npos) return false;
    const auto fields = plan_fields();
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const PlanField& row) { return row.name == value.substr(0, equals); });
    const auto parsed = number(value.substr(equals + 1));
    if (field == fields.end() || !parsed) return false;
    out.changes.emplace_back(&*field, *parsed);
    return true;
}

bool parse_pair(std::string_view name, std::string_view value, Arguments& out) {
    if (name == "--defect") {
        const auto found = std::find_if(kDefects.begin(), kDefects.end(), [value](const DefectInfo& row) { return row.name == value; });
        if (found == kDefects.end()) return false;
        out.defect = found->defect;
        return true;
    }
    if (name == "--family") {
        const auto family = family_named(value);
        if (family) out.family = *family;
        return family.has_value();
    }
    if (name == "--set") return parse_change(value, out);
    if (name == "--seeds") return parse_range(value, out);
    const auto parsed = number(value);
    if (!parsed) return false;
    if (name == "--seed") {
        out.first = out.last = *parsed;
        out.single = true;
    } else if (name == "--jobs" && *parsed >= 1 && *parsed <= 256) {
        out.jobs = static_cast<unsigned>(*parsed);
    } else if (name == "--minutes" && *parsed >= 1) {
        out.minutes = *parsed;
    } else {
        return false;
    }
    return true;
}

void print(const SystemPlan& plan, const SystemResult& result, Defect defect) {
    fmt::print("seed {}: {}\n", plan.seed, plan.describe());
    fmt::print(
        "  {} events taken, {} acknowledged, {} in the cloud, {} resent, {} reported as dropped; {} starts of the gateway, {} connections "
        "reset; {:.1f} s in {} steps\n",
        result.events, result.acked, result.stored, result.duplicates, result.gone, result.boots, result.resets, result.virtual_seconds,
        result.steps);
    if (!result.verdict.broken()) return fmt::print("  every promise kept\n");
    const auto& checker = kCheckers[static_cast<std::size_t>(result.verdict.checker)];
    fmt::print("  BROKEN {}: {}\n    ({})\n  repeat with: {}\n", checker.name, result.verdict.text, checker.promise,
               repeat_with(plan, defect));
}

int shrink_one(const Arguments& arguments) {
    constexpr std::uint64_t kRunsMax = 5'000;
    const auto plan = arguments.plan(arguments.first);
    const auto result = simulate(plan, arguments.defect);
    print(plan, result, arguments.defect);
    if (!result.verdict.broken()) return 0;
    const auto small = shrink(plan, arguments.defect, kRunsMax, [](const SystemPlan& smaller) {
        fmt::print("  {}\n", smaller.describe());
        std::fflush(stdout);
    });
    fmt::print("the smallest after {} runs:\n", small.runs);
    print(small.plan, small.result, arguments.defect);
    return 1;
}

class Runner {
public:
    explicit Runner(const Arguments& arguments) : arguments_(arguments), next_(arguments.first) {}

    int run() {
        const auto jobs = std::max(1U, arguments_.jobs != 0 ? arguments_.jobs : std::thread::hardware_concurrency());
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < jobs; ++i) threads.emplace_back([this] { work(); });
        for (auto& thread : threads) thread.join();
        if (!arguments_.single) summarise();
        return failed_ == 0 ? 0 : 1;
    }

private:
    static constexpr std::uint64_t kReportEvery = 1'000;  // seeds

    void summarise() const {
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
        fmt::print(
            "{} seeds from {} on ({}): {} failed; {} events, {} resent, {} dropped and told, {} starts of the gateway; {:.0f} "
            "gateway-days in {:.0f} s, {:.0f} a second\n",
            done_, arguments_.first, name(arguments_.family), failed_, total_.events, total_.duplicates, total_.gone, total_.boots,
            total_.gateway_days, seconds, total_.gateway_days / seconds);
    }

    void work() {
        for (;;) {
            const auto seed = next_.fetch_add(1);
            const bool over =
                arguments_.minutes != 0 && std::chrono::steady_clock::now() - begun_ > std::chrono::minutes(arguments_.minutes);
            if (seed > arguments_.last || over) return;
            const auto plan = arguments_.plan(seed);
            const auto result = simulate(plan, arguments_.defect);
            const std::lock_guard guard(lock_);
            total_.events += result.events;
            total_.duplicates += result.duplicates;
            total_.gone += result.gone;
            total_.boots += result.boots;
            total_.gateway_days += result.gateway_days;
            ++done_;
            if (result.verdict.broken()) ++failed_;
            if (arguments_.single || result.verdict.broken()) print(plan, result, arguments_.defect);
            if (done_ % kReportEvery == 0) summarise();
            std::fflush(stdout);
        }
    }

    const Arguments& arguments_;
    std::atomic<std::uint64_t> next_;
    std::mutex lock_;
    SystemResult total_;
    std::uint64_t done_ = 0;
    std::uint64_t failed_ = 0;
    const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--help" || name == "-h") {
            fmt::print("{}", kHelp);
            return 0;
        }
        if (name == "--defects") {
            for (const auto& row : kDefects) fmt::print("{:<30} {:<11} {}\n", row.name, sluice::sim::name(row.caught_by), row.text);
            return 0;
        }
        if (name == "--shrink") {
            arguments.shrink = true;
            continue;
        }
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        if (i + 1 == argc || !parse_pair(name, value, arguments)) {
            fmt::print(stderr, "sluice_simulate: cannot use '{}{}{}'; see --help\n", name, value.empty() ? "" : " ", value);
            return 2;
        }
        ++i;
    }
    if (arguments.shrink && !arguments.single) {
        fmt::print(stderr, "sluice_simulate: --shrink needs --seed\n");
        return 2;
    }
    return arguments.shrink ? shrink_one(arguments) : Runner(arguments).run();
}
