#include "flow/rules/saved_windows.hpp"

#include "base/hash.hpp"

namespace sluice::rules {
namespace {

void skip_accumulator(Accumulator kind, StateReader& reader, std::size_t values_max) {
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            (void)reader.bytes(8);
            return;
        case Accumulator::total:
            (void)reader.bytes(40);
            return;
        case Accumulator::moments:
            (void)reader.bytes(24);
            return;
        case Accumulator::numbers:
        case Accumulator::list: {
            (void)reader.number<std::uint32_t>();
            const auto size = reader.number<std::uint32_t>();
            if (size > values_max) reader.fail();
            for (std::uint32_t i = 0; i < size && reader.ok(); ++i) (void)reader.value();
            return;
        }
        default:
            if (kind >= Accumulator::first_by_time) (void)reader.bytes(8);
            (void)reader.value();
    }
}

}  // namespace

std::uint64_t seen_entry() { return base::hash64("seen"); }

SavedWindow::SavedWindow(const WindowPlan& own, base::ByteView entry, std::size_t values_max)
    : own_(own), values_max_(values_max), reader_(entry) {
    empty_ = entry.empty();
    if (empty_ || (own.form != WindowForm::count && own.form != WindowForm::hopping_count)) return;
    StateReader count(entry);
    empty_ = count.number<std::uint32_t>() == 0;
    if (!count.ok()) reader_.fail();
    if (own.form == WindowForm::hopping_count) front_ = reader_.bytes(2 * sizeof(std::uint32_t));
}

bool SavedWindow::next() {
    const bool counted = own_.form == WindowForm::count;
    if (!reader_.ok() || (counted ? once_ : reader_.empty())) {
        if (counted && !reader_.empty()) reader_.fail();
        return false;
    }
    once_ = true;
    std::size_t bytes = 0;
    if (counted) bytes = sizeof(std::uint32_t);
    if (own_.form == WindowForm::timed) bytes = sizeof(std::int64_t);
    if (own_.form == WindowForm::session) bytes = 3 * sizeof(std::int64_t);
    if (own_.form == WindowForm::sliding) bytes = sizeof(std::int64_t) + 1;
    if (own_.form == WindowForm::hopping_count && own_.accumulators.empty()) {
        reader_.fail();  // bytes of nothing
        return false;
    }
    together_ = reader_.bytes(bytes);
    items_.clear();
    const bool values = own_.form == WindowForm::hopping_count || own_.form == WindowForm::sliding;
    for (const AccumulatorPlan& accumulator : own_.accumulators) {
        const base::ByteView before = reader_.rest();
        if (values)
            (void)reader_.value();
        else
            skip_accumulator(accumulator.kind, reader_, values_max_);
        if (!reader_.ok()) return false;
        items_.push_back(taken(before));
    }
    return true;
}

void StateDigest::add_word(std::uint64_t word) {
    const auto mixed = [](std::uint64_t x) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    };
    constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;  // of splitmix64
    one_ = mixed(one_ ^ word) + kStep;
    other_ = mixed(other_ + word * kStep) ^ kStep;
}

void StateDigest::add(base::ByteView bytes) {
    add_word(bytes.size());
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t)))
        add_word(base::load_le<std::uint64_t>(bytes.data()));
    std::uint64_t rest = 0;
    for (const base::Byte byte : bytes) rest = rest << 8 | byte;
    add_word(rest);
}

void WindowTrace::add_entry(const WindowPlan& own, std::string_view key, base::ByteView entry, std::size_t values_max) {
    SavedWindow saved(own, entry, values_max);
    if (saved.is_empty()) {
        readable = readable && saved.ok();
        return;
    }
    shape.add(base::as_bytes(key));
    shape.add(saved.front());
    while (saved.next()) {
        shape.add(saved.together());
        for (std::size_t i = 0; i < accumulators.size(); ++i) accumulators[i].add(saved.items()[i]);
    }
    readable = readable && saved.ok();
}

}  // namespace sluice::rules
