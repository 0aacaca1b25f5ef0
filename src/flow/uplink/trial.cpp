#include "flow/uplink/trial.hpp"

#include <algorithm>

namespace sluice::uplink {

void Trial::on_end(const Message& message, base::Monotonic now) {
    if (message.first != first_) {
        first_ = message.first;
        ends_ = alone_ = 0;
    }
    ++ends_;
    bytes_ = message.bytes;
    if (ends_ < kEndsForTrial && !on_trial()) return;
    until_ = std::max(until_.value_or(message.last.next()), message.last.next());
    events_max_ = std::max<std::size_t>(1, message.events / 2);
    if (message.events > 1 || !message.witnessed) return;
    if (++alone_ >= kEndsToStand) stands_until_ = now + kStand;
}

void Trial::on_acknowledged(data::Sequence end) {
    if (first_ >= end) return;
    first_ = data::Sequence(0);
    ends_ = alone_ = 0;
    stands_until_.reset();
    if (until_ && *until_ <= end) until_.reset();
}

std::optional<Trial::Guilty> Trial::guilty() const {
    if (alone_ < kEndsToStand) return std::nullopt;
    return Guilty{first_, bytes_};
}

}  // namespace sluice::uplink
