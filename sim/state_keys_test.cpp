// What a gateway remembers beside the spool, under another master key: power cuts while it is sealed again, and the journal.
#include <gtest/gtest.h>

#include "gateway/rule_overlay_store.hpp"
#include "gateway/state_journal.hpp"
#include "gateway/state_store.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using gateway::RuleOverlay;
using gateway::RuleOverlayStore;
using gateway::StateStore;

identity::KeyRing ring(identity::KeyNumber first, identity::KeyNumber last) {
    identity::KeyRing keys(SpoolRig::make_key(1));
    if (last == 2) keys.add(2, SpoolRig::make_key(2));
    if (first == 2) keys.remove(1);
    return keys;
}

/// The state of a gateway on a disk; its keys as a restart would find them.
struct State {
    explicit State(std::uint64_t seed, const identity::KeyRing& keys, SimDisk* other = nullptr)
        : own(seed),
          disk(other == nullptr ? own : *other),
          entropy(seed),
          sealer(keys, identity::kRuleStatePurpose, entropy),
          store(disk, sealer, "/data/state"),
          rules(disk, entropy, keys, "/data") {}
    SimDisk own;
    SimDisk& disk;
    SimEntropy entropy;
    identity::DocumentSealer sealer;
    StateStore store;
    RuleOverlayStore rules;
};

/// As the backbone and the rule book do it. True: nothing needs the first key any more.
bool seal_again(State& state) {
    state.sealer.use(ring(1, 2));
    state.rules.use(ring(1, 2));
    if (!state.store.reseal()) return false;
    const auto keys = state.store.keys();
    if (!keys) return false;
    for (const auto& each : *keys)
        if (each.key != 2) return false;
    const auto before = state.rules.key();
    if (!before || (*before && **before != 2 && !state.rules.save(RuleOverlay{}))) return false;
    const auto key = state.rules.key();
    return key && *key && **key == 2;
}

TEST(StateKeys, APowerCutWhileTheyAreSealedAgainLeavesEveryDocumentReadable) {
    unsigned retired = 0;
    for (std::uint64_t operation = 1; operation < 60; ++operation) {
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            State state(operation * 8 + seed, ring(1, 1));
            ASSERT_TRUE(state.store.open());
            ASSERT_TRUE(state.store.set_owner("plant-7"));
            ASSERT_TRUE(state.store.save_totals({.readings_in = 1, .bytes_in = 2, .bytes_up = 3}));
            ASSERT_TRUE(state.rules.save(RuleOverlay{}));
            state.disk.crash_at(operation);
            const bool done = seal_again(state);
            retired += done ? 1U : 0U;
            state.disk.crash();
            State after(seed, done ? ring(2, 2) : ring(1, 2), &state.disk);
            EXPECT_EQ(after.store.owner(), "plant-7") << operation;
            EXPECT_EQ(after.store.load_totals().bytes_up, 3U) << operation;
            EXPECT_TRUE(after.rules.load()) << operation;
            ASSERT_TRUE(seal_again(after)) << operation;
            if (HasFailure()) return;
        }
    }
    EXPECT_GT(retired, 50U) << "some cuts come after the first key has gone";
}

TEST(StateKeys, ADocumentWhoseKeyIsMissingIsLeftAndNamed) {
    State state(1, ring(1, 1));
    ASSERT_TRUE(state.store.open());
    ASSERT_TRUE(state.store.save_totals({.readings_in = 1, .bytes_in = 2, .bytes_up = 3}));
    State after(2, ring(2, 2), &state.disk);
    EXPECT_EQ(after.store.load_totals().bytes_up, 0U);
    const auto keys = after.store.keys();
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 1U);
    EXPECT_EQ((*keys)[0].name, "ledger");
    EXPECT_EQ((*keys)[0].key, 1U);
    ASSERT_TRUE(after.store.reseal()) << "what cannot be opened is not sealed again";
    ASSERT_TRUE(after.store.save_totals({}));
    EXPECT_EQ(after.store.keys()->at(0).key, 2U);
}

TEST(StateKeys, TheJournalLetsAnOldKeyGoWithTheCheckpointThatMakesItSuperfluous) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.disk.make_directory("/data/state"));
    auto journal = gateway::StateJournal::open({rig.disk, rig.clock, rig.entropy, rig.sealer}, {.directory = "/data/state/journal"});
    ASSERT_TRUE(journal);
    const auto commit_turn = [&] {
        (*journal)->append(base::Bytes{1, 2, 3});
        ASSERT_TRUE((*journal)->commit(*rig.spool, {}, false));
    };
    const auto maintain = [&] {
        for (int i = 0; i < 3; ++i) {
            rig.clock.advance(std::chrono::seconds(1));
            ASSERT_TRUE((*journal)->maintain());
        }
    };
    const auto needs_first = [&] {
        const auto use = (*journal)->key_use();
        return std::any_of(use.begin(), use.end(), [](const auto& each) { return each.key == 1; });
    };
    commit_turn();
    rig.rotate();
    commit_turn();
    maintain();
    EXPECT_TRUE(needs_first()) << "a start needs the records";
    const auto position = (*journal)->position();
    commit_turn();
    (*journal)->release(position);
    maintain();
    EXPECT_FALSE(needs_first());
}

}  // namespace
}  // namespace sluice::sim
