#include "cloud/store_writer.hpp"

#include <map>
#include <string_view>

#include "base/fail_point.hpp"

namespace sluice::cloud {

base::Result<ApplyCounts> StoreWriter::write(std::span<const Delivery> deliveries) {
    auto written = write_all(deliveries);
    if (!written) store_.rollback();
    return written;
}

base::Result<ApplyCounts> StoreWriter::write_all(std::span<const Delivery> deliveries) {
    struct Seen {
        base::WallTime at{};
        std::string_view ledger;
    };
    ApplyCounts counts;
    std::map<std::string_view, Seen> gateways;  // one row each, however many messages
    if (auto begun = store_.begin(); !begun) return begun.error();
    for (const auto& delivery : deliveries) {
        auto& seen = gateways[delivery.gateway];
        seen.at = delivery.arrived;
        if (!delivery.ledger.empty()) seen.ledger = delivery.ledger;
        if (!delivery.batch) continue;
        if (auto applied = applier_.apply(store_, delivery.gateway, *delivery.batch, counts); !applied) return applied.error();
    }
    for (const auto& [gateway, seen] : gateways)
        if (auto saved = store_.save_gateway(gateway, seen.at, seen.ledger); !saved) return saved.error();
    base::pass(base::FailPoint::store_written);
    if (auto committed = store_.commit(); !committed) return committed.error();
    base::pass(base::FailPoint::store_committed);
    return counts;
}

}  // namespace sluice::cloud
