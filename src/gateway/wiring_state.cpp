// What the rules remember: found again at a start.
#include <string>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway/wiring.hpp"

namespace sluice::gateway {

bool Gateway::open_rule_state(spool::Spool& events, config::StartError& error) {
    const std::string folder = config_.gateway.data.value + "/state/journal";
    const auto fail = [&](const base::Error& why) {
        std::string said = fmt::format("{} cannot be used: {}", folder, base::describe(why));
        if (why.code == base::Errc::wrong_key)
            said = fmt::format(
                "{} was written with another key than those in {}/keys (`sluice key list` says which); put it back, or move {} away",
                folder, config_.gateway.data.value, folder);
        error = {config_.gateway.data.at, "gateway.data", std::move(said)};
        return false;
    };
    const bool interrupted = !state_->take_clean_mark();
    StateJournal::Found found;
    // One that an earlier configuration wrote is read all the same.
    if (const auto files = world_.files.list(folder); config_.state.journal || (files && !files->empty())) {
        auto journal = StateJournal::open({world_.files, world_.clock, world_.entropy, *spool_sealer_},
                                          {.directory = folder, .bytes_max = config_.state.journal_bytes});
        if (!journal) return fail(journal.error());
        journal_ = std::move(*journal);
        auto settled = journal_->settle(events);
        if (!settled) return fail(settled.error());
        found = *settled;
        if (found.brought != 0)
            spdlog::info("rule state: {} events came from its journal into the spool, which did not have them when the process ended",
                         found.brought);
        if (found.strange != 0)
            spdlog::error(
                "rule state: {} events of its journal belong to another spool, or to classes that are not configured any more; if "
                "that spool does not have them they are lost",
                found.strange);
    }
    std::vector<rules::Engine*> engines;
    engines.reserve(shards_.size());
    for (const auto& shard : shards_) engines.push_back(&shard->engine());
    auto recovered = recover_state(*state_, journal_.get(), found, engines, world_.clock, interrupted);
    if (!recovered) return fail(recovered.error());
    recovered_ = *recovered;
    for (const auto& shard : shards_) shard->go_on_from(recovered_.shift, found.turns != 0);
    return true;
}

}  // namespace sluice::gateway
