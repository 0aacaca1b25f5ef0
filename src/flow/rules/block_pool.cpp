#include "flow/rules/block_pool.hpp"

#include <cstring>

namespace sluice::rules {

std::uint32_t BlockPool::take() {
    std::uint32_t handle = 0;
    const bool charged = !free_.empty() && budget_.room == nullptr;
    if (!charged && !budget_.take(counted_)) return 0;  // which may give blocks back
    if (!free_.empty()) {
        handle = free_.back();
        free_.pop_back();
    } else {
        if (made_ % kBlocksPerChunk == 0) chunks_.push_back(std::make_unique<std::byte[]>(bytes_ * kBlocksPerChunk));
        handle = static_cast<std::uint32_t>(++made_);
    }
    std::memset(state(handle), 0, bytes_);
    return handle;
}

void BlockPool::give(std::uint32_t handle) {
    free_.push_back(handle);
    if (budget_.room != nullptr) budget_.give(counted_);
}

std::uint32_t BlockPool::find(std::uint32_t chain, std::int64_t order) const {
    while (chain != 0 && head(chain).order > order) chain = head(chain).next;
    return chain != 0 && head(chain).order == order ? chain : 0;
}

void BlockPool::insert(std::uint32_t& chain, std::uint32_t handle) {
    std::uint32_t* link = &chain;
    while (*link != 0 && head(*link).order > head(handle).order) link = &head(*link).next;
    head(handle).next = *link;
    *link = handle;
}

void BlockPool::unlink(std::uint32_t& chain, std::uint32_t handle) {
    std::uint32_t* link = &chain;
    while (*link != handle) link = &head(*link).next;
    *link = head(handle).next;
}

}  // namespace sluice::rules
