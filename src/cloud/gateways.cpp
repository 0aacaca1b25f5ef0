#include "cloud/gateways.hpp"

#include <algorithm>

namespace sluice::cloud {

GatewayState* Gateways::find_or_make(std::string_view gateway) {
    if (const auto known = gateways_.find(gateway); known != gateways_.end()) return &known->second;
    if (gateways_.size() >= kMax) return nullptr;
    auto& made = gateways_[std::string(gateway)];
    made.id = gateway;
    return &made;
}

void Gateways::restore(GatewayState state) {
    const std::lock_guard lock(mutex_);
    if (auto* row = find_or_make(state.id)) *row = std::move(state);
}

void Gateways::set_online(std::string_view gateway, bool online, base::WallTime at) {
    const std::lock_guard lock(mutex_);
    auto* row = find_or_make(gateway);
    if (row == nullptr) return;
    row->online = online;
    row->last_seen = at;
}

void Gateways::seen(std::string_view gateway, base::WallTime at, std::string_view ledger) {
    const std::lock_guard lock(mutex_);
    auto* row = find_or_make(gateway);
    if (row == nullptr) return;
    row->last_seen = at;
    if (!ledger.empty()) row->ledger = ledger;
}

std::vector<GatewayState> Gateways::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<GatewayState> rows;
    rows.reserve(gateways_.size());
    for (const auto& [id, row] : gateways_) rows.push_back(row);
    return rows;
}

std::size_t Gateways::online() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(gateways_.begin(), gateways_.end(), [](const auto& row) { return row.second.online; }));
}

}  // namespace sluice::cloud
