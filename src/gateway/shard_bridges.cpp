// What a shard has to do with bridges: they come in by a listener of their own, and leave traces in `$SYS` and in what their gauges say.
#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "data/bridge.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/shard.hpp"

namespace sluice::gateway {

/// Shard 0: they find the shard of their client id as all connections do.
void Shard::take_bridges() {
    if (options_.index.value() != 0) return;
    for (posix::DetachedConnection connection; links_.bridges->take(connection);) {
        links_.connections->fetch_add(1, std::memory_order_relaxed);
        adopt(std::move(connection), kBridgeListener);
    }
}

bool Shard::bridges_wait() const { return options_.index.value() == 0 && links_.bridges->knocked(); }

/// What waits for the bridges whose sessions are here, for whoever reads their gauges.
void Shard::publish_bridge_gauges() {
    if (const auto edition = links_.bridges->edition(); edition != bridges_edition_) {
        bridges_edition_ = edition;
        bridges_.clear();
        for (auto& each : links_.bridges->list()) {
            const std::string client = std::string(data::kBridgeClientPrefix) + each->name;
            if (base::shard_of(base::hash64(client), options_.shards) == options_.index.value())
                bridges_.emplace_back(client, std::move(each));
        }
    }
    for (const auto& [client, gauges] : bridges_) {
        const auto waiting = hub_.waiting(client).value_or(hub::Hub::Waiting{});
        gauges->waiting.store(waiting.messages, std::memory_order_relaxed);
        gauges->queue_full.store(waiting.dropped, std::memory_order_relaxed);
    }
}

/// `$SYS/broker/connection/NAME/state`, as mosquitto has it: 1 or 0, retained, gone with its bridge.
void Shard::publish_bridge_states(base::Monotonic now) {
    const auto edition = links_.bridges->edition();
    if (edition == bridge_states_edition_) return;
    bridge_states_edition_ = edition;
    std::map<std::string, char> states;
    for (const auto& each : links_.bridges->list()) states[each->name] = each->connected.load(std::memory_order_relaxed) ? '1' : '0';
    const auto tell = [&](const std::string& name, std::string_view value) {
        const std::string topic = fmt::format("$SYS/broker/connection/{}/state", name);
        hub_.publish({.topic = topic, .payload = base::as_bytes(value), .qos = 1, .retain = true}, now, wall());
    };
    for (const auto& [name, state] : bridge_states_)
        if (!states.contains(name)) tell(name, {});
    for (const auto& [name, state] : states) {
        const auto before = bridge_states_.find(name);
        if (before == bridge_states_.end() || before->second != state) tell(name, {&state, 1});
    }
    bridge_states_ = std::move(states);
}

}  // namespace sluice::gateway
