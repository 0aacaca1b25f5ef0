#include "codec/wire/batch.hpp"

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zstd.h>

#include "base/ledger.hpp"

namespace sluice::wire {
namespace {

using base::as_bytes;
using base::Bytes;
using base::Errc;

struct Owned {
    Item::Kind kind;
    std::uint64_t first, count;
    std::int64_t ts;
    std::string label, json;
    friend bool operator==(const Owned&, const Owned&) = default;
};

std::vector<Owned> items_of(const Batch& batch) {
    std::vector<Owned> items;
    Item item{};
    for (auto walk = batch.walk(); walk.next(item);)
        items.push_back(
            {item.kind, item.first.value(), item.count, item.ts_ms, std::string(item.label), std::string(base::as_text(item.json))});
    return items;
}

/// The example of docs/formats/wire.md.
Bytes example() {
    Encoder encoder;
    encoder.begin("alert", data::Sequence(7));
    EXPECT_TRUE(encoder.add_event("hot", 1000, as_bytes(R"({"z":4})")));
    EXPECT_TRUE(encoder.add_gap(2, base::name(base::DropReason::ttl)));
    EXPECT_TRUE(encoder.add_event("hot", 2000, as_bytes(R"({"z":-3.5})")));
    EXPECT_EQ(encoder.end(), data::Sequence(11));
    Bytes out;
    encoder.finish(data::Epoch(5), out);
    return out;
}

TEST(WireBatch, what_was_encoded_is_decoded) {
    Decoder decoder;
    Bytes body;
    const auto message = example();
    const auto batch = decoder.decode(message, body);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->epoch(), data::Epoch(5));
    EXPECT_EQ(batch->class_name(), "alert");
    EXPECT_EQ(batch->first(), data::Sequence(7));
    EXPECT_EQ(batch->end(), data::Sequence(11));
    EXPECT_EQ(batch->items(), 3U);
    EXPECT_EQ(batch->events(), 2U);
    const std::vector<Owned> expected{{Item::Kind::event, 7, 1, 1000, "hot", R"({"z":4})"},
                                      {Item::Kind::gap, 8, 2, 0, "ttl", ""},
                                      {Item::Kind::event, 10, 1, 2000, "hot", R"({"z":-3.5})"}};
    EXPECT_EQ(items_of(*batch), expected);
}

TEST(WireBatch, the_bytes_are_those_of_the_format_page) {
    std::ifstream page(std::string(SLUICE_SOURCE_DIR) + "/docs/formats/wire.md");
    ASSERT_TRUE(page);
    std::string line;
    bool in_example = false;
    Bytes expected;
    while (std::getline(page, line)) {
        if (line.starts_with("## ")) in_example = line == "## Example";
        if (!in_example || line.size() < 2 || line.starts_with("#") || line.find("  ") == std::string::npos || std::isxdigit(line[0]) == 0)
            continue;
        const auto comment = line.find("   ");
        std::istringstream pairs(line.substr(0, comment));
        for (std::string pair; pairs >> pair;) {
            ASSERT_EQ(pair.size(), 2U) << line;
            expected.push_back(static_cast<base::Byte>(std::stoul(pair, nullptr, 16)));
        }
    }
    EXPECT_EQ(example(), expected);
}

TEST(WireBatch, large_batches_are_compressed_and_come_back) {
    Encoder encoder;
    encoder.begin("sample", data::Sequence(1));
    for (int i = 0; i < 1000; ++i)
        ASSERT_TRUE(encoder.add_event("raw-sample", i, as_bytes(R"({"device":"sensor-)" + std::to_string(i) + R"(","vibration":0.5})")));
    const auto plain = encoder.body_bytes();
    Bytes message;
    encoder.finish(data::Epoch(1), message);
    EXPECT_EQ(message[3], 1);
    EXPECT_LT(message.size(), plain / 4);
    Decoder decoder;
    Bytes body;
    const auto batch = decoder.decode(message, body);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->events(), 1000U);
    EXPECT_EQ(items_of(*batch)[999].json, R"({"device":"sensor-999","vibration":0.5})");
}

TEST(WireBatch, what_does_not_shrink_is_sent_plain) {
    std::mt19937_64 random(1);
    std::string noise = "{\"";
    for (int i = 0; i < 4000; ++i) noise.push_back(static_cast<char>(random()));
    Encoder encoder;
    encoder.begin("c", data::Sequence(1));
    ASSERT_TRUE(encoder.add_event("r", 0, as_bytes(noise)));
    Bytes message;
    encoder.finish(data::Epoch(1), message);
    EXPECT_EQ(message[3], 0);
    Decoder decoder;
    Bytes body;
    EXPECT_TRUE(decoder.decode(message, body));
}

TEST(WireBatch, the_largest_event_fits_and_the_next_is_declined) {
    const std::string json(kJsonBytesMax, ' ');
    const std::string rule(kRuleBytesMax, 'r');
    const std::string name(kClassNameBytesMax, 'c');
    Encoder encoder;
    encoder.begin(name, data::Sequence(1));
    ASSERT_TRUE(encoder.add_event(rule, -1, as_bytes(json)));
    ASSERT_FALSE(encoder.add_event(rule, -1, as_bytes(json)));
    EXPECT_EQ(encoder.items(), 1U);
    Bytes message;
    encoder.finish(data::Epoch(kNumberEnd - 1), message);
    Decoder decoder;
    Bytes body;
    const auto batch = decoder.decode(message, body);
    ASSERT_TRUE(batch);
    EXPECT_EQ(items_of(*batch)[0].ts, -1);
    EXPECT_EQ(items_of(*batch)[0].json.size(), kJsonBytesMax);
}

TEST(WireBatch, items_are_counted_to_their_limit) {
    Encoder encoder;
    encoder.begin("c", data::Sequence(1));
    for (std::size_t i = 0; i < kItemsMax; ++i) ASSERT_TRUE(encoder.add_gap(1, "x"));
    EXPECT_FALSE(encoder.add_gap(1, "x"));
    Bytes message;
    encoder.finish(data::Epoch(0), message);
    Decoder decoder;
    Bytes body;
    EXPECT_TRUE(decoder.decode(message, body));
}

TEST(WireBatch, a_message_cut_anywhere_is_malformed) {
    Decoder decoder;
    Bytes body;
    const auto message = example();
    for (std::size_t size = 0; size < message.size(); ++size) {
        const auto batch = decoder.decode(base::ByteView(message).first(size), body);
        ASSERT_FALSE(batch) << size;
        EXPECT_EQ(batch.error().code, Errc::malformed) << size;
    }
    auto longer = message;
    longer.push_back(0);
    EXPECT_FALSE(decoder.decode(longer, body));
}

TEST(WireBatch, unknown_versions_and_flags_are_refused) {
    Decoder decoder;
    Bytes body;
    auto message = example();
    message[2] = 2;
    EXPECT_EQ(decoder.decode(message, body).error().code, Errc::version);
    message = example();
    message[3] = 2;
    EXPECT_EQ(decoder.decode(message, body).error().code, Errc::malformed);
}

TEST(WireBatch, a_declared_size_over_the_limit_is_refused_before_any_memory_is_taken) {
    Decoder decoder;
    Bytes body;
    auto message = example();
    base::store_le(message.data() + 4, static_cast<std::uint32_t>(kBodyBytesMax + 1));
    EXPECT_EQ(decoder.decode(message, body).error().code, Errc::too_large);
    EXPECT_EQ(body.capacity(), 0U);
}

/// A valid compressed frame of `content`, with a declared size of our choice.
Bytes bomb(std::size_t content, std::uint32_t declared, bool size_in_frame) {
    const Bytes zeros(content, 0);
    Bytes message{'S', 'L', kVersion, 1};
    base::append_le(message, declared);
    auto* zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, size_in_frame ? 1 : 0);
    Bytes frame(ZSTD_compressBound(content));
    frame.resize(ZSTD_compress2(zstd, frame.data(), frame.size(), zeros.data(), zeros.size()));
    ZSTD_freeCCtx(zstd);
    base::append(message, frame);
    return message;
}

TEST(WireBatch, decompression_bombs_are_refused) {
    Decoder decoder;
    Bytes body;
    EXPECT_EQ(decoder.decode(bomb(std::size_t{64} << 20, 1000, true), body).error().code, Errc::malformed);
    EXPECT_EQ(decoder.decode(bomb(std::size_t{64} << 20, 1000, false), body).error().code, Errc::malformed);
    EXPECT_EQ(decoder.decode(bomb(100, 1000, true), body).error().code, Errc::malformed);
    EXPECT_LE(body.capacity(), 1000 + data::kReadablePadding);
}

TEST(WireBatch, bytes_after_the_zstd_frame_are_refused) {
    Encoder encoder;
    encoder.begin("c", data::Sequence(1));
    ASSERT_TRUE(encoder.add_event("r", 0, as_bytes("{" + std::string(1000, ' ') + "}")));
    Bytes message;
    encoder.finish(data::Epoch(1), message);
    ASSERT_EQ(message[3], 1);
    Decoder decoder;
    Bytes body;
    ASSERT_TRUE(decoder.decode(message, body));
    message.push_back(0);
    EXPECT_EQ(decoder.decode(message, body).error().code, Errc::malformed);
}

struct Broken {
    const char* what;
    std::size_t at;
    base::Byte value;
};
// Offsets into the body of the example.
constexpr Broken kBroken[] = {
    {"epoch at 2^53", 6, 0x20},   {"sequence 0", 8, 0},           {"sequence at 2^53", 14, 0x20},   {"no items", 16, 0},
    {"too few items", 16, 2},     {"too many items", 16, 4},      {"class name of 0 bytes", 20, 0}, {"class name too long", 20, 65},
    {"bad class name", 21, ' '},  {"unknown kind", 26, 2},        {"empty rule id", 27, 0},         {"JSON of 1 byte", 28, 1},
    {"JSON too large", 30, 0x11}, {"control in rule", 40, 1},     {"rule not UTF-8", 40, 0xff},     {"gap of 0", 52, 0},
    {"gap to 2^53", 58, 0x20},    {"gap wraps around", 59, 0xff}, {"reason too long", 51, 33},      {"bad reason", 60, 'T'},
};

TEST(WireBatch, broken_fields_are_refused) {
    const auto message = example();
    Decoder decoder;
    Bytes body;
    for (const auto& broken : kBroken) {
        auto bad = message;
        ASSERT_NE(bad[kEnvelopeBytes + broken.at], broken.value) << broken.what;
        bad[kEnvelopeBytes + broken.at] = broken.value;
        EXPECT_FALSE(decoder.decode(bad, body)) << broken.what;
    }
}

TEST(WireBatch, every_drop_reason_is_a_valid_reason_on_the_wire) {
    for (const auto& row : base::kDropReasonTable) {
        Encoder encoder;
        encoder.begin("c", data::Sequence(1));
        ASSERT_TRUE(encoder.add_gap(1, row.name));
        Bytes message;
        encoder.finish(data::Epoch(1), message);
        Decoder decoder;
        Bytes body;
        EXPECT_TRUE(decoder.decode(message, body)) << row.name;
    }
}

TEST(WireBatch, random_batches_come_back_and_flipped_bits_never_crash) {
    std::mt19937_64 random(7);
    Encoder encoder;
    Decoder decoder;
    Bytes body;
    for (int round = 0; round < 300; ++round) {
        const auto first = 1 + random() % 1000;
        const auto epoch = data::Epoch(random() % kNumberEnd);
        encoder.begin("aggregate", data::Sequence(first));
        std::vector<Owned> expected;
        auto sequence = first;
        for (auto n = 1 + random() % 40; n != 0; --n) {
            if (random() % 5 == 0) {
                const auto count = 1 + random() % 100;
                ASSERT_TRUE(encoder.add_gap(count, "spool_full"));
                expected.push_back({Item::Kind::gap, sequence, count, 0, "spool_full", ""});
                sequence += count;
            } else {
                const auto json = "{\"x\":" + std::string(random() % 60, '7') + "}";
                const auto ts = static_cast<std::int64_t>(random());
                ASSERT_TRUE(encoder.add_event("rule", ts, as_bytes(json)));
                expected.push_back({Item::Kind::event, sequence++, 1, ts, "rule", json});
            }
        }
        Bytes message;
        encoder.finish(epoch, message);
        const auto batch = decoder.decode(message, body);
        ASSERT_TRUE(batch);
        ASSERT_EQ(items_of(*batch), expected);
        for (int flips = 0; flips < 20; ++flips) {
            auto bad = message;
            bad[random() % bad.size()] ^= static_cast<base::Byte>(1U << random() % 8);
            if (const auto survived = decoder.decode(bad, body))
                (void)items_of(*survived);  // some flips only change values; walking must be safe
        }
    }
}

}  // namespace
}  // namespace sluice::wire
