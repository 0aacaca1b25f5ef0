#include "cli/spool_verify.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/spool_place.hpp"

namespace sluice::cli {
namespace {

using spool::ProblemKind;

/// What it is, in the order of ProblemKind.
constexpr std::array<std::string_view, spool::kProblemNames.size()> kWhat{
    "this copy of the manifest does not open",
    "no copy of the manifest opens",
    "the header of the segment is damaged, nothing in it opens",
    "the block is not authentic",
    "no block where one should begin",
    "the end is no block: a write that was cut off, most likely",
    "events are missing in front of it",
    "the block cannot follow the one before it",
    "the disk does not give the bytes",
    "sealed with another key",
    "written by an unknown version of the format",
    "not a segment of this spool",
};

std::string cost_text(const spool::Problem& problem) {
    if (problem.events_lost != 0) return fmt::format("{} events that wait for the cloud are lost", problem.events_lost);
    switch (problem.kind) {
        case ProblemKind::manifest:
            return "costs nothing: the other copy opens";
        case ProblemKind::no_manifest:
            return "what was delivered and dropped is not known: at the next start positions are taken from the segments";
        case ProblemKind::torn:
            return "how many events it had is not known; nobody was promised them";
        case ProblemKind::foreign:
            return "left alone, never delivered";
        case ProblemKind::other_key:
        case ProblemKind::other_version:
            return "its events are never delivered";
        default:
            return "costs nothing: delivered, or counted as lost already";
    }
}

/// Prints problems as they are found, and how far it is while a terminal looks on.
class Printer final : public spool::VerifyObserver {
public:
    explicit Printer(bool json) : json_(json) {}

    void on_problem(const spool::Problem& problem) override {
        clear();
        fmt::print("{}\n", json_ ? problem_json(problem) : problem_text(problem));
    }
    void on_progress(std::uint64_t done, std::uint64_t total) override {
        constexpr std::chrono::milliseconds kEvery{200};
        const auto now = std::chrono::steady_clock::now();
        if (!terminal_ || total == 0 || now - shown_at_ < kEvery) return;
        shown_at_ = now;
        shown_ = true;
        const auto percent = static_cast<unsigned>(static_cast<double>(done) * 100 / static_cast<double>(total));
        fmt::print(stderr, "\r{} of {} MiB, {} % ", done >> 20, total >> 20, percent);
    }
    bool wait() override {
        constexpr std::chrono::milliseconds kMoment{100};
        std::this_thread::sleep_for(kMoment);
        return true;
    }
    void clear() {
        if (!shown_) return;
        std::fflush(stdout);
        fmt::print(stderr, "\r\x1b[K");
        shown_ = false;
    }

private:
    bool json_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point shown_at_ = std::chrono::steady_clock::now();
    const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
};

void run(const std::string& file, bool json, Exit& exit) {
    SpoolPlace place(file, exit);
    if (!place.good()) return;
    Printer printer(json);
    const auto done = spool::verify(place.files(), place.sealer(), place.directory(), printer);
    printer.clear();
    if (!done) {
        place.explain(done.error());
        return;
    }
    fmt::print("{}\n", json ? verify_json(*done) : verify_text(*done));
    if (!done->good()) exit.code = kExitFailed;
}

}  // namespace

std::string problem_text(const spool::Problem& problem) {
    std::string events;
    if (problem.first != 0) {
        events = problem.event_class.empty() ? " (" : fmt::format(" ({} ", problem.event_class);
        events += problem.first == problem.last ? fmt::format("{})", problem.first) : fmt::format("{}-{})", problem.first, problem.last);
    }
    return fmt::format("{}:{}: {}: {}{}; {}", problem.file, problem.offset, spool::name(problem.kind),
                       kWhat[static_cast<std::size_t>(problem.kind)], events, cost_text(problem));
}

std::string problem_json(const spool::Problem& problem) {
    std::string out =
        fmt::format("{{\"file\":{},\"offset\":{},\"problem\":\"{}\",", json_text(problem.file), problem.offset, spool::name(problem.kind));
    if (!problem.event_class.empty()) out += fmt::format("\"class\":{},", json_text(problem.event_class));
    if (problem.first != 0) out += fmt::format("\"first\":{},\"last\":{},", problem.first, problem.last);
    out += fmt::format("\"events_lost\":{},\"text\":{}}}", problem.events_lost,
                       json_text(fmt::format("{}; {}", kWhat[static_cast<std::size_t>(problem.kind)], cost_text(problem))));
    return out;
}

std::string verify_text(const spool::VerifySummary& summary) {
    std::string out =
        summary.good() ? "good: " : fmt::format("DAMAGED: {} problems, {} waiting events lost; ", summary.problems, summary.events_lost);
    out += fmt::format("{} segments, {} blocks, {} events, {} bytes read; {} events wait", summary.segments, summary.blocks, summary.events,
                       summary.bytes, summary.waiting);
    return out;
}

std::string verify_json(const spool::VerifySummary& summary) {
    return fmt::format(
        "{{\"good\":{},\"manifest\":{},\"epoch\":{},\"segments\":{},\"blocks\":{},\"events\":{},\"bytes\":{},\"waiting\":{},"
        "\"problems\":{},\"events_lost\":{}}}",
        summary.good(), summary.manifest, summary.epoch, summary.segments, summary.blocks, summary.events, summary.bytes, summary.waiting,
        summary.problems, summary.events_lost);
}

void add_spool_verify(CLI::App& spool, Exit& exit) {
    struct Command {
        std::string file;
        bool json = false;
    };
    auto options = std::make_shared<Command>();
    auto* command = spool.add_subcommand("verify", "reads and checks everything: every block's seal, every number, the manifest");
    command->add_option("-c,--config", options->file, "the gateway's configuration (YAML)")->required();
    command->add_flag("--json", options->json, "one JSON object a line: each problem, then the sums");
    command->callback([options, &exit] { run(options->file, options->json, exit); });
}

}  // namespace sluice::cli
