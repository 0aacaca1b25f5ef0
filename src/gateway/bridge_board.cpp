#include "gateway/bridge_board.hpp"

#include <algorithm>

#include "env/posix/socket_pair.hpp"

namespace sluice::gateway {

BridgeBoard::~BridgeBoard() {
    for (auto& each : knocking_) posix::discard(std::move(each));
}

void BridgeBoard::knock(posix::DetachedConnection&& connection) {
    {
        const std::lock_guard guard(lock_);
        knocking_.push_back(std::move(connection));
        knocks_.fetch_add(1, std::memory_order_seq_cst);
    }
    loop_->wake();
}

bool BridgeBoard::take(posix::DetachedConnection& connection) {
    if (!knocked()) return false;
    const std::lock_guard guard(lock_);
    connection = std::move(knocking_.front());
    knocking_.pop_front();
    knocks_.fetch_sub(1, std::memory_order_seq_cst);
    return true;
}

void BridgeBoard::add(std::shared_ptr<BridgeGauges> gauges) {
    {
        const std::lock_guard guard(lock_);
        std::erase_if(bridges_, [&gauges](const auto& each) { return each->name == gauges->name; });
        bridges_.push_back(std::move(gauges));
    }
    changed();
}

void BridgeBoard::remove(const std::string& name) {
    {
        const std::lock_guard guard(lock_);
        std::erase_if(bridges_, [&name](const auto& each) { return each->name == name; });
    }
    changed();
}

BridgeList BridgeBoard::list() const {
    const std::lock_guard guard(lock_);
    return bridges_;
}

void BridgeBoard::changed() {
    edition_.fetch_add(1, std::memory_order_seq_cst);
    loop_->wake();
}

}  // namespace sluice::gateway
