// The backbone under another master key: what it writes is sealed with the newest at once, older segments drain, saved state is replaced.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "gateway/backbone.hpp"

namespace sluice::gateway {
namespace {

/// Rule state is saved anew while something of it needs an older key; a save may take a while, and one under way began too early.
constexpr std::chrono::seconds kAskSaveEvery{10};

std::vector<HeldKey> held_of(const std::vector<spool::KeyUse>& use) {
    std::vector<HeldKey> out;
    out.reserve(use.size());
    for (const spool::KeyUse& each : use) out.push_back({each.key, each.segments + each.manifests, each.bytes});
    return out;
}

bool needs_older(const std::vector<HeldKey>& held, identity::KeyNumber newest) {
    return std::any_of(held.begin(), held.end(), [newest](const HeldKey& each) { return each.key != newest; });
}

}  // namespace

/// The spool and the journal see by their sealer that there is a newer key.
void Backbone::take_keys(base::Monotonic now) {
    keys_seen_ = keys_.desk.edition();
    const auto ring = keys_.desk.keys();
    keys_.spool.use(*ring);
    keys_.state.use(*ring);
    maintain_at_ = now;
    ask_save_at_ = now;
}

/// After maintenance, which is where the spool and the journal take over a key. With one key there is nothing to be told.
void Backbone::report_keys(base::Monotonic now) {
    const auto ring = keys_.desk.keys();
    const identity::KeyNumber newest = keys_.spool.newest().number;
    keys_.desk.report(KeyHolder::spool, newest, held_of(spool_->key_use()));
    std::vector<HeldKey> journal;
    if (rule_state_.journal) journal = held_of(rule_state_.journal->key_use());
    std::vector<HeldKey> state;
    if (ring->size() > 1) {
        if (auto done = state_.reseal(); !done) spdlog::debug("state: not sealed again: {}", base::describe(done.error()));
        const auto keys = state_.keys();
        if (!keys) return;  // nothing is known, so nothing is told
        for (const DocumentKey& each : *keys) {
            const auto known = std::find_if(state.begin(), state.end(), [&each](const HeldKey& held) { return held.key == each.key; });
            if (known == state.end())
                state.push_back({each.key, 1, 0});
            else
                ++known->items;
        }
    }
    if (now >= ask_save_at_ && (needs_older(state, newest) || needs_older(journal, newest))) {
        ask_save_at_ = now + kAskSaveEvery;
        for (const auto& shard : shards_) {
            shard.gauges->save_wanted.store(true, std::memory_order_relaxed);
            shard.loop->wake();
        }
    }
    keys_.desk.report(KeyHolder::journal, newest, std::move(journal));
    keys_.desk.report(KeyHolder::state, newest, std::move(state));
}

}  // namespace sluice::gateway
