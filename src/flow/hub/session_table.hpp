// The sessions of one shard, by client id.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "flow/hub/index_table.hpp"
#include "flow/hub/session.hpp"

namespace sluice::hub {

/// References stay valid until the session is retired. Of one thread.
class SessionTable {
public:
    explicit SessionTable(std::uint64_t seed) : seed_(seed) {}

    [[nodiscard]] Session& operator[](SessionIndex index) { return sessions_[index]; }
    [[nodiscard]] const Session& operator[](SessionIndex index) const { return sessions_[index]; }
    /// kNoSession: not there.
    [[nodiscard]] SessionIndex find(std::string_view client) const;
    /// The client must not have one.
    SessionIndex create(std::string_view client);
    /// Nobody finds it any more; its place is free for another only when it is released.
    void retire(SessionIndex index);
    void release(SessionIndex index) { free_.push_back(index); }
    [[nodiscard]] std::size_t size() const { return by_client_.size(); }
    /// Bytes of memory, without what sessions hold elsewhere.
    [[nodiscard]] std::size_t memory() const { return sessions_.size() * sizeof(Session) + by_client_.memory() + text_bytes_; }
    /// All indices are below this; places whose session has serial 0 are free.
    [[nodiscard]] SessionIndex places() const { return static_cast<SessionIndex>(sessions_.size()); }

    template <class Visit>
    void for_each(Visit&& visit) {
        for (Session& session : sessions_)
            if (session.serial != 0) visit(session);
    }
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const Session& session : sessions_)
            if (session.serial != 0) visit(session);
    }

    /// Absent sessions stand in a list in the order in which their clients left.
    void mark_absent(SessionIndex index);
    void mark_present(SessionIndex index);
    /// kNoSession: nobody is absent.
    [[nodiscard]] SessionIndex oldest_absent() const { return oldest_absent_; }

private:
    std::uint64_t seed_;
    std::deque<Session> sessions_;
    std::vector<SessionIndex> free_;
    IndexTable by_client_;
    SessionIndex oldest_absent_ = kNoSession;
    SessionIndex newest_absent_ = kNoSession;
    std::uint64_t last_serial_ = 0;
    std::size_t text_bytes_ = 0;  // of client ids that do not fit into their sessions
};

}  // namespace sluice::hub
