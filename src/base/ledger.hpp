// The ledger's vocabulary: why a message can be dropped. One table; the status API, the metrics and docs/metrics.md are made from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::base {

enum class DropReason : std::uint8_t {
    ttl,
    spool_full,
    disk_full,
    corrupt,
    too_large,
    late,
    bad_value,
    queue_full,
    malformed,
    state_full,
    denied,
};
inline constexpr std::size_t kDropReasons = 11;

struct DropReasonInfo {
    DropReason reason;
    std::string_view name;
    std::string_view text;
};

inline constexpr std::array<DropReasonInfo, kDropReasons> kDropReasonTable{{
    {DropReason::ttl, "ttl", "an event waited longer than its class's time to live"},
    {DropReason::spool_full, "spool_full", "spool.max_bytes was reached; the oldest of the lowest class went first"},
    {DropReason::disk_full, "disk_full", "the disk itself was full; the oldest of the lowest class went first"},
    {DropReason::corrupt, "corrupt", "stored bytes failed their check and could not be read back"},
    {DropReason::too_large, "too_large", "larger than a record, a payload or a packet may be"},
    {DropReason::late, "late", "a reading for a window that had closed"},
    {DropReason::bad_value, "bad_value", "NULL, text, NaN or infinity where a number was needed, or a division by zero"},
    {DropReason::queue_full, "queue_full", "a subscriber was too slow and its queue was full"},
    {DropReason::malformed, "malformed", "a payload that a rule reads is not valid JSON"},
    {DropReason::state_full, "state_full", "a rule's limit of keys was reached; readings of further keys are not evaluated by it"},
    {DropReason::denied, "denied", "a client published what it may not"},
}};

[[nodiscard]] constexpr std::string_view name(DropReason reason) { return kDropReasonTable[static_cast<std::size_t>(reason)].name; }

/// Counts by reason.
using DropCounts = std::array<std::uint64_t, kDropReasons>;

}  // namespace sluice::base
