#include "codec/mqtt/framing.hpp"

#include <gtest/gtest.h>

#include "codec/mqtt/test_bytes.hpp"

namespace sluice::mqtt {
namespace {

using testing::hex;

TEST(Framing, lengths_of_the_standards_table_2_4_are_read_at_their_edges) {
    struct Row {
        const char* header;
        std::uint32_t length;
        unsigned offset;
    };
    for (const Row& row :
         {Row{"30 00", 0, 2}, Row{"30 7F", 127, 2}, Row{"30 80 01", 128, 3}, Row{"30 FF 7F", 16'383, 3}, Row{"30 80 80 01", 16'384, 4},
          Row{"30 FF FF 7F", 2'097'151, 4}, Row{"30 80 80 80 01", 2'097'152, 5}, Row{"30 FF FF FF 7F", 268'435'455, 5}}) {
        const auto bytes = hex(row.header);
        const auto framed = frame(bytes);
        EXPECT_EQ(framed.body_offset, row.offset) << row.header;
        EXPECT_EQ(framed.total, row.offset + row.length) << row.header;
        EXPECT_EQ(framed.status, row.length == 0 ? FrameStatus::complete : FrameStatus::incomplete) << row.header;
        EXPECT_FALSE(framed.overlong);
    }
}

TEST(Framing, a_packet_is_incomplete_until_its_last_byte) {
    const auto bytes = hex("30 05 00 03 'a/b' 30 00");
    for (std::size_t cut = 0; cut < 7; ++cut) EXPECT_EQ(frame(base::ByteView(bytes).first(cut)).status, FrameStatus::incomplete) << cut;
    const auto framed = frame(bytes);
    EXPECT_EQ(framed.status, FrameStatus::complete);
    EXPECT_EQ(framed.type(), PacketType::publish);
    EXPECT_EQ(framed.total, 7U);
    EXPECT_EQ(base::as_text(framed.body(bytes)).substr(2), "a/b");
}

TEST(Framing, a_fifth_length_byte_is_malformed) { EXPECT_EQ(frame(hex("30 80 80 80 80 01")).status, FrameStatus::malformed); }

TEST(Framing, a_length_with_needless_bytes_is_marked) {
    EXPECT_TRUE(frame(hex("C0 80 00")).overlong);
    EXPECT_EQ(frame(hex("C0 80 00")).status, FrameStatus::complete);
    EXPECT_TRUE(frame(hex("C0 80 80 80 00")).overlong);
    EXPECT_FALSE(frame(hex("C0 00")).overlong);
}

TEST(Framing, a_packet_over_the_limit_is_refused_before_its_body_arrives) {
    EXPECT_EQ(frame(hex("30 80 01"), 131).status, FrameStatus::incomplete);
    EXPECT_EQ(frame(hex("30 80 01"), 130).status, FrameStatus::too_large);
    EXPECT_EQ(frame(hex("30 80"), 130).status, FrameStatus::incomplete);
}

TEST(Framing, the_first_byte_is_judged_alone_as_tables_2_1_and_2_2_say) {
    for (unsigned first = 0; first < 256; ++first) {
        const unsigned type = first >> 4;
        const unsigned flags = first & 15U;
        bool good = flags == 0;
        if (type == 0) good = false;
        if (type == 1) good = true;  // 3.1: any flags
        if (type == 3) good = flags != 6 && flags != 7 && flags != 14 && flags != 15 && flags != 8 && flags != 9;
        if (type == 6 || type == 8 || type == 10) good = flags == 2;
        const base::Byte byte = static_cast<base::Byte>(first);
        EXPECT_EQ(frame({&byte, 1}).status, good ? FrameStatus::incomplete : FrameStatus::malformed) << first;
    }
}

}  // namespace
}  // namespace sluice::mqtt
