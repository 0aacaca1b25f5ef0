// Writes what waits in one transaction: group commit, deduplication and the gateways' rows together.
#pragma once

#include <span>

#include "cloud/applier.hpp"
#include "cloud/delivery.hpp"
#include "cloud/store.hpp"

namespace sluice::cloud {

/// The store's thread.
class StoreWriter {
public:
    explicit StoreWriter(EventStore& store) : store_(store) {}

    /// All or nothing: after an error nothing of it is stored, nothing may be acknowledged, and the same deliveries are to be written
    /// again, before any others. Errors: those of the store.
    base::Result<ApplyCounts> write(std::span<const Delivery> deliveries);

private:
    base::Result<ApplyCounts> write_all(std::span<const Delivery> deliveries);
    EventStore& store_;
    Applier applier_;
};

}  // namespace sluice::cloud
