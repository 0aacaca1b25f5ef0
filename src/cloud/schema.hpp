// The tables of the cloud's database. `PRAGMA user_version` is kSchemaVersion; a new version migrates from each older one.
#pragma once

namespace sluice::cloud {

inline constexpr int kSchemaVersion = 1;
inline constexpr int kApplicationId = 0x536c7563;  ///< "Sluc", for file(1)

/// streams: one class of one epoch of a gateway; `next` is the sequence number expected, which makes storing exactly once.
/// series: one rule of a stream; `events` counts its rows, so that counting millions is adding up a few numbers.
/// events: `id` is the order of storing. Within a series the order of ids is that of sequence numbers.
inline constexpr const char* kSchema = R"(
CREATE TABLE streams(
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch INTEGER NOT NULL, class TEXT NOT NULL, next INTEGER NOT NULL DEFAULT 0,
    UNIQUE(gateway, epoch, class));
CREATE TABLE series(
    id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, rule TEXT NOT NULL, events INTEGER NOT NULL DEFAULT 0, UNIQUE(stream, rule));
CREATE TABLE events(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX events_of_series ON events(series);
CREATE TABLE gaps(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE gateways(id TEXT PRIMARY KEY, last_seen INTEGER NOT NULL, ledger TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
)";

}  // namespace sluice::cloud
