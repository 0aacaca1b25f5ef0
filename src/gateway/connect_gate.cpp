#include "gateway/connect_gate.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/hash.hpp"

namespace sluice::gateway {

using base::TokenBucket;

bool ConnectGate::admit(std::optional<access::SourceAddress> from, base::Monotonic now, const ConnectRates& rates) {
    if (from && rates.of_address != 0) {
        TokenBucket& bucket = bucket_of(*from);
        const auto cost = TokenBucket::cost(1, rates.of_address);
        if (bucket.ready_at(cost) > now) return false;
        bucket.take(cost, now);
    }
    if (rates.all != 0) all_.take(TokenBucket::cost(1, rates.all), now);
    return true;
}

base::Monotonic ConnectGate::open_at(const ConnectRates& rates) const {
    return rates.all == 0 ? base::Monotonic::min() : all_.ready_at(TokenBucket::cost(1, rates.all));
}

/// An address whose bucket is full can be forgotten: nothing is lost with it. Who comes from so many addresses that others must give way
/// is held to the rate of all.
TokenBucket& ConnectGate::bucket_of(access::SourceAddress address) {
    if (sets_.empty()) sets_.resize(kAddresses / kWays);
    char bytes[sizeof address];
    std::memcpy(bytes, &address, sizeof address);
    auto& set = sets_[base::hash64(std::string_view(bytes, sizeof bytes), seed_) % sets_.size()];
    for (Entry& entry : set)
        if (entry.address == address) return entry.bucket;
    auto* place =
        std::min_element(set.begin(), set.end(), [](const Entry& a, const Entry& b) { return a.bucket.full_at() < b.bucket.full_at(); });
    *place = {address, {}};
    return place->bucket;
}

}  // namespace sluice::gateway
