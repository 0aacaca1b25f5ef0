#include "codec/http/request.hpp"

#include <algorithm>
#include <cstdint>

namespace sluice::http {
namespace {

void append_text(base::Bytes& out, std::string_view text) { base::append(out, text); }

std::string base64(std::string_view text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        std::uint32_t group = 0;
        const std::size_t count = std::min<std::size_t>(3, text.size() - at);
        for (std::size_t i = 0; i < 3; ++i) group = group << 8U | (i < count ? static_cast<unsigned char>(text[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kDigits[group >> (18 - 6 * i) & 63U] : '=';
    }
    return out;
}

}  // namespace

void append_header(base::Bytes& out, std::string_view name, std::string_view value) {
    append_text(out, name);
    append_text(out, ": ");
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(byte < 0x20 || byte == 0x7f ? '_' : byte);
    }
    append_text(out, "\r\n");
}

void begin_request(base::Bytes& out, std::string_view method, std::string_view target, std::string_view host) {
    append_text(out, method);
    append_text(out, " ");
    append_text(out, target);
    append_text(out, " HTTP/1.1\r\n");
    append_header(out, "Host", host);
}

void end_head(base::Bytes& out) { append_text(out, "\r\n"); }

std::string basic_credentials(std::string_view user, std::string_view password) {
    std::string both(user);
    both += ':';
    both += password;
    return "Basic " + base64(both);
}

}  // namespace sluice::http
