#include "gateway/websocket_layer.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

base::Bytes packet(base::Byte first, std::size_t body) {
    base::Bytes out{first};
    for (std::size_t left = body;;) {
        const auto low = static_cast<base::Byte>(left & 0x7FU);
        left >>= 7;
        out.push_back(left == 0 ? low : static_cast<base::Byte>(low | 0x80U));
        if (left == 0) break;
    }
    out.resize(out.size() + body, base::Byte{0xFF});  // a body that looks like lengths
    return out;
}

/// Where packets end that come in pieces of this size.
std::vector<std::size_t> ends(base::ByteView stream, std::size_t piece, const std::vector<std::size_t>& wanted) {
    PacketEnds finder;
    std::vector<std::size_t> found;
    std::size_t at = 0;
    while (at < stream.size()) {
        const auto part = stream.subspan(at, std::min(piece, stream.size() - at));
        for (std::size_t used = 0; used < part.size();) {
            const std::size_t count = finder.take(part.subspan(used));
            EXPECT_GT(count, 0U);
            used += count;
            // Pieces end anywhere: only what ends inside of one says where a packet ends.
            if (used < part.size() || (found.size() < wanted.size() && wanted[found.size()] == at + used)) found.push_back(at + used);
        }
        at += part.size();
    }
    return found;
}

TEST(PacketEnds, packets_of_all_sizes_are_told_apart_in_pieces_of_any_size) {
    base::Bytes stream;
    std::vector<std::size_t> wanted;
    for (const std::size_t body : {0U, 2U, 127U, 128U, 16'383U, 16'384U, 0U, 5U}) {
        base::append(stream, packet(0x30, body));
        wanted.push_back(stream.size());
    }
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{100}, std::size_t{4096}, stream.size()}) {
        EXPECT_EQ(ends(stream, piece, wanted), wanted) << "pieces of " << piece;
    }
}

TEST(PacketEnds, the_longest_length_is_read_whole) {
    PacketEnds finder;
    const base::Bytes head{0x30, 0xFF, 0xFF, 0xFF, 0x7F};
    EXPECT_EQ(finder.take(head), head.size());
    const base::Bytes part(1000, base::Byte{0});
    for (int i = 0; i < 268'435; ++i) ASSERT_EQ(finder.take(part), part.size());
    EXPECT_EQ(finder.take(part), 455U);  // 268,435,455 in all
}

}  // namespace
}  // namespace sluice::gateway
