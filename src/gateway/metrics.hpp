// Prometheus metrics of a gateway: GET /metrics. docs/metrics.md is made from the same tables (a test compares).
#pragma once

#include <span>
#include <string>

#include "gateway/backbone.hpp"
#include "gateway/session_gauges.hpp"

namespace sluice::gateway {

/// Text exposition format 0.0.4.
[[nodiscard]] std::string metrics_text(const BackboneView& view, const SessionGauges& sessions, std::span<ShardGauges* const> shards,
                                       const SignInGauges& sign_ins, double uptime_s);

/// docs/metrics.md.
[[nodiscard]] std::string metrics_page();

}  // namespace sluice::gateway
