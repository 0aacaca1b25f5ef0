// links: sluice_cli
// What `sluice tap` makes of a payload: nothing that it shows can steer a terminal, and what it hands to rules and JSON is one JSON
// document. The first byte chooses the decoding.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "cli/payload_decoder.hpp"
#include "data/reading.hpp"

using namespace sluice;

namespace {

bool steers(std::string_view text, bool lines) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == '\n' && lines) continue;
        if (byte < 0x20 || byte == 0x7F) return true;
        if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    }
    return false;
}

bool is_json(std::string_view text) {
    base::Bytes padded;
    base::append(padded, text);
    padded.resize(text.size() + data::kReadablePadding);
    static const json::FieldSet kNothing;
    json::Scanner scanner({.bytes_max = ~std::size_t{0}, .depth_max = 512});
    return scanner.scan({padded.data(), text.size()}, kNothing, {}).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::array kNames{"auto",  "json",  "pretty", "text",  "hex", "base64", "size",  "u8",
                                       "f32le", "i16be", "u64le",  "f64be", "i8",  "i32le",  "u16be", "i64be"};
    if (size == 0) return 0;
    const char* name = kNames[data[0] % kNames.size()];
    auto decoder = cli::PayloadDecoder::parse(name);
    if (!decoder) std::abort();
    const base::ByteView payload(data + 1, size - 1);
    if (steers(decoder->show(payload), std::string_view(name) == "pretty")) std::abort();
    if (const auto document = decoder->document(payload); document && (!is_json(*document) || document->find('\n') != std::string::npos)) {
        std::abort();
    }
    return 0;
}
