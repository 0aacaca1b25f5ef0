#include "cli/rule_try.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/address_options.hpp"
#include "cli/catalog_options.hpp"
#include "cli/exit.hpp"
#include "cli/mqtt_link.hpp"
#include "cli/rule_problem.hpp"
#include "codec/json/writer.hpp"
#include "codec/mqtt/decode.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"
#include "flow/rules/engine.hpp"
#include "manage/access/filter_relation.hpp"

namespace sluice::cli {
namespace {

struct TryOptions {
    AddressOptions at{.flag = "--at"};
    std::string sql;
    CatalogOptions catalog;
    std::uint64_t count = 0;
    double seconds = 0;
    bool json = false;
};

/// Of filters that cover each other the wider one: a broker may send a message once for each that matches.
std::vector<std::string> wanted(std::vector<std::string> filters) {
    std::sort(filters.begin(), filters.end());
    filters.erase(std::unique(filters.begin(), filters.end()), filters.end());
    std::vector<std::string> out;
    for (const std::string& filter : filters) {
        const bool covered = std::any_of(filters.begin(), filters.end(), [&filter](const std::string& other) {
            return &other != &filter && access::covers(other, filter) && !(access::covers(filter, other) && &other > &filter);
        });
        if (!covered) out.push_back(filter);
    }
    return out;
}

/// One run of the command.
class Trial final : private MqttLinkUser, private rules::Output {
public:
    Trial(const TryOptions& options, MqttLinkOptions link, const rules::Compiled& compiled)
        : options_(options),
          filters_(wanted(compiled.rules[0].filters)),
          // What a broker sends is what it takes: no limit of ours.
          engine_(compiled.plan, {.payload_bytes_max = std::size_t{256} * 1024 * 1024}),
          loop_(clock_, std::chrono::microseconds(0)),
          signals_(loop_),
          link_(loop_, std::move(link), *this) {
        // Rules see what is published, not what is retained.
        for (const auto& filter : filters_)
            subscriptions_.push_back(
                {.filter = filter, .qos = mqtt::Qos::at_least_once, .retain_handling = mqtt::RetainHandling::do_not_send});
    }

    int run() {
        link_.open();
        while (!done_ && !link_.failure()) {
            loop_.run_once(wake_at());
            on_time(clock_.now());
            if (std::fflush(stdout) != 0 || signals_.requested()) done_ = true;  // whoever reads us has left, or who started us wants it
        }
        if (link_.failure()) {
            fmt::print(stderr, "rule try: error: {}\n", *link_.failure());
            code_ = kExitFailed;
        }
        report();
        link_.close();
        while (!link_.failure() && !link_.closed() && !signals_.impatient()) loop_.run_once(loop_.now() + std::chrono::milliseconds(100));
        return code_;
    }

private:
    void on_up() override {
        if (!link_.subscribe(subscriptions_)) return fail(fmt::format("{} does not take that many filters", link_.address()));
        if (!end_at_ && options_.seconds > 0)
            end_at_ = clock_.now() + std::chrono::nanoseconds(static_cast<std::int64_t>(options_.seconds * 1e9));
    }

    void on_acked(mqtt::PacketId, base::ByteView codes) override {
        for (std::size_t i = 0; i < codes.size() && i < filters_.size(); ++i) {
            const auto code = static_cast<mqtt::ReasonCode>(codes[i]);
            if (mqtt::is_error(code)) fail(fmt::format("{} refuses the filter {}: {}", link_.address(), filters_[i], mqtt::name(code)));
        }
        if (!done_) fmt::print(stderr, "rule try: listening at {}\n", link_.address());
    }

    void on_message(const mqtt::Publish& message) override {
        if (done_ || message.retain) return;
        ++taken_;
        payload_.assign(message.payload.begin(), message.payload.end());
        payload_.resize(message.payload.size() + data::kReadablePadding);
        engine_.process({.topic = message.topic,
                         .payload = base::ByteView(payload_).first(message.payload.size()),
                         .client = {},
                         .arrived = clock_.wall().time,
                         .at = clock_.now()},
                        rules::kAllPartitions, *this);
    }

    void on_pong() override {}
    void on_down(const std::string& why) override { fmt::print(stderr, "rule try: {}; trying again\n", why); }

    void emit(const rules::OutputRow& row) override {
        if (done_) return;
        line_.clear();
        json::append_on_one_line(line_, base::as_text(row.json));
        line_.push_back('\n');
        ++rows_;
        done_ = std::fwrite(line_.data(), 1, line_.size(), stdout) != line_.size() || rows_ == options_.count;
    }
    void forward(data::ShardIndex, rules::PartitionMask, const data::Reading&) override {}  // there is one shard

    void on_time(base::Monotonic now) {
        for (auto due = engine_.next_deadline(); !done_ && due && *due <= now; due = engine_.next_deadline())
            engine_.on_time(now, clock_.wall().time, *this);
        if (end_at_ && now >= *end_at_) done_ = true;
    }

    [[nodiscard]] std::optional<base::Monotonic> wake_at() const {
        std::optional<base::Monotonic> at = end_at_;
        if (const auto due = engine_.next_deadline(); due && (!at || *due < *at)) at = due;
        return at;
    }

    void fail(const std::string& why) {
        fmt::print(stderr, "rule try: error: {}\n", why);
        code_ = kExitFailed;
        done_ = true;
    }

    void report() const {
        const rules::RuleCounters& count = engine_.counters()[0];
        if (options_.json) {
            fmt::print(stderr,
                       R"({{"readings":{},"evaluated":{},"rows":{},"malformed":{},"bad_value":{},"late":{},"state_full":{}}})"
                       "\n",
                       taken_, count.evaluated, rows_, count.malformed, count.bad_value, count.late, count.state_full);
            return;
        }
        fmt::print(stderr, "rule try: {} readings, {} rows, {} malformed, {} bad values, {} late{}\n", taken_, rows_, count.malformed,
                   count.bad_value, count.late, count.state_full == 0 ? "" : fmt::format(", {} without room", count.state_full));
    }

    const TryOptions& options_;
    std::vector<std::string> filters_;
    rules::Engine engine_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    MqttLink link_;
    std::vector<mqtt::Subscription> subscriptions_;
    std::optional<base::Monotonic> end_at_;
    base::Bytes payload_;  // with what must be readable behind it
    base::Bytes line_;
    std::uint64_t taken_ = 0;
    std::uint64_t rows_ = 0;
    int code_ = kExitGood;
    bool done_ = false;
};

int run(const TryOptions& options) {
    const rules::RuleSpec spec{.id = "try", .sql = options.sql, .columns_wanted = {}};
    rules::Catalog catalog;
    if (!read_catalog(options.catalog, "rule try", catalog)) return kExitUsage;
    const rules::Compiled compiled = rules::compile({&spec, 1}, {}, catalog);
    for (const rules::SqlError& problem : compiled.problems[0]) print_problem(options.sql, problem, options.json);
    if (compiled.plan == nullptr) return kExitUsage;
    MqttLinkOptions link{.to = {}, .client_id = make_client_id("try"), .patience = {}};
    std::string problem;
    if (!make_endpoint(options.at, link.to, problem)) {
        fmt::print(stderr, "rule try: error: {}\n", problem);
        return kExitUsage;
    }
    return Trial(options, std::move(link), compiled).run();
}

}  // namespace

void add_rule_try(CLI::App& rule, Exit& exit) {
    auto options = std::make_shared<TryOptions>();
    CLI::App* command = rule.add_subcommand("try", "run one rule over the live messages of a gateway or another broker");
    command->add_option("--sql", options->sql, "the rule")->required();
    add_address_options(*command, options->at);
    add_catalog_options(*command, options->catalog);
    command->add_option("-n,--count", options->count, "end after so many rows; 0: until Ctrl-C")->capture_default_str();
    command->add_option("--seconds", options->seconds, "end after so long; 0: until Ctrl-C")
        ->check(CLI::Range(0.0, 4e6))
        ->capture_default_str();
    command->add_flag("--json", options->json, "on standard error, too, JSON lines: each problem of the SQL, at the end the counts");
    command->footer(
        "The rule runs here, as a subscriber sees the messages; nothing changes at the broker. Time windows close as time passes; those "
        "that\n"
        "are open at the end put out nothing. Retained messages are left out, and clientid() is empty: a subscriber is not told it. The\n"
        "tables of the gateway itself are named by --config. A lost connection is tried again until Ctrl-C.\n\n"
        "Examples:\n"
        "  sluice rule try --sql \"SELECT * FROM 'sensors/+/vibration' WHERE vibration > 3\"\n"
        "  sluice rule try --at mqtt://plant-7:1883 --seconds 60 --sql \"SELECT device, count(*) AS n FROM 'sensors/#' GROUP BY device, "
        "TUMBLINGWINDOW(ss, 10)\"\n"
        "  sluice rule try --config gateway.yaml -n 10 --sql \"SELECT s.device, m.limit FROM 'sensors/#' AS s JOIN machines AS m ON m.id = "
        "s.device WHERE s.vibration > m.limit\"\n"
        "\n"
        "Output: NDJSON, as rows come. Exit: 0 ended as asked, 1 the broker cannot be reached or refuses, 2 wrong SQL or use.");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
