// Exactly once: decides what of a batch is new. docs/formats/wire.md, "How the cloud applies a batch".
#pragma once

#include <cstdint>
#include <string>

#include "cloud/store.hpp"
#include "codec/json/scanner.hpp"
#include "codec/wire/batch.hpp"

namespace sluice::cloud {

struct ApplyCounts {
    std::uint64_t batches = 0;
    std::uint64_t stored = 0;        ///< events
    std::uint64_t duplicates = 0;    ///< events that were there already
    std::uint64_t gone = 0;          ///< sequence numbers that gateways reported as dropped
    std::uint64_t unexplained = 0;   ///< sequence numbers that are missing without a notice: a defect somewhere
    std::uint64_t invalid_json = 0;  ///< events whose data is not a JSON object: stored wrapped as {"_invalid":"…"}

    friend bool operator==(const ApplyCounts&, const ApplyCounts&) = default;
    ApplyCounts& operator+=(const ApplyCounts& other);
};

/// One thread. Holds no state between batches but buffers.
class Applier {
public:
    Applier();

    /// Inside a transaction of the store. On an error the counts of this call are meaningless; roll back and apply again.
    base::Status apply(EventStore& store, std::string_view gateway, const wire::Batch& batch, ApplyCounts& counts);

private:
    base::Status apply_event(EventStore& store, StreamId stream, const wire::Item& item, ApplyCounts& counts);
    [[nodiscard]] bool is_json_object(base::ByteView json);

    json::Scanner scanner_;
    json::FieldSet no_fields_;
    std::string wrapped_;
};

/// `{"_invalid":"…"}`: any bytes as valid JSON, those that are not UTF-8 replaced by U+FFFD. Replaces what `out` held.
void wrap_invalid(base::ByteView bytes, std::string& out);

}  // namespace sluice::cloud
