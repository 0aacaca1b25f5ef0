// /api/v1/rules: the rules with what they did, and changes of them while the gateway runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "env/posix/http_server.hpp"
#include "gateway/rule_control.hpp"
#include "gateway/rule_query.hpp"

namespace sluice::gateway {

/// Asks the shards and waits for them: the API's thread only, which produces for all the boxes.
class RulesApi {
public:
    /// `may_change`: the API is reachable from this machine only.
    RulesApi(RuleControl& control, std::vector<RuleQueryBox*> shards, bool may_change)
        : control_(control), shards_(std::move(shards)), may_change_(may_change) {}

    static constexpr std::string_view kPath = "/api/v1/rules";
    /// `/api/v1/rules` or what is below it.
    [[nodiscard]] static bool handles(std::string_view path);
    [[nodiscard]] posix::HttpResponse answer(const posix::HttpRequest& request);

    /// Of those that run: name and figures. Nothing where a shard is too busy.
    [[nodiscard]] std::vector<std::pair<std::string, RuleFigures>> figures();

private:
    [[nodiscard]] posix::HttpResponse list(const posix::HttpRequest& request);
    [[nodiscard]] posix::HttpResponse show(const std::string& id);
    [[nodiscard]] posix::HttpResponse change(RuleOrder order);
    enum class Answer : std::uint8_t { all, others /* a shard has other rules by now */, busy };
    /// Figures by place in the ruleset.
    [[nodiscard]] Answer ask(const std::shared_ptr<const Ruleset>& about, std::vector<RuleFigures>& figures);

    RuleControl& control_;
    std::vector<RuleQueryBox*> shards_;
    bool may_change_;
};

}  // namespace sluice::gateway
