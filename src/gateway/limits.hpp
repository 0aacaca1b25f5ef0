// The section `limits` as the parts of a gateway want it.
#pragma once

#include "flow/hub/limits.hpp"
#include "flow/rules/engine.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// `memory_of_machine`: bytes; 0: not known.
[[nodiscard]] hub::Limits hub_limits(const config::Limits& from, std::uint64_t memory_of_machine);

/// Sets what `limits` says about rules; the rest of `out` stays.
void set_rule_limits(rules::Engine::Options& out, const config::Limits& from, std::uint16_t shards);

/// What a shard is told at a reload.
struct ShardLimits {
    hub::Limits hub;
    rules::Engine::Options rules;  ///< only what set_rule_limits() sets counts
};

/// MQTT connections: as configured, or fewer where the process has not so many descriptors.
[[nodiscard]] std::uint32_t connections_max(const config::Limits& from);

}  // namespace sluice::gateway
