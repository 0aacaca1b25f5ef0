// Saved state: little-endian fields, written and read by the operators. The format is docs/formats/rule_state.md.
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

/// What times of the monotonic clock in saved state are turned into: they are saved as how long ago they were.
struct StateClock {
    base::Monotonic now{};
    std::int64_t away_ns = 0;  ///< between the save and now
    bool times = true;         ///< false: version 2, in which operators had none
};

/// Takes numbers off the front of saved bytes; after a failure everything fails.
class StateReader {
public:
    explicit StateReader(base::ByteView bytes, const StateClock& clock = {}) : bytes_(bytes), clock_(clock) {}

    template <class T>
    [[nodiscard]] T number() {
        if (bytes_.size() < sizeof(T)) {
            ok_ = false;
            bytes_ = {};
            return T{};
        }
        const T value = base::load_le<T>(bytes_.data());
        bytes_ = bytes_.subspan(sizeof(T));
        return value;
    }
    /// Nanoseconds of the monotonic clock, as save_time wrote them.
    [[nodiscard]] std::int64_t time() {
        const auto ago = static_cast<std::int64_t>(number<std::uint64_t>());
        if (ago < -kFarNanoseconds || ago > kFarNanoseconds) fail();
        return ok_ ? clock_.now.time_since_epoch().count() - ago - clock_.away_ns : 0;
    }
    [[nodiscard]] bool has_times() const { return clock_.times; }
    [[nodiscard]] double real() { return std::bit_cast<double>(number<std::uint64_t>()); }
    [[nodiscard]] base::ByteView bytes(std::size_t size) {
        if (bytes_.size() < size) {
            ok_ = false;
            bytes_ = {};
            return {};
        }
        const base::ByteView taken = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return taken;
    }
    /// A value as save_value wrote it. Texts point into the saved bytes.
    [[nodiscard]] json::Value value();

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] base::ByteView rest() const { return bytes_; }
    void fail() { ok_ = false; }

private:
    /// 73 years, safe to compute with.
    static constexpr std::int64_t kFarNanoseconds = std::int64_t{1} << 61;
    base::ByteView bytes_;
    StateClock clock_;
    bool ok_ = true;
};

inline void save_real(base::Bytes& out, double value) { base::append_le(out, std::bit_cast<std::uint64_t>(value)); }
inline void save_time(base::Bytes& out, std::int64_t at, base::Monotonic now) {
    base::append_le(out, static_cast<std::uint64_t>(now.time_since_epoch().count() - at));
}
void save_value(base::Bytes& out, const json::Value& value);

}  // namespace sluice::rules
