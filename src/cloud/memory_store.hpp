// The event store in memory, for simulations and tests: it can lose its process at any moment, before or after a commit took effect.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cloud/store.hpp"

namespace sluice::cloud {

/// One thread. What was committed survives crash(); what was not is gone.
class MemoryStore final : public EventStore {
public:
    struct Event {
        StreamId stream;
        data::Sequence sequence;
        std::string rule;
        std::int64_t ts_ms;
        std::string json;
    };
    struct Gap {
        StreamId stream;
        data::Sequence first, last;
        std::string reason;
    };
    struct Gateway {
        base::WallTime last_seen;
        std::string ledger;
    };
    using Key = std::tuple<std::string, std::uint64_t, std::string>;  ///< gateway, epoch, class
    /// What a commit makes durable, all or nothing.
    struct Contents {
        std::map<Key, Stream> streams;
        std::map<std::string, Gateway> gateways;
        std::vector<Event> events;  ///< in order of storing
        std::vector<Gap> gaps;
    };

    base::Status begin() override;
    base::Result<Stream> stream(const StreamKey& key) override;
    base::Status insert(const EventRow& row) override;
    base::Status note_gap(StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) override;
    base::Status advance(StreamId stream, data::Sequence next) override;
    base::Status save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) override;
    base::Status commit() override;
    void rollback() override;

    /// The n-th call from now (1: the next) fails with this error, once. A failing commit has taken effect if `after`.
    void fail_at(std::uint64_t call, base::Errc code, bool after = false) { fail_ = {.at = calls_ + call, .code = code, .after = after}; }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    void crash() { rollback(); }
    /// Comes back with the contents of an earlier moment. Not inside a transaction.
    void restore(Contents earlier) { committed_ = std::move(earlier); }

    [[nodiscard]] const Contents& committed() const { return committed_; }
    [[nodiscard]] const Stream* find(const Key& key) const;

private:
    struct Failure {
        std::uint64_t at = 0;
        base::Errc code = base::Errc::io;
        bool after = false;
    };
    base::Status fault();

    Contents committed_;
    // Of the transaction under way: what it adds, and the streams and gateways that it changes.
    std::map<Key, Stream> streams_;
    std::map<std::string, Gateway> gateways_;
    std::vector<Event> events_;
    std::vector<Gap> gaps_;
    Stream* current_ = nullptr;
    std::int64_t ids_ = 0;
    std::uint64_t calls_ = 0;
    Failure fail_;
    bool open_ = false;
};

}  // namespace sluice::cloud
