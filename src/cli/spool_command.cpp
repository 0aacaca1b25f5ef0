#include "cli/spool_command.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <numeric>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/spool_export.hpp"
#include "cli/spool_place.hpp"
#include "cli/spool_verify.hpp"

namespace sluice::cli {
namespace {

using base::Errc;

std::string time_text(base::WallTime time) {
    const std::int64_t ms = base::to_ms(time);
    const std::int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds)), ms - seconds * 1000);
}

double amplification(const spool::Stats& stats) {
    return stats.bytes_accepted == 0 ? 0 : static_cast<double>(stats.bytes_written) / static_cast<double>(stats.bytes_accepted);
}

class Printer final : public spool::EventVisitor {
public:
    Printer(std::string class_name, bool json, SpoolCatOutput& out) : class_(std::move(class_name)), json_(json), out_(out) {}

    void on_event(data::Sequence sequence, const data::Event& event) override {
        const std::string_view data = base::as_text(event.json);
        line_.clear();
        if (json_) {
            fmt::format_to(std::back_inserter(line_), "{{\"class\":{},\"seq\":{},\"ts\":{},\"rule\":{},\"data\":{}}}", json_text(class_),
                           sequence.value(), base::to_ms(event.made), json_text(event.rule), data);
        } else {
            fmt::format_to(std::back_inserter(line_), "{} {} {} {} {}", class_, sequence.value(), time_text(event.made), event.rule, data);
        }
        out_.line(line_);
    }

    void gap(const spool::Gap& gap) {
        const auto first = gap.first.value();
        const auto last = gap.last.value();
        out_.line(json_ ? fmt::format("{{\"class\":{},\"first\":{},\"last\":{},\"gone\":\"{}\"}}", json_text(class_), first, last,
                                      base::name(gap.reason))
                        : fmt::format("{} {}-{} gone: {}", class_, first, last, base::name(gap.reason)));
    }

private:
    std::string class_;
    bool json_;
    SpoolCatOutput& out_;
    std::string line_;
};

/// Prints at most `left` events of a class and takes them off.
base::Status cat_class(spool::Spool& spool, data::ClassIndex index, Printer& printer, std::uint64_t& left) {
    data::Sequence next = spool.first_waiting(index);
    while (left != 0 && next < spool.durable_end(index)) {
        spool::ReadLimits limits;
        limits.events = static_cast<std::size_t>(std::min<std::uint64_t>(left, limits.events));
        const auto found = spool.read(index, next, limits, printer);
        if (!found && found.error().code == Errc::not_found) return {};  // delivered while we looked; `export` would go on behind it
        if (!found) return found.error();
        if (found->gap) printer.gap(*found->gap);
        if (found->next == next) break;
        left -= found->events;
        next = found->next;
    }
    return {};
}

struct Command {
    std::string file;
    bool json = false;
    SpoolCatOptions cat;
};

class StandardOutput final : public SpoolCatOutput {
public:
    void line(std::string_view text) override {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fputc('\n', stdout);
    }
};

void run_stat(const Command& command, Exit& exit) {
    SpoolPlace place(command.file, exit);
    const auto view = place.open_or_explain();
    if (!view) return;
    const spool::Stats stats = view->stats();
    const data::Epoch epoch = view->epoch();
    std::fputs((command.json ? spool_stat_json(stats, epoch) + "\n" : spool_stat_text(stats, epoch)).c_str(), stdout);
}

void run_cat(const Command& command, Exit& exit) {
    SpoolPlace place(command.file, exit);
    const auto view = place.open_or_explain();
    if (!view) return;
    StandardOutput out;
    SpoolCatOptions options = command.cat;
    options.json = command.json;
    const auto done = spool_cat(*view, options, out);
    if (done) return;
    if (done.error().code == Errc::not_found) {
        std::string names;
        for (const auto& each : view->classes()) names += (names.empty() ? "" : ", ") + each.name;
        std::fputs(fmt::format("sluice: no class '{}'; there are: {}\n", options.only_class, names).c_str(), stderr);
        exit.code = kExitUsage;
        return;
    }
    std::fputs(fmt::format("sluice: reading the spool failed: {}\n", base::describe(done.error())).c_str(), stderr);
    exit.code = kExitFailed;
}

}  // namespace

std::string spool_stat_text(const spool::Stats& stats, data::Epoch epoch) {
    constexpr std::size_t kNameWidth = 12;
    std::size_t width = kNameWidth;  // a class of a further uplink is CLASS@NAME
    for (const spool::ClassStats& entry : stats.classes) width = std::max(width, entry.name.size());
    std::string out = fmt::format("{:<{}} {:>12} {:>12} {:>12} {:>12} {:>12}  {}\n", "class", width, "created", "delivered", "waiting",
                                  "dropped", "bytes", "why dropped");
    for (const spool::ClassStats& entry : stats.classes) {
        std::string reasons;
        for (const auto& row : base::kDropReasonTable) {
            const std::uint64_t count = entry.dropped[static_cast<std::size_t>(row.reason)];
            if (count != 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", row.name, count);
        }
        out += fmt::format("{:<{}} {:>12} {:>12} {:>12} {:>12} {:>12}  {}\n", entry.name, width, entry.created, entry.delivered,
                           entry.waiting, entry.dropped_total(), entry.bytes, reasons);
    }
    out += fmt::format("epoch {}, {} bytes used of {}, {} segments", epoch.value(), stats.bytes_used, stats.bytes_max, stats.segments);
    if (stats.bytes_accepted != 0) out += fmt::format(", {:.2f} bytes written per byte accepted", amplification(stats));
    if (stats.foreign_segments != 0) out += fmt::format(", {} files of another spool", stats.foreign_segments);
    if (stats.manifest_rebuilt) out += "; the manifests are unreadable: positions are guessed from the segments";
    return out + "\n";
}

std::string spool_stat_json(const spool::Stats& stats, data::Epoch epoch) {
    std::string classes;
    for (const spool::ClassStats& entry : stats.classes) {
        std::string reasons;
        for (const auto& row : base::kDropReasonTable) {
            const std::uint64_t count = entry.dropped[static_cast<std::size_t>(row.reason)];
            if (count != 0) reasons += fmt::format("{}\"{}\":{}", reasons.empty() ? "" : ",", row.name, count);
        }
        classes += fmt::format(
            "{}{}:{{\"created\":{},\"delivered\":{},\"waiting\":{},\"dropped\":{{{}}},\"bytes\":{},\"max_bytes\":{},\"acknowledged\":{},"
            "\"durable\":{}}}",
            classes.empty() ? "" : ",", json_text(entry.name), entry.created, entry.delivered, entry.waiting, reasons, entry.bytes,
            entry.bytes_max, entry.acknowledged.value(), entry.durable.value());
    }
    const std::uint64_t waiting = std::accumulate(stats.classes.begin(), stats.classes.end(), std::uint64_t{0},
                                                  [](std::uint64_t sum, const spool::ClassStats& entry) { return sum + entry.waiting; });
    return fmt::format(
        "{{\"epoch\":{},\"events\":{},\"bytes\":{},\"max_bytes\":{},\"segments\":{},\"bytes_accepted\":{},\"bytes_written\":{},"
        "\"write_amplification\":{:.4f},\"classes\":{{{}}}}}",
        epoch.value(), waiting, stats.bytes_used, stats.bytes_max, stats.segments, stats.bytes_accepted, stats.bytes_written,
        amplification(stats), classes);
}

base::Status spool_cat(spool::Spool& spool, const SpoolCatOptions& options, SpoolCatOutput& out) {
    const auto& classes = spool.classes();
    std::vector<std::size_t> order(classes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return classes[a].priority < classes[b].priority; });
    std::uint64_t left = options.limit;
    bool found = options.only_class.empty();
    for (const std::size_t i : order) {
        if (!options.only_class.empty() && classes[i].name != options.only_class) continue;
        found = true;
        Printer printer(classes[i].name, options.json, out);
        if (auto done = cat_class(spool, data::ClassIndex(static_cast<std::uint8_t>(i)), printer, left); !done) return done;
    }
    if (!found) return base::Error{Errc::not_found};
    return {};
}

void add_spool(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("spool", "what waits on disk for the cloud");
    command->require_subcommand(1);
    command->footer(
        "Examples:\n"
        "  sluice spool stat -c gateway.yaml\n"
        "  sluice spool cat -c gateway.yaml --class alert --limit 10\n"
        "  sluice spool cat -c gateway.yaml --json | jq .data\n"
        "  sluice spool verify -c gateway.yaml\n"
        "  sluice spool export -c gateway.yaml --out plant-7.ndjson\n"
        "  sluice spool export -c gateway.yaml --class alert --after 4711\n"
        "\n"
        "Reads with the gateway's keys, changes nothing, and works while the gateway runs. A gateway saves every 5 s how far the cloud\n"
        "has confirmed: of one that runs, or was killed, events delivered since then still show as waiting.\n"
        "Exit: 0 good, 1 it cannot be read (its key is missing or another one, too), is damaged or not complete, 2 wrong use, or no "
        "gateway\n"
        "with this configuration has run yet.");
    auto options = std::make_shared<Command>();

    auto* stat = command->add_subcommand("stat", "counts by class, space, losses with their reasons");
    auto* cat = command->add_subcommand("cat", "the waiting events, most important class first, oldest first");
    for (auto* each : {stat, cat}) {
        each->add_option("-c,--config", options->file, "the gateway's configuration (YAML)")->required();
        each->add_flag("--json", options->json, each == stat ? "one JSON object" : "one JSON object a line");
    }
    cat->add_option("--class", options->cat.only_class, "only this class");
    cat->add_option("--limit", options->cat.limit, "at most this many events")->check(CLI::PositiveNumber);
    add_spool_verify(*command, exit);
    add_spool_export(*command, exit);
    stat->callback([options, &exit] { run_stat(*options, exit); });
    cat->callback([options, &exit] { run_cat(*options, exit); });
}

}  // namespace sluice::cli
