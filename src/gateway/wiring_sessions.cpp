// The part of the wiring that brings back the sessions of the last run.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "data/bridge.hpp"
#include "gateway/wiring.hpp"

namespace sluice::gateway {
namespace {

std::string sessions_message(const std::string& data, const base::Error& error) {
    const std::string directory = data + "/sessions";
    const std::string file = fmt::format("{}/{}", directory, SessionDatabase::kFile);
    switch (error.code) {
        case base::Errc::wrong_key:
            return fmt::format(
                "{} was written with another key than those in {}/keys (`sluice key list` says which); put it back, or move {} away", file,
                data, directory);
        case base::Errc::version:
            return fmt::format("{} was written by another version; move the folder away to start without its sessions", file);
        default:
            return fmt::format("{} cannot be used: {}", file, base::describe(error));
    }
}

}  // namespace

/// Opens the sessions' database and gives each shard what is its.
bool Gateway::open_sessions(const identity::KeyRing& keys, std::chrono::milliseconds commit_delay, config::StartError& error) {
    const std::string directory = config_.gateway.data.value + "/sessions";
    SessionDatabase::Loaded loaded;
    auto database = SessionDatabase::open({world_.files, world_.clock, world_.entropy}, keys, directory, loaded);
    if (!database) {
        error = {config_.gateway.data.at, "gateway.data", sessions_message(config_.gateway.data.value, database.error())};
        return false;
    }
    if (loaded.moved_aside) spdlog::error("sessions: {}/{} was damaged: put aside as .damaged", directory, SessionDatabase::kFile);
    for (const HeldKey& each : loaded.locked)
        spdlog::error("sessions: key {} ({}) is missing: {} rows in {} cannot be opened", each.key, identity::key_file(each.key),
                      each.items, directory);
    const auto& saved = loaded.saved;
    if (loaded.moved_aside || saved.unreadable() != 0) {
        spdlog::error("sessions: {} rows cannot be read; {} sessions and {} queued messages are lost", saved.unreadable(),
                      saved.sessions_lost(), saved.deliveries_lost());
    }
    sessions_ = std::make_unique<SessionThread>(world_.clock, std::move(*database), commit_delay);
    sessions_->watch_keys(*key_desk_);
    SessionGauges& gauges = sessions_->gauges();
    gauges.sessions_loaded = saved.sessions().size();
    gauges.rows_unreadable = saved.unreadable();
    gauges.sessions_lost = saved.sessions_lost();
    gauges.deliveries_lost = saved.deliveries_lost();
    gauges.damaged = loaded.moved_aside ? 1 : 0;
    // After a crash nobody knows when exactly: no connected client's session may end too early by it.
    const hub::Age stopped = loaded.stopped + static_cast<hub::Age>(std::chrono::milliseconds(SessionDatabase::kAgeEvery).count());
    for (std::size_t i = 0; i < shards_.size(); ++i)
        shards_[i]->restore_sessions({.clock = loaded.clock, .stopped = stopped, .next_id = saved.greatest_id() + 1 + i}, saved);
    for (const auto& each : saved.sessions()) {
        if (data::is_bridge_client(each.session.client))
            left_over_bridges_.emplace_back(each.session.client.substr(data::kBridgeClientPrefix.size()));
    }
    base::Bytes changes;
    for (const auto& shard : shards_) shard->settle_restored(shards_, changes);
    // Before the first connection: publishes that awaited their PUBREL at a clean stop must not be remembered after a crash.
    if (auto written = sessions_->start_with(changes, saved.remains()); !written)
        spdlog::error("sessions: cannot write: {}", base::describe(written.error()));
    if (!saved.sessions().empty()) spdlog::info("sessions: {} of the last run go on", saved.sessions().size());
    return true;
}

}  // namespace sluice::gateway
