// Topic aliases towards one client (MQTT 5.0 §3.3.2.3.4): which topic has which number on this connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flow/hub/charge.hpp"

namespace sluice::hub {

/// Topics get numbers in the order in which they come. When all are taken, a topic that comes again among the last few strangers takes the
/// place of the one unused for longest; one that comes once changes nothing. So many topics in turn keep the first few short, and a client
/// whose topics change over time gets the new ones short too. At most kAliasesMax, whatever the client offers: a look-up is a scan of that
/// many hashes. Made only for clients that offer aliases.
class TopicAliases {
public:
    static constexpr std::size_t kAliasesMax = 256;

    /// `count_max`: at least 1. `bytes_max`: of all topics kept; what would pass it goes without a number. `memory`: of all such tables;
    /// must outlive this.
    TopicAliases(std::size_t count_max, std::size_t bytes_max, std::size_t& memory)
        : count_max_(std::min(count_max, kAliasesMax)), bytes_max_(bytes_max), memory_(memory, sizeof(TopicAliases)) {}

    /// 0: it has none. `hash` is of the topic, by any function that is always the same here.
    [[nodiscard]] std::uint16_t find(std::string_view topic, std::uint64_t hash) {
        for (std::size_t i = 0; i < known_.size(); ++i) {
            if (known_[i].hash != hash || known_[i].topic != topic) continue;
            known_[i].used = ++clock_;
            return static_cast<std::uint16_t>(i + 1);
        }
        return 0;
    }

    /// For a topic that has none and is sent now: its new number, or 0 if it gets none.
    [[nodiscard]] std::uint16_t assign(std::string_view topic, std::uint64_t hash) {
        std::size_t place = known_.size();
        if (place == count_max_) {
            if (!seen_lately(hash)) return 0;
            const auto older = [](const Known& a, const Known& b) { return a.used < b.used; };
            place = static_cast<std::size_t>(std::min_element(known_.begin(), known_.end(), older) - known_.begin());
        }
        const std::size_t freed = place < known_.size() ? known_[place].topic.size() : 0;
        if (bytes_ - freed + topic.size() > bytes_max_) return 0;
        if (place == known_.size()) known_.emplace_back();
        bytes_ += topic.size() - freed;
        known_[place] = {std::string(topic), hash, ++clock_};
        memory_.set(sizeof(TopicAliases) + bytes_ + known_.capacity() * sizeof(Known) + strangers_.capacity() * sizeof(std::uint64_t));
        return static_cast<std::uint16_t>(place + 1);
    }

private:
    struct Known {
        std::string topic;
        std::uint64_t hash = 0;
        std::uint64_t used = 0;
    };

    /// Was this stranger among the last `count_max_` ones? Notes it if not.
    bool seen_lately(std::uint64_t hash) {
        if (std::find(strangers_.begin(), strangers_.end(), hash) != strangers_.end()) return true;
        if (strangers_.size() < count_max_)
            strangers_.push_back(hash);
        else
            strangers_[next_stranger_++ % count_max_] = hash;
        return false;
    }

    std::size_t count_max_;
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::uint64_t clock_ = 0;
    std::vector<Known> known_;  // by alias - 1
    std::vector<std::uint64_t> strangers_;
    Charge memory_;
    std::size_t next_stranger_ = 0;
};

}  // namespace sluice::hub
