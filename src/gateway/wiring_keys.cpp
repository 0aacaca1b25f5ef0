// The part of the wiring that has the master keys.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "flow/spool/key_scan.hpp"
#include "gateway/named_keys.hpp"
#include "gateway/wiring.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::gateway {
namespace {

std::string key_message(const std::string& path, identity::KeyNumber culprit, const base::Error& error) {
    const std::string file = fmt::format("{}/{}", path, identity::key_file(culprit));
    switch (error.code) {
        case base::Errc::not_found:
            return fmt::format("{} is missing, and {}/spool or {}/sessions was written with it; put it back, or move both away", file, path,
                               path);
        case base::Errc::corrupt:
            return fmt::format("{} is no key: expected exactly 32 bytes; put the right file back", file);
        case base::Errc::permission:
            return fmt::format("{} may be read by others, or not by us: expected our own file with mode 0600 (chmod 600)", file);
        default:
            return fmt::format("{} cannot be used: {}", file, base::describe(error));
    }
}

}  // namespace

std::optional<identity::KeyRing> Gateway::open_keys(config::StartError& error) {
    const std::string& path = config_.gateway.data.value;
    // A spool without its key: a new key would only hide that the right one is missing.
    const auto spooled = world_.files.list(path + "/spool");
    const bool has_spool = spooled && spooled->size() > 1;  // the lock alone is none
    const auto kept = world_.files.list(path + "/sessions");
    const bool has_sessions = kept && !kept->empty();
    identity::KeyFiles key_files(world_.files, path);
    auto keys = has_spool || has_sessions ? key_files.open() : key_files.open_or_create(world_.entropy);
    if (keys) return std::move(*keys);
    const bool lost = keys.error().code == base::Errc::not_found;  // not one is there
    const identity::KeyNumber named = lost ? greatest_named_key(world_.files, path) : identity::KeyNumber{0};
    error = {config_.gateway.data.at, "gateway.data", key_message(path, named != 0 ? named : key_files.culprit(), keys.error())};
    return std::nullopt;
}

/// What cannot be opened costs itself; it is said which key would open it.
void Gateway::report_missing_keys(const spool::Sealer& sealer) const {
    const std::string& path = config_.gateway.data.value;
    struct Place {
        std::string folder;
        std::string_view cost;
    };
    for (const auto& [folder, cost] : {Place{path + "/spool", "events in them that still wait are lost and count as corrupt"},
                                       Place{path + "/state/journal", "readings in them are missing in the state of rules"}}) {
        const auto named = spool::scan_keys(world_.files, folder);
        if (!named) continue;
        for (const auto& each : *named) {
            if (each.segments == 0 || sealer.has(each.key)) continue;
            spdlog::error("keys: key {} ({}) is missing or another: {} segments with {} bytes in {} cannot be opened; {}", each.key.number,
                          identity::key_file(each.key.number), each.segments, each.bytes, folder, cost);
        }
    }
    const auto documents = document_keys(world_.files, path + "/state");
    if (!documents) return;
    for (const DocumentKey& each : *documents) {
        if (key_desk_->keys()->find(each.key) == nullptr)
            spdlog::error("keys: key {} ({}) is missing: {}/state/{} cannot be opened", each.key, identity::key_file(each.key), path,
                          each.name);
    }
}

bool Gateway::reseal_rules(const identity::KeyRing& keys) {
    const std::lock_guard guard(control_lock_);
    const auto needed = rule_book_.use_keys(keys);
    if (!needed) {
        spdlog::warn("rules: changes made at run time are not yet sealed with the newest key: {}", base::describe(needed.error()));
        return false;
    }
    std::vector<HeldKey> held;
    if (*needed) held.push_back({**needed, 1, 0});
    key_desk_->report(KeyHolder::rules, keys.newest(), std::move(held));
    return true;
}

}  // namespace sluice::gateway
