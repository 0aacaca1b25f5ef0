#include "codec/zstd/zstd.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace sluice::zstd {
namespace {

base::Bytes frame_of(base::ByteView plain) {
    Compressor compressor;
    base::Bytes out(plain.size() + 64);
    const auto bytes = compressor.compress(plain, out);
    EXPECT_TRUE(bytes);
    out.resize(bytes.value_or(0));
    return out;
}

TEST(Zstd, what_is_packed_comes_back) {
    Decompressor decompressor;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1'000}, std::size_t{1'000'000}}) {
        const std::string text(size, 'x');
        const base::Bytes frame = frame_of(base::as_bytes(text));
        const auto info = frame_info(frame);
        ASSERT_TRUE(info) << size;
        EXPECT_EQ(info->bytes, frame.size());
        EXPECT_EQ(info->plain_bytes, size);
        base::Bytes plain(size);
        EXPECT_TRUE(decompressor.decompress(frame, plain)) << size;
        EXPECT_EQ(base::as_text(plain), text);
    }
}

TEST(Zstd, a_frame_that_does_not_fit_is_not_written) {
    base::Bytes noise(500);
    for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<base::Byte>(i * 7919 >> 3);
    base::Bytes out(10);
    Compressor compressor;
    EXPECT_FALSE(compressor.compress(noise, out));
    base::Bytes enough(600);
    EXPECT_TRUE(compressor.compress(noise, enough)) << "it is good for the next one";
}

TEST(Zstd, a_frame_with_something_behind_it_is_told_apart) {
    base::Bytes frame = frame_of(base::as_bytes("some text"));
    const std::size_t bytes = frame.size();
    frame.push_back(0);
    const auto info = frame_info(frame);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->bytes, bytes);
}

TEST(Zstd, damage_is_an_error_and_costs_nothing) {
    const std::string text(5'000, 'x');
    const base::Bytes frame = frame_of(base::as_bytes(text));
    Decompressor decompressor;
    base::Bytes plain(text.size());
    for (std::size_t size = 0; size < frame.size(); ++size) {
        EXPECT_FALSE(frame_info(base::ByteView(frame).first(size))) << size;
        EXPECT_FALSE(decompressor.decompress(base::ByteView(frame).first(size), plain)) << size;
    }
    base::Bytes other(text.size() - 1);
    EXPECT_FALSE(decompressor.decompress(frame, other)) << "the content is longer";
    other.resize(text.size() + 1);
    EXPECT_FALSE(decompressor.decompress(frame, other)) << "the content is shorter";
    EXPECT_TRUE(decompressor.decompress(frame, plain));
}

}  // namespace
}  // namespace sluice::zstd
