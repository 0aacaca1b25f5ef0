// How fast those published who have just left: who leaves to come again with an empty account finds the old one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "flow/hub/ring.hpp"
#include "flow/hub/session.hpp"

namespace sluice::hub {

/// Of clients whose sessions ended before their buckets were full again. Of one thread.
class PartedPaces {
public:
    /// `client`: hash of its id. Of too many the oldest is forgotten.
    void keep(std::uint64_t client, std::unique_ptr<Pace> pace, base::Monotonic now) {
        while (!parted_.empty() && (parted_.size() >= kMost || is_full(*parted_.front().pace, now))) parted_.pop_front();
        if (pace && !is_full(*pace, now)) parted_.push_back({client, std::move(pace)});
    }
    /// nullptr: nothing is known, or it would make no difference.
    [[nodiscard]] std::unique_ptr<Pace> take(std::uint64_t client) {
        for (std::size_t i = 0; i < parted_.size(); ++i)
            if (parted_[i].client == client) return parted_.take(i).pace;
        return nullptr;
    }

    static constexpr std::size_t kMost = 1024;

private:
    struct Parted {
        std::uint64_t client = 0;
        std::unique_ptr<Pace> pace;
    };
    static bool is_full(const Pace& pace, base::Monotonic now) { return pace.messages.full_at() <= now && pace.bytes.full_at() <= now; }
    Ring<Parted> parted_;  // in the order in which they left
};

}  // namespace sluice::hub
