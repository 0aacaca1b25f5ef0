// Prometheus metrics of a gateway: GET /metrics. docs/metrics.md is made from the same tables (a test compares).
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gateway/backbone.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/rule_query.hpp"
#include "gateway/session_gauges.hpp"
#include "gateway/table_watch.hpp"

namespace sluice::gateway {

/// Text exposition format 0.0.4.
[[nodiscard]] std::string metrics_text(const BackboneView& view, const SessionGauges& sessions, std::span<ShardGauges* const> shards,
                                       const SignInGauges& sign_ins, const BridgeList& bridges, std::span<const TableGauges> tables,
                                       const KeyView& keys, double uptime_s);

/// docs/metrics.md.
[[nodiscard]] std::string metrics_page();

/// Of each rule. Empty where there is none.
[[nodiscard]] std::string rule_metrics_text(const std::vector<std::pair<std::string, RuleFigures>>& rules);

}  // namespace sluice::gateway
