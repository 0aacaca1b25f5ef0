#include "gateway/spool_source.hpp"

#include <algorithm>
#include <cstdint>

namespace sluice::gateway {
namespace {

class Relay final : public spool::EventVisitor {
public:
    explicit Relay(uplink::EventVisitor& to) : to_(to) {}
    void on_event(data::Sequence sequence, const data::Event& event) override {
        to_.event(sequence, event.rule, base::to_ms(event.made), event.json);
    }

private:
    uplink::EventVisitor& to_;
};

}  // namespace

/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) and a finish of MurmurHash3: the same for ever, as clouds remember it.
data::Epoch epoch_of(data::Epoch spool, std::string_view uplink) {
    constexpr std::uint64_t kPrime = 0x100000001b3;
    constexpr std::uint64_t kBelow = std::uint64_t{1} << 53;  // spool::Spool::epoch()
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto take = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * kPrime; };
    for (unsigned shift = 0; shift < 64; shift += 8) take(static_cast<std::uint8_t>(spool.value() >> shift));
    for (const char c : uplink) take(static_cast<std::uint8_t>(c));
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
    hash ^= hash >> 33;
    return data::Epoch(std::max<std::uint64_t>(1, hash % kBelow));
}

base::Result<SpoolSource::Read> SpoolSource::read(data::ClassIndex event_class, data::Sequence from, uplink::ReadLimits limits,
                                                  uplink::EventVisitor& visitor) {
    Relay relay(visitor);
    const auto found = spool_.read(event_class, from, {.events = limits.events, .bytes = limits.bytes}, relay);
    if (!found) return found.error();
    if (found->gap) visitor.gap(found->gap->first, found->gap->last, found->gap->reason);
    return Read{epoch_, found->next};
}

}  // namespace sluice::gateway
