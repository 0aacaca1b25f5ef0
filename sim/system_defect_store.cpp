#include "sim/system_defect_store.hpp"

namespace sluice::sim {

base::Status DefectStore::begin() {
    apart_.clear();
    return inner_.begin();
}

base::Result<cloud::Stream> DefectStore::stream(const cloud::StreamKey& key) {
    current_ = {std::string(key.gateway), key.epoch.value(), std::string(key.class_name)};
    auto found = inner_.stream(key);
    if (found && defect_ == Defect::cloud_forgets_positions) found->next = data::Sequence(0);
    const auto later = apart_.find(current_);
    if (found && later != apart_.end()) found->next = later->second;
    return found;
}

base::Status DefectStore::note_gap(cloud::StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) {
    if (defect_ == Defect::cloud_forgets_gaps) return {};
    return inner_.note_gap(stream, first, last, reason);
}

base::Status DefectStore::advance(cloud::StreamId stream, data::Sequence next) {
    if (defect_ != Defect::cloud_commits_positions_apart) return inner_.advance(stream, next);
    apart_[current_] = next;
    return {};
}

base::Status DefectStore::commit() {
    if (auto done = inner_.commit(); !done || apart_.empty()) return done;
    if (auto begun = inner_.begin(); !begun) return begun;
    for (const auto& [key, next] : apart_) {
        const auto& [gateway, epoch, class_name] = key;
        const auto found = inner_.stream({.gateway = gateway, .epoch = data::Epoch(epoch), .class_name = class_name});
        if (!found) return found.error();
        if (auto moved = inner_.advance(found->id, next); !moved) return moved;
    }
    apart_.clear();
    return inner_.commit();
}

}  // namespace sluice::sim
