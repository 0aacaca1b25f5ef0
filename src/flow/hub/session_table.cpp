#include "flow/hub/session_table.hpp"

#include "base/hash.hpp"

namespace sluice::hub {

namespace {
std::size_t text_bytes(const std::string& client) { return client.capacity() > 15 ? client.capacity() + 24 : 0; }
}  // namespace

SessionIndex SessionTable::find(std::string_view client) const {
    static_assert(kNoSession == IndexTable::kNone);
    return by_client_.find(base::hash64(client, seed_), [&](std::uint32_t index) { return sessions_[index].client == client; });
}

SessionIndex SessionTable::create(std::string_view client) {
    SessionIndex index;
    if (free_.empty()) {
        index = static_cast<SessionIndex>(sessions_.size());
        sessions_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    sessions_[index].client = client;
    text_bytes_ += text_bytes(sessions_[index].client);
    sessions_[index].index = index;
    sessions_[index].serial = ++last_serial_;
    by_client_.insert(base::hash64(client, seed_), index);
    return index;
}

void SessionTable::retire(SessionIndex index) {
    mark_present(index);
    by_client_.erase(base::hash64(sessions_[index].client, seed_), index);
    text_bytes_ -= text_bytes(sessions_[index].client);
    sessions_[index] = Session{};
}

void SessionTable::mark_absent(SessionIndex index) {
    Session& session = sessions_[index];
    if (session.principal == kBridgePrincipal) return;  // nobody may take its place
    session.older_absent = newest_absent_;
    if (newest_absent_ != kNoSession)
        sessions_[newest_absent_].newer_absent = index;
    else
        oldest_absent_ = index;
    newest_absent_ = index;
}

void SessionTable::mark_present(SessionIndex index) {
    Session& session = sessions_[index];
    if (session.older_absent == kNoSession && oldest_absent_ != index) return;  // not in the list
    if (session.older_absent != kNoSession)
        sessions_[session.older_absent].newer_absent = session.newer_absent;
    else
        oldest_absent_ = session.newer_absent;
    if (session.newer_absent != kNoSession)
        sessions_[session.newer_absent].older_absent = session.older_absent;
    else
        newest_absent_ = session.older_absent;
    session.older_absent = session.newer_absent = kNoSession;
}

}  // namespace sluice::hub
