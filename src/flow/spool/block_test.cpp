#include "flow/spool/block.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/spool/crc32c.hpp"
#include "flow/spool/plain_sealer_for_tests.hpp"

namespace sluice::spool {
namespace {

using base::Bytes;
using base::ByteView;

TEST(Crc32c, AgreesWithThePublishedCheckValue) { EXPECT_EQ(crc32c(base::as_bytes("123456789")), 0xe3069283U); }

TEST(Varint, RoundTripsAtEveryLength) {
    for (int bits = 0; bits < 64; ++bits) {
        for (const std::uint64_t value : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1, ~(std::uint64_t{1} << bits)}) {
            Bytes bytes;
            append_varint(bytes, value);
            ByteView from = bytes;
            EXPECT_EQ(take_varint(from), value);
            EXPECT_TRUE(from.empty());
            ByteView cut = ByteView(bytes).first(bytes.size() - 1);
            EXPECT_EQ(take_varint(cut), std::nullopt);
        }
    }
}

TEST(Varint, LongerThanTenBytesIsRefused) {
    const Bytes eleven{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    ByteView from = eleven;
    EXPECT_EQ(take_varint(from), std::nullopt);
    const Bytes overflow{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    from = overflow;
    EXPECT_EQ(take_varint(from), std::nullopt);
}

TEST(Zigzag, RoundTrips) {
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, INT64_MAX, INT64_MIN})
        EXPECT_EQ(unzigzag(zigzag(value)), value);
}

SegmentHeader example_segment() {
    SegmentHeader header;
    header.slot = 2;
    header.epoch = 0x1234567890abc;
    header.first = 41;
    header.number = 7;
    header.running_ms = 60'000;
    std::fill(header.salt.begin(), header.salt.end(), base::Byte{0xa5});
    header.key.number = 5;
    std::fill(header.key.check.begin(), header.key.check.end(), base::Byte{0xc3});
    return header;
}

TEST(SegmentHeader, RoundTripsAndRefusesEveryFlippedBitAndEveryCut) {
    const SegmentHeaderBytes bytes = encode(example_segment());
    const auto decoded = decode_segment_header(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, example_segment());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        SegmentHeaderBytes flipped = bytes;
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_FALSE(decode_segment_header(flipped)) << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_segment_header(ByteView(bytes).first(size)));
}

TEST(SegmentHeader, OfALaterVersionIsNotTakenForDamage) {
    SegmentHeaderBytes bytes = encode(example_segment());
    bytes[8] = kSegmentVersion + 1;
    base::store_le(bytes.data() + 4, crc32c(ByteView(bytes).subspan(8)));
    EXPECT_EQ(decode_segment_header(bytes).error().code, base::Errc::version);
}

TEST(BlockHeader, RoundTripsRefusesFlipsAndGuessesTheOriginalOfOne) {
    const BlockHeader header{41, 61'000, 3, 90};
    const BlockHeaderBytes bytes = encode(header);
    EXPECT_EQ(decode_block_header(bytes), header);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        BlockHeaderBytes flipped = bytes;
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_EQ(decode_block_header(flipped), std::nullopt) << bit;
        EXPECT_EQ(guess_block_header(flipped), header) << bit;
    }
    BlockHeaderBytes garbage = bytes;
    std::fill(garbage.begin() + 8, garbage.end(), base::Byte{0x77});
    EXPECT_EQ(guess_block_header(garbage), std::nullopt);
}

TEST(BlockHeader, ThatClaimsTheImpossibleIsNotAHeader) {
    for (const BlockHeader& header : {BlockHeader{0, 0, 1, 10}, BlockHeader{1, 0, 0, 10}, BlockHeader{1, 0, 4, 11},
                                      BlockHeader{1, 0, 1, kBlockBodyBytesMax + 1}, BlockHeader{std::uint64_t{1} << 63, 0, 1, 10}}) {
        EXPECT_EQ(decode_block_header(encode(header)), std::nullopt);
    }
}

TEST(Block, DecodesToWhatWasAppended) {
    PlainSealer sealer;
    const auto cipher = sealer.cipher(1, {});
    BlockBuilder builder;
    builder.start(41);
    builder.append("rule-a", 1'700'000'000'123, base::as_bytes("{\"a\":1}"));
    builder.append("rule-b", -5, base::as_bytes("{}"));
    builder.append("", INT64_MIN, {});
    builder.append("rule-a", INT64_MAX, base::as_bytes("{\"a\":2}"));
    for (int i = 0; i < 300; ++i) builder.append("rule-" + std::to_string(i), i, base::as_bytes("{}"));
    builder.append("rule-299", 1, base::as_bytes("{}"));
    EXPECT_EQ(builder.end(), 41U + 305U);
    Bytes out(100);
    builder.seal_to(out, 100, 61'000, *cipher);
    ASSERT_EQ(out.size(), 100 + builder.size_on_disk());
    Unpacker unpacker;
    DecodedBlock block;
    ASSERT_TRUE(decode_block(ByteView(out).subspan(100), 100, *cipher, unpacker, block));
    ASSERT_EQ(block.records.size(), 305U);
    EXPECT_EQ(block.header.first, 41U);
    EXPECT_EQ(block.header.running_ms, 61'000U);
    EXPECT_EQ(block.records[0].rule, "rule-a");
    EXPECT_EQ(block.records[0].made_ms, 1'700'000'000'123);
    EXPECT_EQ(block.records[1].made_ms, -5);
    EXPECT_EQ(block.records[2].rule, "");
    EXPECT_EQ(block.records[2].made_ms, INT64_MIN);
    EXPECT_EQ(block.records[3].rule, "rule-a");
    EXPECT_EQ(block.records[3].made_ms, INT64_MAX);
    EXPECT_EQ(base::as_text(block.records[3].json), "{\"a\":2}");
    for (int i = 0; i < 300; ++i) EXPECT_EQ(block.records[static_cast<std::size_t>(i) + 4].rule, "rule-" + std::to_string(i));
    EXPECT_EQ(block.records[304].rule, "rule-299");
    EXPECT_FALSE(decode_block(ByteView(out).subspan(100), 101, *cipher, unpacker, block)) << "a block that was moved";
}

/// Text like that of sensors.
BlockBuilder sensor_block(int events) {
    BlockBuilder builder;
    builder.start(41);
    for (int i = 0; i < events; ++i) {
        const int n = i * 7919 % 10'000;
        builder.append("rule", 1'700'000'000'000 + i, base::as_bytes(fmt::format(R"({{"device":"pump-{}","vibration":0.{}}})", n, n)));
    }
    return builder;
}

TEST(Block, PackedDecodesToWhatWasAppended) {
    PlainSealer sealer;
    const auto cipher = sealer.cipher(1, {});
    Packer packer;
    Unpacker unpacker;
    BlockBuilder builder = sensor_block(100);
    const std::size_t before = builder.size_on_disk();
    builder.pack(packer);
    builder.pack(packer);
    EXPECT_LT(builder.size_on_disk(), before / 2);
    EXPECT_EQ(builder.size_in_memory(), before);
    builder.append("rule", 5, base::as_bytes("{}"));  // after a commit that failed
    EXPECT_GT(builder.size_on_disk(), before);
    builder.pack(packer);
    Bytes out;
    builder.seal_to(out, 0, 61'000, *cipher);
    ASSERT_EQ(out.size(), builder.size_on_disk());
    DecodedBlock block;
    ASSERT_TRUE(decode_block(out, 0, *cipher, unpacker, block));
    EXPECT_TRUE(block.header.packed);
    ASSERT_EQ(block.records.size(), 101U);
    EXPECT_TRUE(std::equal(block.plain.begin(), block.plain.end(), builder.plain().begin(), builder.plain().end()));

    builder.unpack();
    out.clear();
    builder.seal_to(out, 0, 61'000, *cipher);
    ASSERT_TRUE(decode_block(out, 0, *cipher, unpacker, block));
    EXPECT_FALSE(block.header.packed);
    EXPECT_EQ(block.records.size(), 101U);
}

/// After a torn write recovery says from the number of bytes how many events there can have been.
TEST(Block, PackedTakesAsManyBytesAnEventAsAnyOther) {
    PlainSealer sealer;
    const auto cipher = sealer.cipher(1, {});
    Packer packer;
    Unpacker unpacker;
    BlockBuilder builder;
    builder.start(1);
    for (int i = 0; i < 5000; ++i) builder.append("rule", 5, base::as_bytes("{\"a\":1}"));
    builder.pack(packer);
    EXPECT_EQ(builder.size_on_disk(), kBlockOverheadBytes + 5000 * kRecordBytesMin);
    Bytes out;
    builder.seal_to(out, 0, 0, *cipher);
    DecodedBlock block;
    ASSERT_TRUE(decode_block(out, 0, *cipher, unpacker, block));
    EXPECT_EQ(block.records.size(), 5000U);
}

TEST(Block, ThatWouldNotShrinkIsNotPacked) {
    Packer packer;
    BlockBuilder small;
    small.start(1);
    small.append("rule", 5, base::as_bytes("{}"));
    const std::size_t before = small.size_on_disk();
    small.pack(packer);
    EXPECT_EQ(small.size_on_disk(), before);
    std::string noise;
    for (std::uint32_t i = 1; noise.size() < 4000; i = i * 1'664'525U + 1'013'904'223U) noise += static_cast<char>(i >> 24);
    Bytes out;
    EXPECT_FALSE(packer.pack(base::as_bytes(noise), 0, out));
}

TEST(Unpacker, TakesOneFrameAndZerosAndNothingElse) {
    Packer packer;
    Unpacker unpacker;
    const BlockBuilder builder = sensor_block(30);
    Bytes packed;
    ASSERT_TRUE(packer.pack(builder.plain(), 0, packed));
    Bytes plain;
    ASSERT_TRUE(unpacker.unpack(packed, kBlockBodyBytesMax, plain));
    EXPECT_TRUE(std::equal(plain.begin(), plain.end(), builder.plain().begin(), builder.plain().end()));
    EXPECT_FALSE(unpacker.unpack(packed, builder.plain().size() - 1, plain)) << "larger than allowed";
    EXPECT_FALSE(unpacker.unpack({}, kBlockBodyBytesMax, plain));
    for (std::size_t size = 0; size < packed.size(); ++size)
        EXPECT_FALSE(unpacker.unpack(ByteView(packed).first(size), kBlockBodyBytesMax, plain)) << size;
    packed.resize(packed.size() + 100);
    EXPECT_TRUE(unpacker.unpack(packed, kBlockBodyBytesMax, plain));
    packed.back() = 1;
    EXPECT_FALSE(unpacker.unpack(packed, kBlockBodyBytesMax, plain));
}

TEST(Block, OfRecordsThatDoNotFillItExactlyIsCorrupt) {
    BlockBuilder builder;
    builder.start(1);
    builder.append("rule", 5, base::as_bytes("{\"a\":1}"));
    builder.append("rule", 6, base::as_bytes("{\"a\":2}"));
    DecodedBlock block;
    block.header = {1, 0, 2, 0};
    const ByteView plain = builder.plain();
    for (std::size_t size = 0; size < plain.size(); ++size) {
        block.plain.assign(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(decode_records(block)) << size;
    }
    block.plain.assign(plain.begin(), plain.end());
    EXPECT_TRUE(decode_records(block));
    block.plain.push_back(0);
    EXPECT_FALSE(decode_records(block));
    block.plain = {5, 0, 0};  // entry 5 of an empty list
    block.header.events = 1;
    EXPECT_FALSE(decode_records(block));
}

}  // namespace
}  // namespace sluice::spool
