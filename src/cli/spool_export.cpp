#include "cli/spool_export.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <optional>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/spool_place.hpp"

namespace sluice::cli {
namespace {

using base::Errc;
using base::Result;
using base::Status;

/// So often in a row at one place: then the rest of the class is given up.
constexpr unsigned kAttempts = 5;

class Export final : public spool::EventVisitor {
public:
    Export(const OpenSpool& open, const SpoolExportOptions& options, LineOutput& out) : open_(open), options_(options), out_(out) {}

    Result<SpoolExported> run() {
        if (auto opened = reopen(); !opened) return opened.error();
        sum_.epoch = spool_->epoch().value();
        std::vector<std::pair<std::uint32_t, std::string>> order;
        for (const auto& each : spool_->classes()) {
            if (options_.only_class.empty() || each.name == options_.only_class) order.emplace_back(each.priority, each.name);
        }
        if (order.empty()) return base::Error{Errc::not_found};
        std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (const auto& [priority, name] : order) {
            if (auto done = write_class(name); !done) return done.error();
        }
        if (auto wrote =
                out_.line(fmt::format("{{\"complete\":{},\"epoch\":{},\"events\":{},\"gone\":{},\"settled\":{},\"damaged\":{},"
                                      "\"unread\":{}}}",
                                      sum_.complete(), sum_.epoch, sum_.events, sum_.gone, sum_.settled, sum_.damaged, sum_.unread));
            !wrote)
            return wrote.error();
        return sum_;
    }

    void on_event(data::Sequence sequence, const data::Event& event) override {
        if (!wrote_) return;
        line_.clear();
        fmt::format_to(std::back_inserter(line_), "{{\"class\":{},\"epoch\":{},\"seq\":{},\"rule\":{},\"ts\":{},\"data\":{}}}", class_text_,
                       sum_.epoch, sequence.value(), json_text(event.rule), base::to_ms(event.made), base::as_text(event.json));
        wrote_ = out_.line(line_);
        if (wrote_) ++sum_.events;
    }

private:
    Status reopen() {
        auto opened = open_();
        if (!opened) return opened.error();
        spool_ = std::move(*opened);
        return {};
    }

    /// None: the class is not there any more (another gateway with other classes cannot have come while we read: not to be expected).
    [[nodiscard]] std::optional<data::ClassIndex> index_of(const std::string& name) const {
        const auto& classes = spool_->classes();
        for (std::size_t i = 0; i < classes.size(); ++i) {
            if (classes[i].name == name) return data::ClassIndex(static_cast<std::uint8_t>(i));
        }
        return std::nullopt;
    }

    Status numbers(std::uint64_t first, std::uint64_t last, std::string_view reason, std::uint64_t& count) {
        count += last - first + 1;
        return out_.line(fmt::format("{{\"class\":{},\"epoch\":{},\"first\":{},\"last\":{},\"gone\":\"{}\"}}", class_text_, sum_.epoch,
                                     first, last, reason));
    }

    Status write_class(const std::string& name) {
        class_text_ = json_text(name);
        auto index = index_of(name);
        if (!index) return {};
        // What waits now is what is wanted: events that come while we read are for the next time.
        const data::Sequence end = spool_->durable_end(*index);
        data::Sequence next = std::max(spool_->first_waiting(*index), data::Sequence(options_.after + 1));
        for (unsigned attempts = 0; next < end;) {
            const auto found = spool_->read(*index, next, {}, *this);
            if (!wrote_) return wrote_;
            if (found && found->next > next) {
                attempts = 0;
                if (auto told = tell_gap(*found); !told) return told;
                next = found->next;
                continue;
            }
            if (++attempts == kAttempts) return numbers(next.value(), end.value() - 1, "unread", sum_.unread);
            if (found || found.error().code != Errc::not_found) continue;
            if (auto opened = reopen(); !opened) return opened;
            index = index_of(name);
            if (!index) return numbers(next.value(), end.value() - 1, "unread", sum_.unread);
            const data::Sequence first = std::min(spool_->first_waiting(*index), end);
            if (first <= next) continue;
            if (auto told = numbers(next.value(), first.value() - 1, "settled", sum_.settled); !told) return told;
            next = first;
        }
        return {};
    }

    Status tell_gap(const spool::ReadResult& found) {
        if (!found.gap) return {};
        const bool damage = found.gap->reason == base::DropReason::corrupt;
        return numbers(found.gap->first.value(), found.gap->last.value(), base::name(found.gap->reason), damage ? sum_.damaged : sum_.gone);
    }

    const OpenSpool& open_;
    const SpoolExportOptions& options_;
    LineOutput& out_;
    std::unique_ptr<spool::Spool> spool_;
    std::string class_text_;
    std::string line_;
    Status wrote_;
    SpoolExported sum_;
};

struct Command {
    std::string file;
    std::string out;
    SpoolExportOptions options;
};

void fail(Exit& exit, int code, const std::string& text) {
    std::fputs(text.c_str(), stderr);
    exit.code = code;
}

void run(const Command& command, Exit& exit) {
    SpoolPlace place(command.file, exit);
    const auto view = place.open_or_explain();
    if (!view) return;
    const auto& classes = view->classes();
    const auto is_wanted = [&](const spool::ClassOptions& each) { return each.name == command.options.only_class; };
    if (!command.options.only_class.empty() && std::none_of(classes.begin(), classes.end(), is_wanted)) {
        std::string names;
        for (const auto& each : classes) names += (names.empty() ? "" : ", ") + each.name;
        return fail(exit, kExitUsage, fmt::format("sluice: no class '{}'; there are: {}\n", command.options.only_class, names));
    }
    StandardLines standard;
    std::unique_ptr<FileLines> file;
    if (!command.out.empty()) {
        auto created = FileLines::create(place.files(), command.out);
        if (!created)
            return fail(exit, kExitFailed, fmt::format("sluice: {} cannot be written: {}\n", command.out, base::describe(created.error())));
        file = std::move(*created);
    }
    LineOutput& out = file ? static_cast<LineOutput&>(*file) : standard;
    auto done = spool_export([&] { return place.open(); }, command.options, out);
    if (done) {
        if (auto finished = file ? file->finish() : StandardLines::finish(); !finished) done = finished.error();
    }
    const std::string where = command.out.empty() ? "standard output" : command.out;
    if (!done) return fail(exit, kExitFailed, fmt::format("sluice: export to {} failed: {}\n", where, base::describe(done.error())));
    fmt::print(stderr, "{}: {} events; {} had been dropped before, {} were delivered or dropped meanwhile\n",
               done->complete() ? "complete" : "NOT COMPLETE", done->events, done->gone, done->settled);
    if (done->complete()) return;
    fail(exit, kExitFailed,
         fmt::format("sluice: {} events that waited are damaged, {} could not be read (sluice spool verify says where)\n", done->damaged,
                     done->unread));
}

}  // namespace

Result<SpoolExported> spool_export(const OpenSpool& open, const SpoolExportOptions& options, LineOutput& out) {
    return Export(open, options, out).run();
}

void add_spool_export(CLI::App& spool, Exit& exit) {
    auto options = std::make_shared<Command>();
    auto* command = spool.add_subcommand("export", "all waiting events as lines of JSON, to carry them to the cloud by hand");
    command->add_option("-c,--config", options->file, "the gateway's configuration (YAML)")->required();
    auto* only = command->add_option("--class", options->options.only_class, "only this class");
    command->add_option("--after", options->options.after, "only events with later sequence numbers than this; of one class")->needs(only);
    command->add_option("--out", options->out, "this file, which appears when it is whole (mode 0600); default: standard output");
    command->callback([options, &exit] { run(*options, exit); });
}

}  // namespace sluice::cli
