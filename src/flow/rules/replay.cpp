// Readings that an engine of an earlier run had: state moves on as it did then, and nothing is put out again.
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

class Nowhere final : public Output {
public:
    void emit(const OutputRow&) override {}
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}
};

}  // namespace

void Engine::replay(const data::Reading& reading, Origin origin) {
    Nowhere nowhere;
    impl_->replayed = &origin;
    impl_->silent = true;
    impl_->process(reading, kAllPartitions & ~kStateless, nowhere);
    impl_->silent = false;
    impl_->replayed = nullptr;
}

void Engine::replay_time(base::Monotonic now, base::WallTime wall) {
    Nowhere nowhere;
    impl_->silent = true;
    for (auto due = next_deadline(); due && *due <= now; due = next_deadline()) on_time(now, wall, nowhere);
    impl_->silent = false;
}

void Engine::end_replay() {
    (void)counters();  // what is counted elsewhere goes, too
    impl_->counters.assign(impl_->counters.size(), {});
    impl_->totals = {};
}

}  // namespace sluice::rules
