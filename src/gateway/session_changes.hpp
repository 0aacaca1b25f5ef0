// What hubs recorded and is not on disk yet, the later change of a row in the place of the earlier one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "base/bytes.hpp"
#include "flow/hub/journal.hpp"

namespace sluice::gateway {

/// A row that came and went between two commits leaves nothing. So what waits here is never more than what the hubs themselves hold for
/// their sessions, however long the disk takes. One thread.
class SessionChanges {
public:
    struct Place {
        hub::RowKind kind = hub::RowKind::session;
        std::uint64_t number = 0;
        std::string key;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    struct Row {
        bool removed = false;
        bool fresh = false;  ///< the disk has none
        base::Bytes body{};
        std::shared_ptr<const base::Bytes> message{};  ///< behind the body; shared by all sessions that wait for it
    };
    struct Session {
        bool ended = false;  ///< all rows that the disk has go, before those here are written
        std::map<Place, Row> rows;
    };

    /// Takes a batch of Journal::take().
    void absorb(base::ByteView batch);
    /// All rows of a session are to go.
    void end(hub::KeptId id);
    void clear();

    [[nodiscard]] bool empty() const { return sessions_.empty(); }
    [[nodiscard]] const std::unordered_map<hub::KeptId, Session>& sessions() const { return sessions_; }
    /// Rows that were never written because they were removed before.
    [[nodiscard]] std::uint64_t spared() const { return spared_; }

private:
    void put(hub::KeptId id, Place&& place, Row&& row);
    void remove(hub::KeptId id, Place&& place);

    std::unordered_map<hub::KeptId, Session> sessions_;
    std::uint64_t spared_ = 0;
};

}  // namespace sluice::gateway
