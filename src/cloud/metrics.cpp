#include "cloud/metrics.hpp"

#include <array>
#include <iterator>

#include <fmt/format.h>

namespace sluice::cloud {

namespace {

struct FrontMetric {
    std::string_view name;
    std::atomic<std::uint64_t> FrontGauges::*value;
    std::string_view text;
};
constexpr std::array kFrontMetrics{
    FrontMetric{"batches_total", &FrontGauges::batches, "batches received, resends included"},
    FrontMetric{"batch_bytes_total", &FrontGauges::batch_bytes, "their bytes as they travelled"},
    FrontMetric{"batches_refused_total", &FrontGauges::refused, "batches that do not follow the format; their connections were closed"},
    FrontMetric{"statuses_total", &FrontGauges::statuses, "status messages of gateways"},
    FrontMetric{"statuses_invalid_total", &FrontGauges::invalid_statuses, "status messages that could not be read"},
    FrontMetric{"tls_handshakes_total", &FrontGauges::tls_handshakes, "TLS connections that were made"},
    FrontMetric{"tls_failed_total", &FrontGauges::tls_failed,
                "TLS connections that were refused: no or a wrong certificate, no TLS at all"},
};

struct StoreMetric {
    std::string_view name;
    std::uint64_t ApplyCounts::*value;
    std::string_view text;
};
constexpr std::array kStoreMetrics{
    StoreMetric{"events_stored_total", &ApplyCounts::stored, "events stored"},
    StoreMetric{"events_duplicate_total", &ApplyCounts::duplicates, "events that were there already: resends after a break"},
    StoreMetric{"events_gone_total", &ApplyCounts::gone, "events that gateways reported as dropped"},
    StoreMetric{"events_unexplained_total", &ApplyCounts::unexplained,
                "events missing without a notice: a defect, or the store was put back to a backup"},
    StoreMetric{"events_invalid_json_total", &ApplyCounts::invalid_json, "events whose data was no JSON object, stored wrapped"},
};

struct OtherMetric {
    std::string_view name;
    bool gauge;
    std::string_view text;
};
// In the order in which metrics_text() writes their values.
constexpr std::array kOtherMetrics{
    OtherMetric{"uptime_seconds", true, "time since start"},
    OtherMetric{"gateways_online", true, "gateways that are connected"},
    OtherMetric{"transactions_total", false, "transactions of the store"},
    OtherMetric{"transactions_failed_total", false, "of these: rolled back and tried again"},
    OtherMetric{"store_failing", true, "1 while the store cannot be written: nothing is acknowledged"},
    OtherMetric{"store_queue_bytes", true, "decoded, not yet committed"},
};

constexpr std::string_view kPrefix = "sluice_cloud_";

std::string hub_name(const hub::CounterInfo& row) { return fmt::format("hub_{}{}", row.name, row.gauge ? "" : "_total"); }

void write(std::string& out, std::string_view name, bool gauge, std::string_view text, auto value) {
    fmt::format_to(std::back_inserter(out), "# HELP {0}{1} {2}\n# TYPE {0}{1} {3}\n{0}{1} {4}\n", kPrefix, name, text,
                   gauge ? "gauge" : "counter", value);
}

}  // namespace

std::string metrics_text(const FrontGauges& front, const StoreView& store, std::size_t gateways_online, double uptime_s) {
    std::string out;
    const std::array<double, kOtherMetrics.size()> others{uptime_s,
                                                          static_cast<double>(gateways_online),
                                                          static_cast<double>(store.transactions),
                                                          static_cast<double>(store.failures),
                                                          store.failing ? 1.0 : 0.0,
                                                          static_cast<double>(store.queued_bytes)};
    for (std::size_t i = 0; i < others.size(); ++i)
        write(out, kOtherMetrics[i].name, kOtherMetrics[i].gauge, kOtherMetrics[i].text, others[i]);
    for (const auto& row : kStoreMetrics) write(out, row.name, false, row.text, store.applied.*row.value);
    for (const auto& row : kFrontMetrics) write(out, row.name, false, row.text, (front.*row.value).load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < hub::kCounterTable.size(); ++i)
        write(out, hub_name(hub::kCounterTable[i]), hub::kCounterTable[i].gauge, hub::kCounterTable[i].text,
              front.hub[i].load(std::memory_order_relaxed));
    return out;
}

std::string metrics_rows() {
    std::string out;
    const auto row = [&out](std::string_view name, std::string_view text) {
        fmt::format_to(std::back_inserter(out), "| `{}{}` | {} |\n", kPrefix, name, text);
    };
    for (const auto& each : kOtherMetrics) row(each.name, each.text);
    for (const auto& each : kStoreMetrics) row(each.name, each.text);
    for (const auto& each : kFrontMetrics) row(each.name, each.text);
    return out;
}

}  // namespace sluice::cloud
