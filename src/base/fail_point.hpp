// Named places where a process can be made to die, so that tests (and whoever wants to rehearse a crash) see what is left behind each:
// `SLUICE_FAILPOINT=spool-block-synced:3 sluice gateway …` ends there on the third visit, as by kill -9. None is on a path of single
// messages.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace sluice::base {

enum class FailPoint : std::uint8_t {
    spool_segment_made,
    spool_block_written,
    spool_block_synced,
    spool_folder_synced,
    spool_manifest_written,
    spool_manifest_synced,
    spool_segment_removed,
    journal_synced,
    events_committed,
    cloud_acknowledged,
    state_written,
    state_renamed,
    rules_written,
    rules_renamed,
    sessions_committed,
    store_written,
    store_committed,
};

struct FailPointInfo {
    FailPoint point;
    std::string_view name;
    std::string_view tier;
    std::string_view text;
};

inline constexpr std::array kFailPointTable{
    FailPointInfo{FailPoint::spool_segment_made, "spool-segment-made", "gateway", "a segment's file is there, empty"},
    FailPointInfo{FailPoint::spool_block_written, "spool-block-written", "gateway", "a block is written, not synced"},
    FailPointInfo{FailPoint::spool_block_synced, "spool-block-synced", "gateway", "a block is synced, its folder perhaps not"},
    FailPointInfo{FailPoint::spool_folder_synced, "spool-folder-synced", "gateway", "a new segment with its first block is in the folder"},
    FailPointInfo{FailPoint::spool_manifest_written, "spool-manifest-written", "gateway", "a manifest is written, not synced"},
    FailPointInfo{FailPoint::spool_manifest_synced, "spool-manifest-synced", "gateway", "a manifest is synced"},
    FailPointInfo{FailPoint::spool_segment_removed, "spool-segment-removed", "gateway", "a delivered segment's file is gone"},
    FailPointInfo{FailPoint::journal_synced, "journal-synced", "gateway",
                  "turns of rules are synced with the events that come of them, nothing is acknowledged"},
    FailPointInfo{FailPoint::events_committed, "events-committed", "gateway", "events are durable, nothing is acknowledged"},
    FailPointInfo{FailPoint::cloud_acknowledged, "cloud-acknowledged", "gateway", "the cloud has acknowledged, nothing notes it"},
    FailPointInfo{FailPoint::state_written, "state-written", "gateway", "a checkpoint is written beside the old one"},
    FailPointInfo{FailPoint::state_renamed, "state-renamed", "gateway", "it has replaced the old one, the folder is not synced"},
    FailPointInfo{FailPoint::rules_written, "rules-written", "gateway", "rules changed at run time are written beside the old ones"},
    FailPointInfo{FailPoint::rules_renamed, "rules-renamed", "gateway", "they have replaced the old ones, the folder is not synced"},
    FailPointInfo{FailPoint::sessions_committed, "sessions-committed", "gateway", "sessions are committed, nothing is acknowledged"},
    FailPointInfo{FailPoint::store_written, "store-written", "cloud", "a transaction is complete, not committed"},
    FailPointInfo{FailPoint::store_committed, "store-committed", "cloud", "it is committed, nothing is acknowledged"},
};

/// Set once, before threads; null where nobody asked.
inline std::atomic<void (*)(FailPoint)> fail_point_hook{nullptr};

inline void pass(FailPoint point) {
    if (auto* hook = fail_point_hook.load(std::memory_order_relaxed); hook != nullptr) hook(point);
}

}  // namespace sluice::base
