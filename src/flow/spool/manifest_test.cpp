#include "flow/spool/manifest.hpp"

#include <gtest/gtest.h>

#include "data/reading.hpp"
#include "flow/spool/plain_sealer_for_tests.hpp"

namespace sluice::spool {
namespace {

using base::Bytes;
using base::ByteView;
using base::DropReason;
using base::Errc;

/// 100 settled of which 5 dropped, a gap of 3 waiting to be told, 2 without numbers, 4 numbers left out.
Manifest example() {
    Manifest manifest;
    manifest.epoch = 0x1234567890abc;
    manifest.running_ms = 60'000;
    manifest.wall_ms = 1'700'000'000'000;
    manifest.next_segment = 9;
    manifest.bytes_accepted = 12'345;
    manifest.bytes_written = 13'000;
    ManifestClass entry;
    entry.slot = 1;
    entry.name = "alert";
    entry.next = 201;
    entry.acknowledged = 101;
    entry.delivered = 91;
    entry.unnumbered = 2;
    entry.skipped = 4;
    entry.dropped[static_cast<std::size_t>(DropReason::too_large)] = 2;
    entry.dropped[static_cast<std::size_t>(DropReason::ttl)] = 8;
    entry.gaps = {{150, 152, DropReason::ttl}};
    manifest.classes.push_back(entry);
    entry = ManifestClass{};
    entry.slot = 0;
    entry.name = "sample";
    manifest.classes.push_back(entry);
    return manifest;
}

TEST(Manifest, RoundTrips) {
    const auto decoded = decode_manifest(encode(example()));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, example());
}

TEST(Manifest, WithAllClassesAndGapsFitsIntoASlot) {
    Manifest manifest;
    manifest.epoch = 1;
    for (std::uint8_t slot = 0; slot < data::kClassesMax; ++slot) {
        ManifestClass entry;
        entry.slot = slot;
        entry.name = std::string(kClassNameBytesMax - 1, 'x') + static_cast<char>('a' + slot);
        entry.next = 1000;
        for (std::uint64_t i = 0; i < GapList::kGapsMax; ++i) entry.gaps.push_back({2 * i + 1, 2 * i + 1, DropReason::corrupt});
        entry.dropped[static_cast<std::size_t>(DropReason::corrupt)] = GapList::kGapsMax;
        manifest.classes.push_back(entry);
    }
    PlainSealer sealer;
    EXPECT_LE(seal_manifest(manifest, 1, {}, sealer).size(), kManifestSlotBytes);
    EXPECT_EQ(*decode_manifest(encode(manifest)), manifest);
}

TEST(Manifest, ThatDoesNotAddUpIsCorrupt) {
    const Bytes good = encode(example());
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(decode_manifest(ByteView(good).first(size))) << size;
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(decode_manifest(longer));
    // delivered, the ninth number: 6 × 8 + 1 + slot + length + "alert" + next + acknowledged
    Bytes changed = good;
    ++changed[6 * 8 + 1 + 2 + 5 + 16];
    EXPECT_EQ(decode_manifest(changed).error().code, Errc::corrupt);
}

TEST(Manifest, OfAnotherKeyOrVersionIsTold) {
    PlainSealer sealer(1);
    PlainSealer other(2, 2);
    Bytes slot = seal_manifest(example(), 5, {}, sealer);
    ASSERT_TRUE(open_manifest(slot, sealer));
    EXPECT_EQ(open_manifest(slot, sealer)->generation, 5U);
    EXPECT_EQ(open_manifest(slot, other).error().code, Errc::wrong_key);
    for (std::size_t bit = 0; bit < slot.size() * 8; ++bit) {
        Bytes flipped = slot;
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_EQ(open_manifest(flipped, sealer).error().code, Errc::corrupt) << bit;
    }
}

}  // namespace
}  // namespace sluice::spool
