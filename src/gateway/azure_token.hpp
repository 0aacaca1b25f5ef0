// Shared access signatures: what a device signs in with at Azure IoT Hub instead of a certificate.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::gateway {

/// Standard base64 (RFC 4648 §4), with or without padding. nullopt: it is none.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

/// `SharedAccessSignature sr={URI}&sig={HMAC-SHA256 of "{URI}\n{expiry}", base64}&se={expiry}`, each part URL-encoded; the URI is
/// `{hub}/devices/{device}`. Source: Microsoft, "Control access to IoT Hub by using shared access signatures".
/// `key`: as bytes (the portal shows it in base64). `expiry`: since 1970.
[[nodiscard]] std::string azure_token(std::string_view hub, std::string_view device, std::string_view key, std::chrono::seconds expiry);

}  // namespace sluice::gateway
