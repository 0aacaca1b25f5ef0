#include "gateway/session_changes.hpp"

#include "flow/hub/journal_batch.hpp"

namespace sluice::gateway {

void SessionChanges::absorb(base::ByteView batch) {
    std::shared_ptr<const base::Bytes> message;
    for (std::size_t at = 0; at < batch.size();) {
        const hub::Change change = hub::read_change(batch, at);
        Place place{change.row, change.number, std::string(base::as_text(change.key))};
        switch (change.kind) {
            case hub::ChangeKind::message:
                message = std::make_shared<const base::Bytes>(change.body.begin(), change.body.end());
                break;
            case hub::ChangeKind::add:
            case hub::ChangeKind::put:
                put(change.id, std::move(place),
                    {.fresh = change.kind == hub::ChangeKind::add,
                     .body = {change.body.begin(), change.body.end()},
                     .message = change.with_message ? message : nullptr});
                break;
            case hub::ChangeKind::remove:
                remove(change.id, std::move(place));
                break;
            case hub::ChangeKind::end:
                end(change.id);
                break;
        }
    }
}

void SessionChanges::put(hub::KeptId id, Place&& place, Row&& row) {
    Row& there = sessions_[id].rows[std::move(place)];
    row.fresh = row.fresh || there.fresh;
    there = std::move(row);
}

void SessionChanges::remove(hub::KeptId id, Place&& place) {
    Session& session = sessions_[id];
    const auto at = session.rows.find(place);
    if (at != session.rows.end() && at->second.fresh) {
        ++spared_;
        session.rows.erase(at);
        if (session.rows.empty() && !session.ended) sessions_.erase(id);
        return;
    }
    session.rows[std::move(place)] = {.removed = true};
}

void SessionChanges::end(hub::KeptId id) {
    Session& session = sessions_[id];
    const auto row = session.rows.find(Place{hub::RowKind::session, 0, {}});
    if (row != session.rows.end() && row->second.fresh) {  // it began since the last commit
        spared_ += session.rows.size();
        sessions_.erase(id);
        return;
    }
    session.rows.clear();
    session.ended = true;
}

void SessionChanges::clear() { sessions_.clear(); }

}  // namespace sluice::gateway
