#include "gateway/rules_api.hpp"

#include <algorithm>
#include <chrono>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "gateway/request_guard.hpp"

namespace sluice::gateway {
namespace {

namespace json = boost::json;
using posix::HttpRequest;
using posix::HttpResponse;

constexpr std::chrono::milliseconds kPatience{2000};  // a shard answers within a few turns
constexpr int kTriesMax = 10;                         // a reload may come between the list and the figures

std::string_view name(RuleRow::State state) {
    switch (state) {
        case RuleRow::State::running:
            return "running";
        case RuleRow::State::paused:
            return "paused";
        case RuleRow::State::removed:
            return "removed";
        case RuleRow::State::unusable:
            return "unusable";
    }
    return {};
}

std::string_view name(config::Severity severity) {
    return severity == config::Severity::error ? "error" : severity == config::Severity::warning ? "warning" : "note";
}

json::array to_json(const std::vector<RuleTarget>& targets) {
    json::array out;
    for (const RuleTarget& target : targets) {
        out.emplace_back(target.cloud.empty() ? json::object{{"topic", target.topic}} : json::object{{"cloud", target.cloud}});
    }
    return out;
}

json::object to_json(const RuleText& text) {
    json::object out{{"sql", text.sql}, {"to", to_json(text.to)}};
    if (text.state_bytes_max != 0) out["state_max_bytes"] = text.state_bytes_max;
    if (text.forget_oldest) out["state_when_full"] = "forget_oldest";
    return out;
}

json::object to_json(const RuleRow& row, const std::vector<RuleFigures>& figures) {
    json::object out{{"id", row.id}};
    for (auto& [key, value] : to_json(row.text)) out[key] = std::move(value);
    out["origin"] = row.from_api ? "api" : "file";
    out["state"] = name(row.state);
    if (row.file) out["file"] = to_json(*row.file);
    if (row.unusable) out["unusable"] = to_json(*row.unusable);
    if (!row.problems.empty()) out["problems"] = json::array(row.problems.begin(), row.problems.end());
    const RuleFigures none;
    const RuleFigures& its = row.place && *row.place < figures.size() ? figures[*row.place] : none;
    const rules::RuleCounters& count = its.counters;
    out["counters"] = json::object{{"evaluated", count.evaluated},
                                   {"gated", count.gated},
                                   {"rows", count.rows},
                                   {"malformed", count.malformed},
                                   {"bad_value", count.bad_value},
                                   {"late", count.late},
                                   {"state_full", count.state_full},
                                   {"keys_forgotten", count.keys_forgotten},
                                   {"windows_forgotten", count.windows_forgotten}};
    out["keys"] = its.state.keys;
    out["state_bytes"] = its.state.bytes;
    out["state_bytes_max"] = its.state.bytes_max;
    out["state_rules"] = its.state.rules;
    return out;
}

json::array to_json(const std::vector<RuleProblem>& problems) {
    json::array out;
    for (const RuleProblem& each : problems) {
        json::object row{{"severity", name(each.problem.severity)},
                         {"key", each.problem.key},
                         {"line", each.problem.at.line},
                         {"column", each.problem.at.column},
                         {"message", each.problem.message}};
        if (each.in_sql) {
            row["sql_line"] = each.in_sql->line;
            row["sql_column"] = each.in_sql->column;
        }
        out.emplace_back(std::move(row));
    }
    return out;
}

HttpResponse in_json(const json::object& body, int status = 200) {
    HttpResponse out;
    out.status = status;
    out.body = json::serialize(body) + "\n";
    return out;
}

/// The first mistake as the message, all of them beside it.
HttpResponse wrong(const std::vector<RuleProblem>& problems) {
    const auto first = std::find_if(problems.begin(), problems.end(),
                                    [](const RuleProblem& each) { return each.problem.severity == config::Severity::error; });
    std::string message = first == problems.end() ? "the rule cannot be used" : first->problem.message;
    if (first != problems.end() && first->in_sql)
        message += fmt::format(" (line {}, column {} of the SQL)", first->in_sql->line, first->in_sql->column);
    return in_json({{"error", json::object{{"status", 422}, {"message", message}}}, {"problems", to_json(problems)}}, 422);
}

}  // namespace

bool RulesApi::handles(std::string_view path) {
    return path.starts_with(kPath) && (path.size() == kPath.size() || path[kPath.size()] == '/');
}

HttpResponse RulesApi::answer(const HttpRequest& request) {
    std::string id = request.path.size() > kPath.size() ? request.path.substr(kPath.size() + 1) : std::string();
    std::string action;
    if (const auto slash = id.find('/'); slash != std::string::npos) {
        action = id.substr(slash + 1);
        id.resize(slash);
    }
    if (request.method == "GET" && action.empty()) return id.empty() ? list(request) : show(id);
    const bool acts = !id.empty() && (action == "pause" || action == "resume");
    const bool changes =
        request.method == "POST" ? acts : !id.empty() && action.empty() && (request.method == "PUT" || request.method == "DELETE");
    if (!changes) {
        return HttpResponse::problem(405,
                                     "GET /api/v1/rules lists; GET, PUT and DELETE /api/v1/rules/ID show, change and remove one; "
                                     "POST /api/v1/rules/ID/pause and …/resume");
    }
    if (!is_ours(request))
        return HttpResponse::problem(403, "a page of another site asks, or this gateway was asked for by a name that is not its own");
    if (!may_change_) return HttpResponse::problem(403, "rules can be changed only where listen.http is an address of this machine");
    const bool revert = request.query.contains("revert");
    for (const auto& [parameter, value] : request.query) {
        if (parameter == "revert" && request.method == "DELETE" && value.empty()) continue;
        return HttpResponse::problem(400, fmt::format("unknown parameter '{}'; DELETE takes 'revert', without a value", parameter));
    }
    if (request.method == "PUT") return change({.kind = RuleOrder::Kind::put, .id = std::move(id), .body = request.body});
    if (request.method == "DELETE")
        return change({.kind = revert ? RuleOrder::Kind::revert : RuleOrder::Kind::remove, .id = std::move(id)});
    return change({.kind = action == "pause" ? RuleOrder::Kind::pause : RuleOrder::Kind::resume, .id = std::move(id)});
}

HttpResponse RulesApi::list(const HttpRequest& request) {
    std::string search;
    for (const auto& [parameter, value] : request.query) {
        if (parameter != "search") return HttpResponse::problem(400, fmt::format("unknown parameter '{}'; there is: search", parameter));
        search = value;
    }
    for (int tries = 0; tries < kTriesMax; ++tries) {
        const RuleListing listing = control_.list(search);
        std::vector<RuleFigures> figures;
        const Answer answer = ask(listing.ruleset, figures);
        if (answer == Answer::busy) break;
        if (answer == Answer::others) continue;
        json::array rows;
        for (const RuleRow& row : listing.rows) rows.emplace_back(to_json(row, figures));
        const std::size_t total = rows.size();
        return in_json({{"rules", std::move(rows)}, {"total", total}});
    }
    return HttpResponse::problem(503, "a shard is too busy to answer; try again");
}

HttpResponse RulesApi::show(const std::string& id) {
    for (int tries = 0; tries < kTriesMax; ++tries) {
        const auto listing = control_.find(id);
        if (!listing) return HttpResponse::problem(404, "there is no rule of this name");
        std::vector<RuleFigures> figures;
        const Answer answer = ask(listing->ruleset, figures);
        if (answer == Answer::all) return in_json(to_json(listing->rows.front(), figures));
        if (answer == Answer::busy) break;
    }
    return HttpResponse::problem(503, "a shard is too busy to answer; try again");
}

HttpResponse RulesApi::change(RuleOrder order) {
    const RuleOutcome outcome = control_.change(order);
    switch (outcome.status) {
        case RuleOutcome::Status::unknown:
            return HttpResponse::problem(404, "there is no rule of this name");
        case RuleOutcome::Status::wrong:
            return wrong(outcome.problems);
        case RuleOutcome::Status::too_large:
            return HttpResponse::problem(
                413, fmt::format("all changes together would have more than {} MiB; move rules to the configuration file",
                                 RuleOverlay::kBytesMax >> 20));
        case RuleOutcome::Status::storage:
            return HttpResponse::problem(503, fmt::format("the change cannot be written to disk, nothing changed: {}", outcome.message));
        case RuleOutcome::Status::busy:
            return HttpResponse::problem(503, "storage does not answer, nothing changed; try again");
        case RuleOutcome::Status::done:
        case RuleOutcome::Status::created:
            break;
    }
    const auto listing = control_.find(order.id);
    json::object body{{"id", order.id}, {"state", listing ? name(listing->rows.front().state) : "gone"}};
    if (!outcome.problems.empty()) body["problems"] = to_json(outcome.problems);
    return in_json(body, outcome.status == RuleOutcome::Status::created ? 201 : 200);
}

RulesApi::Answer RulesApi::ask(const std::shared_ptr<const Ruleset>& about, std::vector<RuleFigures>& figures) {
    auto query = std::make_shared<RuleQuery>(about, shards_.size());
    bool all = true;
    for (RuleQueryBox* shard : shards_) {
        auto copy = query;
        all = shard->push(std::move(copy)) && all;
    }
    if (!all || !query->wait(kPatience)) return Answer::busy;
    auto rows = query->take_rows();
    if (!rows) return Answer::others;
    figures = std::move(*rows);
    return Answer::all;
}

std::vector<std::pair<std::string, RuleFigures>> RulesApi::figures() {
    std::vector<std::pair<std::string, RuleFigures>> out;
    for (int tries = 0; tries < kTriesMax; ++tries) {
        const auto ruleset = control_.ruleset();
        std::vector<RuleFigures> figures;
        const Answer answer = ask(ruleset, figures);
        if (answer == Answer::busy) break;
        if (answer == Answer::others) continue;
        const auto infos = ruleset->plan->rules();
        for (std::size_t i = 0; i < infos.size(); ++i) out.emplace_back(infos[i].id, figures[i]);
        break;
    }
    return out;
}

}  // namespace sluice::gateway
