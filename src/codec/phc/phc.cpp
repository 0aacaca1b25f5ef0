#include "codec/phc/phc.hpp"

#include <array>

namespace sluice::phc {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648 §4) without padding, as the format asks for.
void append_base64(std::string& out, base::ByteView bytes) {
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const base::Byte byte : bytes) {
        bits = bits << 8 | byte;
        for (count += 8; count >= 6; count -= 6) out += kAlphabet[bits >> (count - 6) & 63U];
    }
    if (count != 0) out += kAlphabet[bits << (6 - count) & 63U];
}

/// False: a character outside the alphabet, a length that no bytes have, or bits set behind the last byte.
bool read_base64(std::string_view text, base::Bytes& out) {
    if (text.size() % 4 == 1) return false;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const std::size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos) return false;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out.push_back(static_cast<base::Byte>(bits >> count & 0xFFU));
    }
    return (bits & ((1U << count) - 1U)) == 0;
}

/// The part before the next `separator`, which is taken off `rest`; all of it where there is none.
std::string_view take(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    return part;
}

/// `m=19456`: decimal without leading zeros, at most nine digits. False: not that.
bool read_number(std::string_view text, std::string_view name, std::uint32_t& out) {
    if (!text.starts_with(name)) return false;
    text.remove_prefix(name.size());
    if (text.empty() || text.size() > 9 || (text[0] == '0' && text.size() != 1)) return false;
    out = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        out = out * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return true;
}

Result<Cost> read_cost(std::string_view text) {
    Cost cost;
    if (!read_number(take(text, ','), "m=", cost.memory_kib)) return Error{Errc::malformed};
    if (!read_number(take(text, ','), "t=", cost.passes)) return Error{Errc::malformed};
    if (!read_number(text, "p=", cost.lanes)) return Error{Errc::malformed};
    if (cost.lanes > kLanesMax || cost.passes > kPassesMax || cost.memory_kib > kMemoryKibMax) return Error{Errc::too_large};
    if (cost.memory_kib * cost.passes > kWorkKibMax) return Error{Errc::too_large};
    if (cost.lanes == 0 || cost.passes == 0 || cost.memory_kib < 8 * cost.lanes) return Error{Errc::invalid};  // RFC 9106 §3.1
    return cost;
}

}  // namespace

Result<Argon2id> parse(std::string_view text) {
    if (text.size() > kTextBytesMax || !text.starts_with('$')) return Error{Errc::malformed};
    text.remove_prefix(1);
    if (take(text, '$') != "argon2id") return Error{Errc::unsupported};
    const std::string_view version = take(text, '$');
    if (version != "v=19") return Error{version.starts_with("v=") || version.starts_with("m=") ? Errc::unsupported : Errc::malformed};
    const auto cost = read_cost(take(text, '$'));
    if (!cost) return cost.error();
    Argon2id hash{.cost = *cost, .salt = {}, .tag = {}};
    if (!read_base64(take(text, '$'), hash.salt) || !read_base64(text, hash.tag)) return Error{Errc::malformed};
    if (hash.salt.size() < kSaltBytesMin || hash.tag.size() < kTagBytesMin) return Error{Errc::invalid};
    if (hash.salt.size() > kSaltBytesMax || hash.tag.size() > kTagBytesMax) return Error{Errc::too_large};
    return hash;
}

std::string format(const Argon2id& hash) {
    std::string out = "$argon2id$v=19$m=" + std::to_string(hash.cost.memory_kib) + ",t=" + std::to_string(hash.cost.passes) +
                      ",p=" + std::to_string(hash.cost.lanes) + "$";
    append_base64(out, hash.salt);
    out += '$';
    append_base64(out, hash.tag);
    return out;
}

bool is_weak(const Cost& cost) { return cost.memory_kib * cost.passes < 7168 * 5; }

}  // namespace sluice::phc
