// Prometheus metrics of the cloud: GET /metrics. Names and meanings are the tables in metrics.cpp; docs/cloud.md lists them (a test
// compares).
#pragma once

#include <string>

#include "cloud/front.hpp"
#include "cloud/store_thread.hpp"

namespace sluice::cloud {

/// Text exposition format 0.0.4.
[[nodiscard]] std::string metrics_text(const FrontGauges& front, const StoreView& store, std::size_t gateways_online, double uptime_s);

/// The rows of the table in docs/cloud.md.
[[nodiscard]] std::string metrics_rows();

}  // namespace sluice::cloud
