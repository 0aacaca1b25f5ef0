// The bytes of the spool's format, kept: a reader of any later version must read them all, a writer makes those of version 3 (and manifests
// of version 2).
#include <cstdio>
#include <fstream>
#include <sstream>

#include "flow/spool/crc32c.hpp"
#include "flow/spool/manifest.hpp"
#include "flow/spool/segment_reader.hpp"
#include "flow/spool/segment_writer.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

/// Bytes of a file in hex: `#` begins a comment that ends with the line, white space is ignored.
base::Bytes sample(const std::string& name) {
    std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/sim/testdata/" + name);
    EXPECT_TRUE(file.good()) << name;
    std::string digits;
    for (std::string line; std::getline(file, line);) {
        for (const char c : line.substr(0, line.find('#')))
            if (c != ' ') digits += c;
    }
    base::Bytes bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        bytes.push_back(static_cast<base::Byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    return bytes;
}

std::string hex(base::ByteView bytes) {
    std::string out;
    for (const base::Byte byte : bytes) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", byte);
        out += digits.data();
    }
    return out;
}

/// 00 01 02 … 1f
gateway::SpoolSealer example_sealer() {
    identity::Secret secret;
    base::Byte next = 0;
    for (base::Byte& byte : secret.writable()) byte = next++;
    return gateway::SpoolSealer(identity::MasterKey(secret));
}

/// The same key twice, as number 1 and as number 2.
gateway::SpoolSealer second_sealer() {
    identity::Secret secret;
    base::Byte next = 0;
    for (base::Byte& byte : secret.writable()) byte = next++;
    identity::KeyRing keys{identity::MasterKey(secret)};
    keys.add(2, identity::MasterKey(secret));
    return gateway::SpoolSealer(keys);
}

spool::Salt example_salt() {
    spool::Salt salt{};
    base::Byte next = 0xa0;
    for (base::Byte& byte : salt) byte = next++;
    return salt;
}

spool::SegmentHeader example_header(spool::Sealer& sealer) {
    spool::SegmentHeader header;
    header.slot = 0;
    header.epoch = 0x1234567890abc;
    header.first = 41;
    header.number = 7;
    header.running_ms = 60'000;
    header.salt = example_salt();
    header.key = sealer.newest();
    return header;
}

spool::BlockBuilder example_block() {
    spool::BlockBuilder block;
    block.start(41);
    block.append("vibration-anomaly", 1'700'000'000'000, base::as_bytes("{\"z\":3.5}"));
    block.append("vibration-anomaly", 1'700'000'000'120, base::as_bytes("{\"z\":-4}"));
    return block;
}

/// Forty events of one rule.
spool::BlockBuilder large_block() {
    spool::BlockBuilder block;
    block.start(41);
    for (int i = 0; i < 40; ++i)
        block.append("vibration-anomaly", 1'700'000'000'000 + i,
                     base::as_bytes("{\"device\":\"press-4\",\"z\":" + std::to_string(i) + "}"));
    return block;
}

spool::Manifest example_manifest() {
    spool::Manifest manifest;
    manifest.epoch = 0x1234567890abc;
    manifest.running_ms = 61'000;
    manifest.wall_ms = 1'700'000'001'000;
    manifest.next_segment = 8;
    manifest.bytes_accepted = 4'321;
    manifest.bytes_written = 5'000;
    spool::ManifestClass entry;
    entry.name = "alert";
    entry.next = 43;
    entry.acknowledged = 39;
    entry.delivered = 38;
    entry.dropped[static_cast<std::size_t>(base::DropReason::spool_full)] = 2;
    entry.gaps = {{39, 40, base::DropReason::spool_full}};
    manifest.classes.push_back(entry);
    return manifest;
}

void expect_example(spool::SegmentReader& reader, std::uint64_t size) {
    const auto look = reader.look(spool::kSegmentHeaderBytes, size);
    ASSERT_TRUE(look);
    spool::DecodedBlock decoded;
    spool::Unpacker unpacker;
    ASSERT_TRUE(reader.load(*look, unpacker, decoded));
    ASSERT_EQ(decoded.records.size(), 2U);
    EXPECT_EQ(decoded.header.running_ms, 60'500U);
    EXPECT_EQ(decoded.records[1].rule, "vibration-anomaly");
    EXPECT_EQ(decoded.records[1].made_ms, 1'700'000'000'120);
    EXPECT_EQ(base::as_text(decoded.records[1].json), "{\"z\":-4}");
}

void expect_segment(const std::string& name, spool::Sealer& sealer) {
    SimDisk disk(1);
    ASSERT_TRUE(disk.make_directory("/s"));
    const base::Bytes kept = sample(name);
    disk.overwrite("/s/kept", kept);
    const auto reader = spool::SegmentReader::open(disk, sealer, "/s/kept");
    ASSERT_TRUE(reader);
    ASSERT_TRUE((*reader)->header());
    EXPECT_EQ(*(*reader)->header(), example_header(sealer));
    expect_example(**reader, kept.size());
}

TEST(SpoolFormat, SegmentsOfVersion1AreRead) {
    gateway::SpoolSealer sealer = example_sealer();  // key 1, though it does not say so
    expect_segment("spool_segment_v1.hex", sealer);
}

TEST(SpoolFormat, SegmentsOfVersion2AreRead) {
    gateway::SpoolSealer sealer = second_sealer();
    expect_segment("spool_segment_v2.hex", sealer);
}

TEST(SpoolFormat, SegmentsOfVersion3AreReadAndWritten) {
    gateway::SpoolSealer sealer = second_sealer();
    SimDisk disk(1);
    ASSERT_TRUE(disk.make_directory("/s"));
    base::Bytes scratch;
    auto writer = spool::SegmentWriter::create(disk, sealer, "/s/written", example_header(sealer), 1000);
    ASSERT_TRUE(writer);
    const spool::BlockBuilder block = example_block();
    ASSERT_TRUE((*writer)->write({&block, 1}, 60'500, scratch));
    const base::Bytes wanted = sample("spool_segment_v3.hex");
    EXPECT_EQ(hex(*disk.contents("/s/written")), hex(wanted));
    expect_segment("spool_segment_v3.hex", sealer);
}

/// Only read: other versions of zstd may write other frames of the same.
TEST(SpoolFormat, PackedBlocksAreRead) {
    gateway::SpoolSealer sealer = second_sealer();
    SimDisk disk(1);
    ASSERT_TRUE(disk.make_directory("/s"));
    const base::Bytes kept = sample("spool_segment_v3_packed.hex");
    disk.overwrite("/s/kept", kept);
    const auto reader = spool::SegmentReader::open(disk, sealer, "/s/kept");
    ASSERT_TRUE(reader);
    const auto look = (*reader)->look(spool::kSegmentHeaderBytes, kept.size());
    ASSERT_TRUE(look);
    EXPECT_TRUE(look->header.packed);
    spool::Unpacker unpacker;
    spool::DecodedBlock decoded;
    ASSERT_TRUE((*reader)->load(*look, unpacker, decoded));
    const spool::BlockBuilder block = large_block();
    EXPECT_TRUE(std::equal(decoded.plain.begin(), decoded.plain.end(), block.plain().begin(), block.plain().end()));
}

/// The number is authenticated: where key 1 and key 2 are the same, a segment of one does not open as the other's.
TEST(SpoolFormat, ASegmentUnderAnotherNumberDoesNotOpen) {
    gateway::SpoolSealer sealer = second_sealer();
    base::Bytes forged = sample("spool_segment_v3.hex");
    forged[12] = 1;
    base::store_le(forged.data() + 4, spool::crc32c(base::ByteView(forged).subspan(8, spool::kSegmentHeaderBytes - 8)));
    SimDisk disk(1);
    ASSERT_TRUE(disk.make_directory("/s"));
    disk.overwrite("/s/forged", forged);
    const auto reader = spool::SegmentReader::open(disk, sealer, "/s/forged");
    ASSERT_TRUE(reader);
    ASSERT_FALSE((*reader)->lacks_key());
    const auto look = (*reader)->look(spool::kSegmentHeaderBytes, forged.size());
    ASSERT_TRUE(look);
    spool::Unpacker unpacker;
    spool::DecodedBlock decoded;
    EXPECT_EQ((*reader)->load(*look, unpacker, decoded).error().code, base::Errc::corrupt);
}

TEST(SpoolFormat, ManifestsOfVersion1AreRead) {
    gateway::SpoolSealer sealer = example_sealer();
    const auto opened = spool::open_manifest(sample("spool_manifest_v1.hex"), sealer);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->generation, 12U);
    EXPECT_EQ(opened->manifest, example_manifest());
    EXPECT_EQ(spool::decode_manifest_header(sample("spool_manifest_v1.hex"))->key, sealer.newest());
}

TEST(SpoolFormat, ManifestsOfVersion2AreReadAndWritten) {
    gateway::SpoolSealer sealer = second_sealer();
    const base::Bytes wanted = sample("spool_manifest_v2.hex");
    EXPECT_EQ(hex(spool::seal_manifest(example_manifest(), 12, example_salt(), sealer)), hex(wanted));
    const auto opened = spool::open_manifest(wanted, sealer);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->generation, 12U);
    EXPECT_EQ(opened->manifest, example_manifest());
}

}  // namespace
}  // namespace sluice::sim
