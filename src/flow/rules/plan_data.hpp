// The inside of a Plan: what compile() makes and engines run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "codec/json/field_set.hpp"
#include "flow/rules/aggregates.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {

/// A list of key expressions. Equal lists are one.
struct KeyPlan {
    std::vector<NodeId> nodes;  ///< none: one key for the whole stream
};

/// One table of keys with the state of all operators over it.
struct TablePlan {
    std::uint32_t key = 0;    ///< index into keys
    std::uint32_t owner = 0;  ///< index into partitions
    std::size_t row_bytes = 0;
    std::uint64_t fingerprint = 0;
};

/// What is evaluated on one shard: the owner of its key.
struct PartitionPlan {
    std::uint32_t key = 0;
    std::string whole;  ///< the id of the rule whose whole stream this is; empty: by key
    std::uint32_t filter_set = 0;
    std::vector<std::uint32_t> ops;  ///< in an order in which inner calls come first
    std::vector<std::uint32_t> rules;
    std::uint64_t mask = 0;
};

/// What a window keeps in a row in front of its accumulators.
struct WindowHead {
    std::uint32_t count;  ///< readings in a count window; of a hopping one at most `length`
    std::uint32_t head;   ///< of a hopping count window: place of the oldest reading once there are `length`
    std::uint32_t since;  ///< of a hopping count window: readings since the last output
    std::uint32_t turn;   ///< of a time window: number of the window that the accumulators belong to; 0: none
};
static_assert(sizeof(WindowHead) == 16);

struct AccumulatorPlan {
    Accumulator kind = Accumulator::rows;
    NodeId argument = 0;
    std::uint32_t offset = 0;  ///< in the window's state
};

struct AggregatePlan {
    Function function = Function::count;
    double p = 0;  ///< of percentile
    std::uint32_t accumulator = 0;
};

struct WindowPlan {
    bool by_count = false;
    std::uint32_t length = 0;           ///< of a count window
    std::uint32_t hop = 0;              ///< of a count window; equal to length: it starts anew each time
    std::chrono::milliseconds span{0};  ///< of a time window
    std::uint32_t table = 0;
    std::uint32_t offset = 0;  ///< of its state in the row
    std::uint32_t ring = 0;    ///< a hopping count window keeps the values of its last `length` readings: one StoredValue an accumulator
    std::size_t state_bytes = 0;
    std::vector<AccumulatorPlan> accumulators;
    std::vector<AggregatePlan> aggregates;
    std::uint64_t fingerprint = 0;
};

struct RulePlan {
    std::uint32_t filter_set = 0;
    std::optional<std::uint32_t> partition;  ///< none: stateless
    std::vector<std::uint32_t> slots;        ///< fields of the payload that it needs
    std::vector<std::uint32_t> tables;       ///< of its stateful operators
    bool star = false;
    std::optional<NodeId> where;
    std::optional<NodeId> having;
    std::vector<NodeId> items;          ///< output columns
    std::vector<std::string> prefixes;  ///< `{"name":` or `,"name":` before each
    std::optional<WindowPlan> window;
    [[nodiscard]] bool needs_json() const { return star || !slots.empty(); }
};

struct PlanData {
    Limits limits;
    Program program;
    std::vector<json::Path> fields;  ///< path of each slot
    std::vector<KeyPlan> keys;
    std::vector<TablePlan> tables;
    std::vector<PartitionPlan> partitions;
    std::vector<StateOp> ops;  ///< reg = index
    std::vector<RulePlan> rules;
    std::vector<std::vector<std::string>> filter_sets;
    std::vector<RuleInfo> infos;
};

}  // namespace sluice::rules
