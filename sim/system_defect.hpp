// Deliberate defects, each one that somebody could write: the rig must catch every one of them, or it proves nothing. They sit in the
// wrappers and options of the simulation (system_defect_*.cpp, system_source.cpp, system_gateway.cpp, system_cloud.cpp), never in the
// product.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/system_plan.hpp"
#include "sim/system_verdict.hpp"

namespace sluice::sim {

enum class Defect : std::uint8_t {
    none,
    // The gateway and its disk
    ack_before_fsync,
    ack_after_failed_commit,
    sync_forgotten,
    manifest_sync_forgotten,
    directory_sync_forgotten,
    sync_retried,
    short_write_ignored,
    tags_unchecked,
    wiped_when_unreadable,
    epoch_reused,
    reuse_sequences,
    // Rule state
    events_before_journal,
    journal_lacks_events,
    takes_readings_before_settled,
    // Limits and the ledger
    drop_newest,
    drop_highest_class,
    ttl_by_wall_clock,
    ledger_forgets_reason,
    drop_silently,
    gaps_forgotten_at_restart,
    // The uplink
    delete_before_ack,
    acks_beyond_oldest,
    resend_skips_first,
    backlog_before_alerts,
    never_gives_up,
    // The cloud
    cloud_acks_before_commit,
    cloud_ignores_store_errors,
    cloud_forgets_positions,
    cloud_commits_positions_apart,
    cloud_forgets_gaps,
    cloud_reorders,
};

struct DefectInfo {
    Defect defect;
    std::string_view name;
    Checker caught_by;  ///< this one at least; under other seeds it may be another
    Family family;      ///< whose seeds have the faults under which it shows
    std::string_view text;
};
inline constexpr std::array kDefects{
    DefectInfo{Defect::none, "none", Checker::none, Family::mixed, "the product as it is"},
    DefectInfo{Defect::ack_before_fsync, "ack-before-fsync", Checker::acked, Family::mixed,
               "the gateway acknowledges readings before their events are on disk"},
    DefectInfo{Defect::ack_after_failed_commit, "ack-after-failed-commit", Checker::acked, Family::mixed,
               "the gateway acknowledges readings although the commit has failed"},
    DefectInfo{Defect::sync_forgotten, "sync-forgotten", Checker::acked, Family::mixed, "segments are written and not synced"},
    DefectInfo{Defect::manifest_sync_forgotten, "manifest-sync-forgotten", Checker::ledger, Family::mixed,
               "positions and gaps are written and not synced before files are removed"},
    DefectInfo{Defect::directory_sync_forgotten, "directory-sync-forgotten", Checker::epoch, Family::mixed,
               "new and renamed files are synced, their folder is not"},
    DefectInfo{Defect::sync_retried, "sync-retried", Checker::reasons, Family::rough,
               "a failed sync is repeated on the same file and believed"},
    DefectInfo{Defect::short_write_ignored, "short-write-ignored", Checker::reasons, Family::mixed, "the error of a write is dropped"},
    DefectInfo{Defect::tags_unchecked, "tags-unchecked", Checker::content, Family::rough, "blocks are believed without their check"},
    DefectInfo{Defect::wiped_when_unreadable, "wiped-when-unreadable", Checker::epoch, Family::mixed,
               "a spool that does not open is thrown away for an empty one"},
    DefectInfo{Defect::epoch_reused, "epoch-reused", Checker::acked, Family::rough, "a new data directory gets the epoch of the lost one"},
    DefectInfo{Defect::reuse_sequences, "reuse-sequences", Checker::acked, Family::mixed,
               "after a restart the gateway numbers its events from 1 again"},
    DefectInfo{Defect::events_before_journal, "events-before-journal", Checker::state, Family::stateful,
               "a commit writes the events first and the journal of rule state then"},
    DefectInfo{Defect::journal_lacks_events, "journal-lacks-events", Checker::acked, Family::stateful,
               "the gateway acknowledges when the turns of rules are on disk, and their events are not"},
    DefectInfo{Defect::takes_readings_before_settled, "takes-readings-before-settled", Checker::order, Family::stateful,
               "readings are taken before a start has brought missing events into the spool"},
    DefectInfo{Defect::drop_newest, "drop-newest", Checker::drop_order, Family::mixed, "a full spool refuses new events"},
    DefectInfo{Defect::drop_highest_class, "drop-highest-class", Checker::drop_order, Family::mixed,
               "a full spool takes the priorities the wrong way round"},
    DefectInfo{Defect::ttl_by_wall_clock, "ttl-by-wall-clock", Checker::ttl, Family::rough, "ages are taken from the wall clock"},
    DefectInfo{Defect::ledger_forgets_reason, "ledger-forgets-reason", Checker::ledger, Family::rough,
               "the account that the cloud gets misses a reason"},
    DefectInfo{Defect::drop_silently, "drop-silently", Checker::holes, Family::mixed, "the cloud never hears which events are gone"},
    DefectInfo{Defect::gaps_forgotten_at_restart, "gaps-forgotten-at-restart", Checker::holes, Family::mixed,
               "gaps that were not told before a restart are not told after it"},
    DefectInfo{Defect::delete_before_ack, "delete-before-ack", Checker::holes, Family::mixed,
               "the uplink forgets events when it has sent them"},
    DefectInfo{Defect::acks_beyond_oldest, "acks-beyond-oldest", Checker::holes, Family::mixed,
               "one acknowledgement settles all that is in flight"},
    DefectInfo{Defect::resend_skips_first, "resend-skips-first", Checker::holes, Family::mixed,
               "after a reconnect sending goes on one event too far"},
    DefectInfo{Defect::backlog_before_alerts, "backlog-before-alerts", Checker::priority, Family::mixed,
               "the uplink takes the priorities the wrong way round"},
    DefectInfo{Defect::never_gives_up, "never-gives-up", Checker::rest, Family::mixed, "a half-open connection is waited for for ever"},
    DefectInfo{Defect::cloud_acks_before_commit, "cloud-acks-before-commit", Checker::holes, Family::mixed,
               "the cloud acknowledges batches before they are stored"},
    DefectInfo{Defect::cloud_ignores_store_errors, "cloud-ignores-store-errors", Checker::holes, Family::mixed,
               "the cloud acknowledges batches although the transaction has failed"},
    DefectInfo{Defect::cloud_forgets_positions, "cloud-forgets-positions", Checker::once, Family::mixed,
               "the cloud stores resent events again"},
    DefectInfo{Defect::cloud_commits_positions_apart, "cloud-commits-positions-apart", Checker::once, Family::mixed,
               "events and positions are stored in two transactions"},
    DefectInfo{Defect::cloud_forgets_gaps, "cloud-forgets-gaps", Checker::holes, Family::mixed,
               "the cloud moves on over a gap and keeps no note of it"},
    DefectInfo{Defect::cloud_reorders, "cloud-reorders", Checker::holes, Family::mixed,
               "batches that wait for the store are written last come, first served"},
};

}  // namespace sluice::sim
