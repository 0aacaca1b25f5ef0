// What a turn of a shard did to the state of rules, as bytes: the readings in their order, and that all that was due by a time is out.
// Coding only; docs/formats/state_journal.md is the format.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "codec/zstd/zstd.hpp"
#include "data/reading.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::gateway {

/// A moment of the journal's own time: a monotonic clock that goes on across restarts, and the wall clock.
struct JournalMoment {
    base::Monotonic at{};
    base::WallTime wall{};
};

/// Owned by a shard.
class TurnJournal {
public:
    /// A record is closed at this size; with the largest reading it stays below what a record of the journal may have.
    static constexpr std::size_t kRecordBytes = 128 * 1024;
    /// A larger payload is recorded as empty: a rule that reads JSON would count it as malformed (from 1 MiB on), and now it does from here
    /// on.
    static constexpr std::size_t kPayloadBytesMax = 640 * 1024;

    explicit TurnJournal(rules::Origin origin) : origin_(origin) {}
    /// What is added to the shard's clock to get the journal's.
    void use_shift(std::chrono::nanoseconds shift) { shift_ = shift; }
    [[nodiscard]] std::chrono::nanoseconds shift() const { return shift_; }

    void add(const data::Reading& reading);
    /// What was due by then has been put out.
    void add_time(base::Monotonic at, base::WallTime wall);

    [[nodiscard]] bool empty() const { return records_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Whole records, in order; the turn begins anew.
    [[nodiscard]] std::vector<base::Bytes> take();

private:
    base::Bytes& record(JournalMoment at);

    rules::Origin origin_;
    std::chrono::nanoseconds shift_{0};
    std::vector<base::Bytes> records_;
    std::size_t bytes_ = 0;
    // Of the open record's last entry, where its next one differs.
    JournalMoment last_;
    base::Bytes last_topic_;
    base::Bytes last_client_;
};

class TurnVisitor {
public:
    virtual ~TurnVisitor() = default;
    /// The views are valid during the call. Times are the journal's.
    virtual void on_reading(const data::Reading& reading, rules::Origin origin) = 0;
    virtual void on_time(JournalMoment at, rules::Origin origin) = 0;
};

/// First byte of what the journal holds.
enum class JournalKind : base::Byte { turn = 1, commit = 2, start = 3, events = 4, again = 5, packed_events = 6 };

/// Reads a record back, plain as TurnJournal made it or packed. Errors: corrupt (what came before the damage has been visited), version.
base::Status read_turn(base::ByteView record, TurnVisitor& visitor);

/// The events of a record of kind `events` or `packed_events`, without its first byte; nothing where it is damaged.
std::optional<base::Bytes> read_events(base::ByteView record);

/// Packs a record of turns or events where that makes it smaller.
class RecordPacker {
public:
    /// Valid until the next call; `record` itself where packing gains nothing.
    [[nodiscard]] base::ByteView pack(base::ByteView record);

private:
    zstd::Compressor zstd_;
    base::Bytes packed_;
};

}  // namespace sluice::gateway
