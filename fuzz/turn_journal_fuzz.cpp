// links: sluice_gateway
// Any bytes as a record of the journal of rule state: what reads writes, recorded again, what reads the same; times stay within what can
// be computed with.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "gateway/turn_journal.hpp"

namespace {

using namespace sluice;

void require(bool condition) {
    if (!condition) std::abort();
}

/// The first one records again what it is told.
class Echo final : public gateway::TurnVisitor {
public:
    explicit Echo(bool second) : second_(second) {}
    void on_reading(const data::Reading& reading, rules::Origin origin) override {
        require(origin.shard < origin.shards && !reading.topic.empty());
        told.push_back(std::string(reading.topic) + '\n' + std::string(reading.client) + '\n' +
                       std::string(base::as_text(reading.payload)) + '\n' + std::to_string(reading.at.time_since_epoch().count()) + '\n' +
                       std::to_string(reading.arrived.time_since_epoch().count()));
        // What lies behind a payload may be read.
        volatile base::Byte behind = *(reading.payload.data() + reading.payload.size() + data::kReadablePadding - 1);
        (void)behind;
        large = large || reading.payload.size() > gateway::TurnJournal::kPayloadBytesMax;
        if (!second_) again.add(reading);
    }
    void on_time(gateway::JournalMoment at, rules::Origin) override {
        told.push_back(std::to_string(at.at.time_since_epoch().count()) + ' ' + std::to_string(at.wall.time_since_epoch().count()));
        if (!second_) again.add_time(at.at, at.wall);
    }
    std::vector<std::string> told;
    gateway::TurnJournal again{rules::Origin{}};
    bool large = false;  ///< recorded as empty the second time

private:
    bool second_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Echo first(false);
    (void)gateway::read_turn({data, size}, first);
    if (size != 0) (void)gateway::read_events({data, size});
    Echo second(true);
    for (const base::Bytes& record : first.again.take()) require(gateway::read_turn(record, second).has_value());
    require(first.large || std::ranges::equal(first.told, second.told));
    return 0;
}
