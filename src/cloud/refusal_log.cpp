#include "cloud/refusal_log.hpp"

#include <algorithm>
#include <utility>

namespace sluice::cloud {

std::optional<RefusalLog::Line> RefusalLog::refused(const posix::PeerAddress& from, base::Monotonic now) {
    Key key{};
    std::copy_n(from.ip.begin(), from.v6 ? 8 : 4, key.begin());
    key.back() = from.v6 ? 6 : from.unix_socket ? 0 : 4;
    auto found = entries_.find(key);
    if (found != entries_.end() && now - found->second.said_at < kEvery) {
        ++found->second.unsaid;
        return std::nullopt;
    }
    if (found == entries_.end() && entries_.size() >= kAddressesMax) {
        // Those that have been quiet since make room; what they owe is told with the others.
        for (auto entry = entries_.begin(); entry != entries_.end();) {
            const bool old = now - entry->second.said_at >= kEvery;
            if (old) elsewhere_ += entry->second.unsaid;
            entry = old ? entries_.erase(entry) : std::next(entry);
        }
        if (entries_.size() >= kAddressesMax) {
            ++elsewhere_;
            return std::nullopt;
        }
    }
    Entry& entry = entries_[key];
    entry.said_at = now;
    return Line{std::exchange(entry.unsaid, 0), std::exchange(elsewhere_, 0)};
}

}  // namespace sluice::cloud
