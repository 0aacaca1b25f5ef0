#include "gateway/rule_book.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "gateway/rule_checker.hpp"
#include "manage/config/load.hpp"
#include "manage/config/source.hpp"

namespace sluice::gateway {
namespace {

using Status = RuleOutcome::Status;

bool is_fatal(const RuleDefect& defect) { return defect.error.severity != rules::Severity::warning; }

/// The configuration with other rules.
config::GatewayConfig with_rules(const config::GatewayConfig& config, std::vector<config::RuleConfig> rules) {
    config::GatewayConfig out;
    out.uplink.classes = config.uplink.classes;
    out.rules = std::move(rules);
    return out;
}

RuleProblem problem_in(const RuleDefect& defect, const config::RuleConfig& rule) {
    RuleProblem out{problem_of(defect, rule, {}), {}};
    if (out.problem.not_built) out.problem.severity = config::Severity::error;
    if (defect.in_sql()) out.in_sql = config::Source(rule.sql.value).position(defect.error.offset);
    return out;
}

}  // namespace

RuleBook::RuleBook(config::GatewayConfig& config, rules::Catalog catalog)
    : config_(config), catalog_(std::move(catalog)), ruleset_(check_rules(config, catalog_).ruleset) {}

RuleBook::Merged RuleBook::merge(const RuleOverlay& overlay, const config::GatewayConfig& config, const rules::Catalog& catalog) {
    Merged out;
    std::vector<std::string> without;
    for (;;) {
        const auto merged = with_rules(config, overlay.merge(config.rules, config.uplink.classes, without));
        CheckedRules checked = check_rules(merged, catalog);
        if (checked.ruleset != nullptr) {
            out.ruleset = std::move(checked.ruleset);
            return out;
        }
        const std::size_t before = without.size();
        const auto blame = [&](const std::string& id, std::string problem) {
            const RuleChange* change = overlay.find(id);
            if (change == nullptr || change->kind != RuleChange::Kind::put) return;
            auto known = std::find_if(out.unusable.begin(), out.unusable.end(), [&](const Unusable& each) { return each.id == id; });
            if (known == out.unusable.end()) {
                without.push_back(id);
                known = out.unusable.insert(known, {id, {}});
            }
            known->problems.push_back(std::move(problem));
        };
        for (const RuleDefect& defect : checked.defects) {
            if (is_fatal(defect)) blame(merged.rules[defect.rule].id.value, problem_in(defect, merged.rules[defect.rule]).problem.message);
        }
        if (without.size() > before) continue;
        // Either there are too many rules together, or the file's own do not fit the tables any more.
        for (const auto& [id, change] : overlay.changes()) blame(id, "there are too many rules with those that were put at run time");
        if (without.size() == before) return out;
    }
}

const config::RuleConfig* RuleBook::in_file(const std::string& id) const {
    const auto found = std::find_if(config_.rules.begin(), config_.rules.end(), [&](const auto& rule) { return rule.id.value == id; });
    return found == config_.rules.end() ? nullptr : &*found;
}

bool RuleBook::exists(const std::string& id) const {
    const RuleChange* change = overlay_.find(id);
    if (change == nullptr || change->kind == RuleChange::Kind::none) return in_file(id) != nullptr;
    return change->kind == RuleChange::Kind::put;
}

bool RuleBook::open(std::unique_ptr<RuleOverlayStore> store) {
    store_ = std::move(store);
    auto loaded = store_->load();
    if (!loaded) {
        const auto moved = store_->put_aside();
        spdlog::error("rules: the changes made at run time cannot be read ({}): the rules of {} run as they stand there; the file is {}",
                      base::describe(loaded.error()), config_.file, moved ? "kept as " + *moved : "left where it is");
        return false;
    }
    overlay_ = std::move(*loaded);
    if (overlay_.empty()) return false;
    const auto given_up = overlay_.reconcile(config_.rules);
    for (const auto& id : given_up)
        spdlog::warn("rules: {} has changed rule {}: what was changed at run time is given up", config_.file, id);
    if (!given_up.empty()) {
        if (auto saved = store_->save(overlay_); !saved) spdlog::warn("rules: changes not written: {}", base::describe(saved.error()));
    }
    auto merged = merge(overlay_, config_, catalog_);
    if (merged.ruleset == nullptr) return false;  // the file's alone fit: they were compiled
    ruleset_ = std::move(merged.ruleset);
    unusable_ = std::move(merged.unusable);
    tell();
    return true;
}

base::Result<std::optional<identity::KeyNumber>> RuleBook::use_keys(const identity::KeyRing& keys) {
    store_->use(keys);
    auto key = store_->key();
    if (!key || !*key || **key == keys.newest()) return key;
    if (auto saved = store_->save(overlay_); !saved) return saved.error();
    return store_->key();
}

/// What runs otherwise than the file says must not be a surprise to who reads the log.
void RuleBook::tell() const {
    for (const std::string& sentence : sentences(overlay_)) spdlog::info("rules {}", sentence);
    for (const Unusable& each : unusable_)
        spdlog::error("rules: {} was put at run time and cannot be used: {}", each.id, fmt::join(each.problems, "; "));
}

RuleOutcome RuleBook::put(const RuleOrder& order, RuleOverlay& next) const {
    RuleOutcome out;
    config::LoadedRule loaded = config::read_rule(order.body, order.id, config_.uplink.classes);
    const config::Problems problems = config::as_refusal(std::move(loaded.problems));
    for (const auto& problem : problems) out.problems.push_back({problem, {}});
    if (!config::is_valid(problems)) {
        out.status = Status::wrong;
        return out;
    }
    bool fatal = false;
    for (const RuleDefect& defect : check_rules(with_rules(config_, {loaded.rule}), catalog_).defects) {
        fatal = fatal || is_fatal(defect);
        out.problems.push_back(problem_in(defect, loaded.rule));
    }
    out.status = fatal ? Status::wrong : exists(order.id) ? Status::done : Status::created;
    next.put(order.id, in_file(order.id), text_of(loaded.rule));
    return out;
}

RuleOutcome RuleBook::change(const RuleOrder& order, const Force& force) {
    const bool known = exists(order.id);
    if (!known && order.kind != RuleOrder::Kind::put && (order.kind != RuleOrder::Kind::revert || overlay_.find(order.id) == nullptr))
        return {.status = Status::unknown};
    RuleOverlay next = overlay_;
    RuleOutcome out;
    switch (order.kind) {
        case RuleOrder::Kind::put:
            out = put(order, next);
            if (out.status == Status::wrong) return out;
            break;
        case RuleOrder::Kind::remove:
            next.remove(order.id, in_file(order.id));
            break;
        case RuleOrder::Kind::revert:
            next.revert(order.id);
            break;
        case RuleOrder::Kind::pause:
        case RuleOrder::Kind::resume:
            next.pause(order.id, order.kind == RuleOrder::Kind::pause);
            break;
    }
    if (next == overlay_) return out;
    RuleOutcome installed = install(std::move(next), order, force);
    if (installed.status != Status::done) return installed;
    return out;
}

RuleOutcome RuleBook::install(RuleOverlay&& next, const RuleOrder& order, const Force& force) {
    auto merged = merge(next, config_, catalog_);
    if (merged.ruleset == nullptr)
        return {.status = Status::wrong,
                .problems = {{{.key = "tables", .message = "rules of the file do not fit their tables any more: see `sluice check`"}, {}}}};
    const auto unusable =
        std::find_if(merged.unusable.begin(), merged.unusable.end(), [&](const Unusable& each) { return each.id == order.id; });
    if (order.kind == RuleOrder::Kind::put && unusable != merged.unusable.end()) {
        RuleOutcome out{.status = Status::wrong};
        for (auto& text : unusable->problems) out.problems.push_back({{.key = "sql", .message = std::move(text)}, {}});
        return out;
    }
    if (auto saved = store_->save(next); !saved) {
        if (saved.error().code == base::Errc::too_large) return {.status = Status::too_large};
        spdlog::error("rules: the change of {} was not written: {}", order.id, base::describe(saved.error()));
        // The file may have got it all the same. If this fails, too, nobody was promised either.
        (void)store_->save(overlay_);
        return {.status = Status::storage, .message = base::describe(saved.error())};
    }
    if (!force(merged.ruleset)) {
        if (auto back = store_->save(overlay_); !back)
            spdlog::error("rules: the change of {} was refused, but stands on disk: {}", order.id, base::describe(back.error()));
        return {.status = Status::busy};
    }
    overlay_ = std::move(next);
    unusable_ = std::move(merged.unusable);
    ruleset_ = std::move(merged.ruleset);
    return {};
}

Status RuleBook::take_file(const config::GatewayConfig& config, rules::Catalog catalog, const Force& force) {
    RuleOverlay next = overlay_;
    const auto given_up = next.reconcile(config.rules);
    auto merged = merge(next, config, catalog);
    if (merged.ruleset == nullptr) return Status::wrong;
    if (!force(merged.ruleset)) return Status::busy;
    catalog_ = std::move(catalog);
    config_.rules = config.rules;
    for (const auto& id : given_up)
        spdlog::warn("rules: {} has changed rule {}: what was changed at run time is given up", config.file, id);
    // Not written: at the next start the file overtakes it once more.
    if (!given_up.empty()) {
        if (auto saved = store_->save(next); !saved) spdlog::warn("rules: changes not written: {}", base::describe(saved.error()));
    }
    overlay_ = std::move(next);
    unusable_ = std::move(merged.unusable);
    ruleset_ = std::move(merged.ruleset);
    if (!overlay_.empty()) tell();
    return Status::done;
}

RuleRow RuleBook::row_of(const std::string& id, const config::RuleConfig* file, const RuleChange* change) const {
    RuleRow row{.id = id, .text = {}};
    if (file != nullptr) row.text = text_of(*file);
    if (change == nullptr) return row;
    if (change->paused) row.state = RuleRow::State::paused;
    if (change->kind == RuleChange::Kind::removed) row.state = RuleRow::State::removed;
    if (change->kind != RuleChange::Kind::put) return row;
    const auto wrong = std::find_if(unusable_.begin(), unusable_.end(), [&](const Unusable& each) { return each.id == id; });
    if (wrong != unusable_.end()) {
        row.problems = wrong->problems;
        row.unusable = change->text;
        if (file == nullptr) row.state = RuleRow::State::unusable;
    } else {
        row.from_api = true;
        if (file != nullptr) row.file = std::exchange(row.text, {});
        row.text = change->text;
    }
    if (file == nullptr) {
        row.from_api = true;
        row.text = change->text;
    }
    return row;
}

void RuleBook::place_rows(std::vector<RuleRow>& rows) const {
    std::unordered_map<std::string_view, std::size_t> places;
    const auto infos = ruleset_->plan->rules();
    for (std::size_t i = 0; i < infos.size(); ++i) places.emplace(infos[i].id, i);
    for (RuleRow& row : rows) {
        if (row.state == RuleRow::State::removed) continue;
        if (const auto found = places.find(row.id); found != places.end()) row.place = found->second;
    }
}

RuleListing RuleBook::list(std::string_view search) const {
    RuleListing out{ruleset_, {}};
    const auto wanted = [search](const std::string& id) { return id.find(search) != std::string::npos; };
    std::vector<std::string_view> of_file;
    for (const auto& rule : config_.rules) {
        of_file.push_back(rule.id.value);
        if (wanted(rule.id.value)) out.rows.push_back(row_of(rule.id.value, &rule, overlay_.find(rule.id.value)));
    }
    std::sort(of_file.begin(), of_file.end());
    for (const auto& [id, change] : overlay_.changes()) {
        if (wanted(id) && !std::binary_search(of_file.begin(), of_file.end(), std::string_view(id)))
            out.rows.push_back(row_of(id, nullptr, &change));
    }
    place_rows(out.rows);
    return out;
}

std::optional<RuleListing> RuleBook::find(const std::string& id) const {
    const config::RuleConfig* file = in_file(id);
    const RuleChange* change = overlay_.find(id);
    if (file == nullptr && change == nullptr) return std::nullopt;
    RuleListing out{ruleset_, {row_of(id, file, change)}};
    place_rows(out.rows);
    return out;
}

}  // namespace sluice::gateway
