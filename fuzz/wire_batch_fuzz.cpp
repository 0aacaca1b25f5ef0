// links: sluice_codec_wire
// Batches from a gateway: hostile bytes must be refused within the declared bounds; what is accepted must read back the same after
// encoding.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "codec/wire/batch.hpp"
#include "codec/wire/topics.hpp"

namespace {

using namespace sluice;

std::vector<wire::Item> items_of(const wire::Batch& batch) {
    std::vector<wire::Item> items;
    wire::Item item{};
    for (auto walk = batch.walk(); walk.next(item);) items.push_back(item);
    return items;
}

void require(bool condition) {
    if (!condition) std::abort();
}

/// The same values through our own encoder.
void encode_again(const wire::Batch& batch) {
    static wire::Encoder encoder;
    static wire::Decoder decoder;
    const auto items = items_of(batch);
    require(items.size() == batch.items());
    encoder.begin(batch.class_name(), batch.first());
    for (const auto& item : items) {
        const bool added = item.kind == wire::Item::Kind::event ? encoder.add_event(item.label, item.ts_ms, item.json)
                                                                : encoder.add_gap(item.count, item.label);
        require(added);
    }
    require(encoder.end() == batch.end());
    base::Bytes message;
    encoder.finish(batch.epoch(), message);
    require(message.size() <= wire::kMessageBytesMax);
    base::Bytes body;
    const auto again = decoder.decode(message, body);
    require(again.has_value());
    require(again->epoch() == batch.epoch() && again->class_name() == batch.class_name() && items_of(*again) == items);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static wire::Decoder decoder;
    const base::ByteView input(data, size);
    base::Bytes body;
    if (const auto batch = decoder.decode(input, body)) encode_again(*batch);
    require(body.size() <= wire::kBodyBytesMax + data::kReadablePadding);
    // The body without its envelope, so that mutations need not guess the size field.
    if (const auto batch = wire::parse_body(input)) encode_again(*batch);
    const auto address = wire::parse_topic(base::as_text(input));
    require(!address.known || wire::topic(address.gateway, address.channel) == base::as_text(input));
    return 0;
}
