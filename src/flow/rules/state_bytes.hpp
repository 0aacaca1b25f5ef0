// Saved state: little-endian fields, written and read by the operators. The format is docs/formats/rule_state.md.
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.hpp"
#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

/// Takes numbers off the front of saved bytes; after a failure everything fails.
class StateReader {
public:
    explicit StateReader(base::ByteView bytes) : bytes_(bytes) {}

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
    base::ByteView bytes_;
    bool ok_ = true;
};

inline void save_real(base::Bytes& out, double value) { base::append_le(out, std::bit_cast<std::uint64_t>(value)); }
void save_value(base::Bytes& out, const json::Value& value);

}  // namespace sluice::rules
