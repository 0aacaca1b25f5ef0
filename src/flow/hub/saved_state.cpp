#include "flow/hub/saved_state.hpp"

#include <algorithm>
#include <utility>

namespace sluice::hub {

base::ByteView SavedState::keep(base::Bytes&& body) { return bodies_.emplace_back(std::move(body)); }

bool SavedState::add(RowKind kind, KeptId id, std::uint64_t number, base::Bytes&& body) {
    const base::ByteView bytes = keep(std::move(body));
    if (kind == RowKind::retained) {
        auto row = read_message_row(bytes);
        if (row) retained_.push_back(*row);
        if (!row) add_unreadable(kind, id);
        return row.has_value();
    }
    Parts& parts = parts_[id];
    bool good = id != 0;
    switch (kind) {
        case RowKind::session: {
            auto row = read_session_row(bytes);
            good = good && row.has_value() && !std::exchange(parts.found, true);
            if (good) parts.session.session = *std::move(row);
            break;
        }
        case RowKind::subscription: {
            auto row = read_subscription_row(bytes);
            good = good && row.has_value();
            if (good) parts.session.subscriptions.push_back(*row);
            break;
        }
        case RowKind::delivery: {
            auto row = read_delivery_row(bytes);
            good = good && row.has_value();
            if (!good) break;
            parts.deliveries[number].row = *std::move(row);
            parts.deliveries[number].has_message = true;
            break;
        }
        case RowKind::inflight: {
            auto row = read_inflight_row(bytes);
            good = good && row.has_value();
            if (good) parts.deliveries[number].sent = *row;
            break;
        }
        default:
            good = false;
    }
    if (!good) add_unreadable(kind, id);
    return good;
}

void SavedState::add_unreadable(RowKind kind, KeptId id) {
    ++unreadable_;
    if (kind == RowKind::retained) return;
    Parts& parts = parts_[id];
    if (kind == RowKind::delivery) ++deliveries_lost_;
    if (kind == RowKind::session || kind == RowKind::subscription) parts.broken = true;
}

void SavedState::finish() {
    for (auto& [id, parts] : parts_) {
        greatest_id_ = std::max(greatest_id_, id);
        if (!parts.found || parts.broken) {
            remains_.push_back(id);
            if (parts.broken) ++sessions_lost_;
            for (const auto& [number, delivery] : parts.deliveries) deliveries_lost_ += delivery.has_message ? 1 : 0;
            continue;
        }
        parts.session.id = id;
        const SessionRow& session = parts.session.session;
        if (const Age life = Age{session.expiry_seconds} * 1000; session.ends > life)
            least_age_ = std::max(least_age_, session.ends - life);
        for (auto& [number, delivery] : parts.deliveries) {
            // In flight without its message, and not released: the message's row could not be read, which was counted then.
            if (!delivery.has_message && !delivery.sent.released) continue;
            delivery.number = number;
            parts.session.deliveries.push_back(std::move(delivery));
        }
        sessions_.push_back(std::move(parts.session));
    }
    parts_.clear();
    const auto end = [](const SavedSession& one) { return one.session.ends == 0 ? ~Age{0} : one.session.ends; };
    std::stable_sort(sessions_.begin(), sessions_.end(), [&](const auto& a, const auto& b) { return end(a) < end(b); });
}

}  // namespace sluice::hub
