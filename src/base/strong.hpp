// Ids and quantities that can be confused are different types.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace sluice::base {

/// `using Sequence = Strong<struct SequenceTag, std::uint64_t>;`: explicit in, explicit out (`value()`), ordered with its own kind only.
template <class Tag, class T>
class Strong {
public:
    using Value = T;
    constexpr Strong() = default;
    constexpr explicit Strong(T value) : value_(value) {}
    [[nodiscard]] constexpr T value() const { return value_; }
    [[nodiscard]] constexpr Strong next() const { return Strong(static_cast<T>(value_ + 1)); }
    friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

private:
    T value_{};
};

}  // namespace sluice::base

template <class Tag, class T>
struct std::hash<sluice::base::Strong<Tag, T>> {
    std::size_t operator()(const sluice::base::Strong<Tag, T>& id) const noexcept { return std::hash<T>{}(id.value()); }
};
