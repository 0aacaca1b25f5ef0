#include "cli/rule_explain.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/catalog_options.hpp"
#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/rule_problem.hpp"
#include "cli/table_text.hpp"
#include "env/posix/file_system.hpp"
#include "flow/rules/explain.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "gateway/ruleset.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

struct ExplainOptions {
    std::vector<std::string> sql;
    std::string config;
    CatalogOptions catalog;
    std::vector<std::string> ids;
    bool json = false;
};

/// A list of many ids is no help to anyone who reads.
std::string few(const std::vector<std::string>& ids) {
    constexpr std::size_t kFew = 5;
    if (ids.size() <= kFew) return fmt::format("{}", fmt::join(ids, ", "));
    return fmt::format("{} and {} more", fmt::join(ids.begin(), ids.begin() + kFew, ", "), ids.size() - kFew);
}

void line(std::string_view name, const std::string& text) { fmt::print("  {:<8} {}\n", name, text); }

void print_text(const rules::ExplainedRule& rule) {
    fmt::print("{}\n", rule.id);
    line("from", fmt::format("{}", fmt::join(rule.filters, ", ")));
    if (!rule.fields.empty()) line("reads", fmt::format("{}", fmt::join(rule.fields, ", ")));
    if (!rule.scan_with.empty()) line("", "one scan of the payload, with " + few(rule.scan_with));
    for (const std::string& join : rule.joins) line("join", join);
    line("runs", rule.place == "by key"      ? "on the shard that owns the key"
                 : rule.place == "one shard" ? "on one shard: it needs the whole stream"
                                             : "on the shard of the client that published");
    for (const rules::ExplainedState& state : rule.states) {
        line("state", fmt::format("{}: {} bytes {}", state.what, state.bytes_a_key,
                                  state.key.empty() ? "for the whole stream" : "for each " + state.key));
        if (state.shared_with.empty()) continue;
        line("", "shared with " + few(state.shared_with) +
                     (state.accumulators == 0 ? "" : fmt::format("; {} accumulators do for all", state.accumulators)));
    }
    if (!rule.where.empty()) line("where", rule.where);
    if (rule.found_with != 0) line("", fmt::format("decided at once for {} rules that compare the same", rule.found_with));
    if (!rule.having.empty()) line("having", rule.having);
    for (std::size_t i = 0; i < rule.columns.size(); ++i) line(i == 0 ? "gives" : "", rule.columns[i]);
    if (rule.columns.empty()) line("gives", "the payload as it came");
    if (rule.bytes_a_key != 0) line("memory", fmt::format("{} bytes a key, what earlier rules keep left out", rule.bytes_a_key));
    if (rule.states.empty()) return;
    line("bound", rule.state_bytes_max != 0   ? fmt::format("{} of its own (state.max_bytes)", size_text(rule.state_bytes_max))
                  : rule.bounded_with.empty() ? std::string("limits.rule_state")
                                              : fmt::format("limits.rule_state, put together with {}", few(rule.bounded_with)));
    line("when full", rule.forgets ? "the key that was not seen for longest is forgotten" : "new keys are refused");
}

std::string list_json(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& text : texts) out += (out.size() == 1 ? "" : ",") + json_text(text);
    return out + "]";
}

std::string to_json(const rules::ExplainedRule& rule) {
    std::string states;
    for (const rules::ExplainedState& state : rule.states)
        states +=
            fmt::format(R"({}{{"what":{},"key":{},"bytes_a_key":{},"shared_with":{},"accumulators":{}}})", states.empty() ? "" : ",",
                        json_text(state.what), json_text(state.key), state.bytes_a_key, list_json(state.shared_with), state.accumulators);
    return fmt::format(
        R"({{"id":{},"from":{},"reads":{},"scan_with":{},"joins":{},"runs":{},"states":[{}],"where":{},"decided_with":{},"having":{},"gives":{},"bytes_a_key":{},"state_bytes_max":{},"when_full":{},"bounded_with":{}}})",
        json_text(rule.id), list_json(rule.filters), list_json(rule.fields), list_json(rule.scan_with), list_json(rule.joins),
        json_text(rule.place), states, json_text(rule.where), rule.found_with, json_text(rule.having), list_json(rule.columns),
        rule.bytes_a_key, rule.state_bytes_max, json_text(rule.forgets ? "forget_oldest" : "refuse"), list_json(rule.bounded_with));
}

int explain_plan(const ExplainOptions& options, const rules::Plan& plan) {
    const auto all = rules::explain(plan);
    for (const std::string& id : options.ids) {
        if (std::any_of(all.begin(), all.end(), [&](const rules::ExplainedRule& rule) { return rule.id == id; })) continue;
        fmt::print(stderr, "rule explain: error: there is no rule {} in {}\n", id, options.config);
        return kExitUsage;
    }
    std::string json;
    bool first = true;
    for (const rules::ExplainedRule& rule : all) {
        if (!options.ids.empty() && std::find(options.ids.begin(), options.ids.end(), rule.id) == options.ids.end()) continue;
        if (options.json) {
            json += (first ? "" : ",") + to_json(rule);
        } else {
            if (!first) fmt::print("\n");
            print_text(rule);
        }
        first = false;
    }
    if (options.json) fmt::print("{{\"rules\":[{}]}}\n", json);
    return kExitGood;
}

int explain_sql(const ExplainOptions& options) {
    std::vector<rules::RuleSpec> specs;
    specs.reserve(options.sql.size());
    for (const std::string& sql : options.sql)
        specs.push_back({.id = "rule-" + std::to_string(specs.size() + 1), .sql = sql, .columns_wanted = {}});
    rules::Catalog catalog;
    if (!read_catalog(options.catalog, "rule explain", catalog)) return kExitUsage;
    const rules::Compiled compiled = rules::compile(specs, {}, catalog);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        for (const rules::SqlError& problem : compiled.problems[i]) print_problem(specs[i].sql, problem, options.json);
    }
    return compiled.plan == nullptr ? kExitUsage : explain_plan(options, *compiled.plan);
}

int explain_config(const ExplainOptions& options) {
    posix::PosixFileSystem files;
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_gateway(files, options.config, &checker, &listeners);
    std::fputs(loaded.text().c_str(), stderr);
    if (!loaded.is_valid()) return kExitUsage;
    const rules::Compiled compiled = rules::compile(gateway::specs_of(loaded.config), {}, checker.catalog());
    return compiled.plan == nullptr ? kExitUsage : explain_plan(options, *compiled.plan);
}

}  // namespace

void add_rule_explain(CLI::App& rule, Exit& exit) {
    auto* command = rule.add_subcommand("explain", "what rules read, keep and share, and where they run");
    auto options = std::make_shared<ExplainOptions>();
    auto* config = command->add_option("-c,--config", options->config, "a gateway's configuration");
    auto* sql = command->add_option("--sql", options->sql, "a rule; several times for several that run together");
    sql->excludes(config);
    add_table_option(*command, options->catalog)->excludes(config);
    command->add_option("id", options->ids, "these rules of the configuration only (they are planned with all others)")->needs(config);
    command->add_flag("--json", options->json, "print {\"rules\": […]}");
    command->footer(
        "Examples:\n"
        "  sluice rule explain -c gateway.yaml\n"
        "  sluice rule explain -c gateway.yaml vibration-anomaly --json\n"
        "  sluice rule explain --sql \"SELECT v FROM 's/+' WHERE zscore(v, 100) OVER (PARTITION BY topic(2)) > 1 + 2\"\n"
        "\n"
        "Bytes are what each key takes at least; texts and lists that state keeps come on top, and of time windows it is one pane or\n"
        "session. Exit: 0 good, 2 wrong SQL, configuration or use.");
    command->callback([options, &exit] {
        if (options->sql.empty() == options->config.empty()) {
            fmt::print(stderr, "rule explain: error: expected -c FILE or --sql SQL\n");
            exit.code = kExitUsage;
            return;
        }
        exit.code = options->config.empty() ? explain_sql(*options) : explain_config(*options);
    });
}

}  // namespace sluice::cli
