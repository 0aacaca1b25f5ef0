// Reads the fields of a packet body one after the other; a read past the end or a bad field makes everything after it fail.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/mqtt/packet.hpp"
#include "data/topic.hpp"

namespace sluice::mqtt {

class ByteReader {
public:
    explicit ByteReader(base::ByteView in) : at_(in.data()), end_(in.data() + in.size()) {}

    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    [[nodiscard]] const base::Byte* at() const { return at_; }
    [[nodiscard]] base::ByteView rest() const { return {at_, left()}; }

    [[nodiscard]] bool byte(std::uint8_t& out) {
        if (left() < 1) return false;
        out = *at_++;
        return true;
    }
    [[nodiscard]] bool two_bytes(std::uint16_t& out) {
        if (left() < 2) return false;
        out = static_cast<std::uint16_t>(at_[0] << 8 | at_[1]);
        at_ += 2;
        return true;
    }
    [[nodiscard]] bool four_bytes(std::uint32_t& out) {
        if (left() < 4) return false;
        out = std::uint32_t{at_[0]} << 24 | std::uint32_t{at_[1]} << 16 | std::uint32_t{at_[2]} << 8 | at_[3];
        at_ += 4;
        return true;
    }
    /// §1.5.5; more bytes than needed are malformed.
    [[nodiscard]] bool variable_integer(std::uint32_t& out) {
        out = 0;
        for (unsigned i = 0; i < 4; ++i) {
            if (i >= left()) return false;
            const base::Byte piece = at_[i];
            out |= (piece & 0x7FU) << (7 * i);
            if ((piece & 0x80U) == 0) {
                at_ += i + 1;
                return piece != 0 || i == 0;
            }
        }
        return false;
    }
    /// Two bytes of length, then the bytes; not checked further.
    [[nodiscard]] bool binary(std::string_view& out) {
        std::uint16_t size = 0;
        if (!two_bytes(size) || left() < size) return false;
        out = {reinterpret_cast<const char*>(at_), size};
        at_ += size;
        return true;
    }
    /// The same, as an MQTT UTF-8 string (§1.5.4).
    [[nodiscard]] bool text(std::string_view& out) { return binary(out) && data::is_mqtt_utf8(out); }
    /// Takes the next `size` bytes.
    [[nodiscard]] bool bytes(std::size_t size, base::ByteView& out) {
        if (left() < size) return false;
        out = {at_, size};
        at_ += size;
        return true;
    }

private:
    const base::Byte* at_;
    const base::Byte* end_;
};

}  // namespace sluice::mqtt
