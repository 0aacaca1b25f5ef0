#include "gateway/azure_token.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "flow/uplink/azure_dialect.hpp"

namespace sluice::gateway {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xffU);
    }
    return out;
}

std::string azure_token(std::string_view hub, std::string_view device, std::string_view key, std::chrono::seconds expiry) {
    const std::string uri = uplink::percent_encoded(fmt::format("{}/devices/{}", hub, device));
    const std::string text = fmt::format("{}\n{}", uri, expiry.count());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         digest.data(), &size);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64{};
    const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
    const std::string_view signature(reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(length));
    return fmt::format("SharedAccessSignature sr={}&sig={}&se={}", uri, uplink::percent_encoded(signature), expiry.count());
}

}  // namespace sluice::gateway
