#include "flow/rules/stored_value.hpp"

#include <algorithm>

namespace sluice::rules {
namespace {

/// Lists up to this many values keep their memory between windows.
constexpr std::size_t kListKept = 1024;

}  // namespace

using json::Kind;
using json::Value;

bool StateBudget::take_from_others(std::size_t more) {
    for (int i = 0; room != nullptr && i < kForgottenAtOnce && room->forget_oldest(); ++i) {
        if (fits(more)) return true;
    }
    ++refused;
    return false;
}

// Handle 0 stands for "none".
ValuePool::ValuePool(StateBudget& budget) : budget_(&budget), texts_(1), lists_(1) {}

bool ValuePool::store(const Value& value, StoredValue& to) {
    switch (value.kind()) {
        case Kind::text:
        case Kind::raw: {
            const std::string_view text = value.as_view();
            if (text.size() > kTextBytesMax) return false;
            // A short text lies in the string itself; for the budget every text counts with what it holds.
            const std::size_t before = to.handle == 0 ? 0 : texts_[to.handle].size();
            if (text.size() > before && !budget_->take(text.size() - before)) return false;
            if (text.size() < before) budget_->give(before - text.size());
            if (to.handle == 0) {
                if (free_texts_.empty()) {
                    to.handle = static_cast<std::uint32_t>(texts_.size());
                    texts_.emplace_back();
                } else {
                    to.handle = free_texts_.back();
                    free_texts_.pop_back();
                }
            }
            texts_[to.handle].assign(text);
            break;
        }
        case Kind::number:
            if (to.handle != 0) [[unlikely]]
                drop_text(to);
            to.number = value.as_number();
            break;
        default:
            if (to.handle != 0) [[unlikely]]
                drop_text(to);
            to.whole = value.kind() == Kind::integer || value.kind() == Kind::boolean ? value.as_integer() : 0;
    }
    to.kind = value.kind();
    return true;
}

Value ValuePool::load(const StoredValue& value) const {
    switch (value.kind) {
        case Kind::missing:
            return Value{};
        case Kind::null:
            return Value::null();
        case Kind::boolean:
            return Value::boolean(value.whole != 0);
        case Kind::integer:
            return Value::integer(value.whole);
        case Kind::number:
            return Value::number(value.number);
        case Kind::text:
            return Value::text(texts_[value.handle]);
        case Kind::raw:
            return Value::raw(texts_[value.handle]);
    }
    return Value{};
}

/// A text's memory is kept for the next text. Where keys are forgotten what is charged must follow from what is kept: a restart knows no
/// more.
void ValuePool::drop_text(StoredValue& value) {
    if (budget_->counts_what_is_kept()) free(value);
}

void ValuePool::free(StoredValue& value) {
    if (value.handle != 0) {
        budget_->give(texts_[value.handle].size());
        texts_[value.handle] = std::string();
        free_texts_.push_back(value.handle);
    }
    value = StoredValue{};
}

std::uint32_t ValuePool::make_list() {
    if (!free_lists_.empty()) {
        const std::uint32_t handle = free_lists_.back();
        free_lists_.pop_back();
        return handle;
    }
    lists_.emplace_back();
    return static_cast<std::uint32_t>(lists_.size() - 1);
}

bool ValuePool::append(std::uint32_t handle, const Value& value) {
    List& list = lists_[handle];
    if (list.size() == list.capacity()) {
        const std::size_t more = std::max<std::size_t>(16, list.capacity());
        if (!budget_->take(more * sizeof(StoredValue))) return false;
        list.reserve(list.capacity() + more);
    }
    StoredValue stored;
    if (!store(value, stored)) return false;
    list.push_back(stored);
    return true;
}

void ValuePool::clear_list(std::uint32_t handle) {
    List& list = lists_[handle];
    for (StoredValue& value : list) free(value);
    list.clear();
    if (list.capacity() > kListKept) {
        budget_->give(list.capacity() * sizeof(StoredValue));
        List().swap(list);
    }
}

void ValuePool::free_list(std::uint32_t handle) {
    clear_list(handle);
    budget_->give(lists_[handle].capacity() * sizeof(StoredValue));
    List().swap(lists_[handle]);
    free_lists_.push_back(handle);
}

}  // namespace sluice::rules
