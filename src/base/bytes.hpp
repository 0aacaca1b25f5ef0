// Bytes: views, buffers, little- and big-endian numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice::base {

using Byte = std::uint8_t;
using Bytes = std::vector<Byte>;
/// Borrowed bytes; whoever hands one out says how long it stays valid.
using ByteView = std::span<const Byte>;

[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // chars and bytes may alias
}
[[nodiscard]] inline ByteView as_bytes(std::string_view text) { return {reinterpret_cast<const Byte*>(text.data()), text.size()}; }

inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }
inline void append(Bytes& to, std::string_view text) { append(to, as_bytes(text)); }

/// Reads a little-endian number; the caller has checked that sizeof(T) bytes are there.
template <class T>
    requires std::is_unsigned_v<T>
[[nodiscard]] T load_le(const Byte* from) {
    static_assert(std::endian::native == std::endian::little, "big-endian hosts are not supported");
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
    requires std::is_unsigned_v<T>
void append_le(Bytes& to, T value) {
    const auto at = to.size();
    to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
}

template <class T>
    requires std::is_unsigned_v<T>
void store_le(Byte* to, T value) {
    std::memcpy(to, &value, sizeof value);
}

}  // namespace sluice::base
