// Where the cloud keeps events: the interface of the stores (SQLite now, PostgreSQL later, memory in simulations).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"

namespace sluice::cloud {

/// Everything of one class of one life of one gateway's spool: the unit of order and of deduplication.
struct StreamKey {
    std::string_view gateway;
    data::Epoch epoch;
    std::string_view class_name;
};

using StreamId = base::Strong<struct StreamIdTag, std::int64_t>;

struct Stream {
    StreamId id;
    data::Sequence next{0};  ///< the number that is expected; 0: nothing came yet
};

struct EventRow {
    StreamId stream;
    data::Sequence sequence;
    std::string_view rule;
    std::int64_t ts_ms = 0;
    std::string_view json;  ///< valid JSON
};

/// One writer, one thread. All changes happen between begin() and commit(); after an error of any call the caller rolls back and begins
/// anew. Errors of all: disk_full, io, corrupt.
class EventStore {
public:
    virtual ~EventStore() = default;
    virtual base::Status begin() = 0;
    /// Finds the stream or makes it.
    virtual base::Result<Stream> stream(const StreamKey& key) = 0;
    /// Called in order of sequence within a stream, never twice for the same number (the applier sees to that).
    virtual base::Status insert(const EventRow& row) = 0;
    /// The numbers first to last will never come.
    virtual base::Status note_gap(StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) = 0;
    /// Of the stream that stream() returned last.
    virtual base::Status advance(StreamId stream, data::Sequence next) = 0;
    /// `ledger`: a JSON object, or empty to keep the one there is.
    virtual base::Status save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) = 0;
    /// When it returns without an error everything since begin() is durable.
    virtual base::Status commit() = 0;
    /// Forgets everything since begin(). Harmless outside of a transaction.
    virtual void rollback() = 0;
};

}  // namespace sluice::cloud
