#include "cloud/memory_store.hpp"

#include <iterator>

#include "base/check.hpp"

namespace sluice::cloud {

using base::Error;
using base::Status;

Status MemoryStore::fault() {
    if (++calls_ != fail_.at) return {};
    return Error{fail_.code};
}

Status MemoryStore::begin() {
    base::check(!open_, "memory store: a transaction inside another");
    if (auto fine = fault(); !fine) return fine;
    open_ = true;
    return {};
}

base::Result<Stream> MemoryStore::stream(const StreamKey& key) {
    base::check(open_, "memory store: outside of a transaction");
    if (auto fine = fault(); !fine) return fine.error();
    const Key name{std::string(key.gateway), key.epoch.value(), std::string(key.class_name)};
    auto found = streams_.find(name);
    if (found == streams_.end()) {
        const auto known = committed_.streams.find(name);
        found =
            streams_.emplace(name, known != committed_.streams.end() ? known->second : Stream{StreamId(++ids_), data::Sequence(0)}).first;
    }
    current_ = &found->second;
    return *current_;
}

Status MemoryStore::insert(const EventRow& row) {
    base::check(open_, "memory store: outside of a transaction");
    if (auto fine = fault(); !fine) return fine;
    events_.push_back(
        {.stream = row.stream, .sequence = row.sequence, .rule = std::string(row.rule), .ts_ms = row.ts_ms, .json = std::string(row.json)});
    return {};
}

Status MemoryStore::note_gap(StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) {
    base::check(open_, "memory store: outside of a transaction");
    if (auto fine = fault(); !fine) return fine;
    gaps_.push_back({.stream = stream, .first = first, .last = last, .reason = std::string(reason)});
    return {};
}

Status MemoryStore::advance(StreamId stream, data::Sequence next) {
    base::check(open_ && current_ != nullptr && current_->id == stream, "memory store: not the stream asked for last");
    if (auto fine = fault(); !fine) return fine;
    current_->next = next;
    return {};
}

Status MemoryStore::save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) {
    base::check(open_, "memory store: outside of a transaction");
    if (auto fine = fault(); !fine) return fine;
    auto found = gateways_.find(std::string(gateway));
    if (found == gateways_.end()) {
        const auto known = committed_.gateways.find(std::string(gateway));
        found = gateways_.emplace(std::string(gateway), known != committed_.gateways.end() ? known->second : Gateway{}).first;
    }
    found->second.last_seen = last_seen;
    if (!ledger.empty()) found->second.ledger = ledger;
    return {};
}

Status MemoryStore::commit() {
    base::check(open_, "memory store: outside of a transaction");
    const auto fine = fault();
    if (!fine && !fail_.after) return fine;
    for (auto& [key, row] : streams_) committed_.streams[key] = row;
    for (auto& [key, row] : gateways_) committed_.gateways[key] = row;
    std::move(events_.begin(), events_.end(), std::back_inserter(committed_.events));
    std::move(gaps_.begin(), gaps_.end(), std::back_inserter(committed_.gaps));
    rollback();
    return fine;
}

void MemoryStore::rollback() {
    streams_.clear();
    gateways_.clear();
    events_.clear();
    gaps_.clear();
    current_ = nullptr;
    open_ = false;
}

const Stream* MemoryStore::find(const Key& key) const {
    const auto found = committed_.streams.find(key);
    return found == committed_.streams.end() ? nullptr : &found->second;
}

}  // namespace sluice::cloud
