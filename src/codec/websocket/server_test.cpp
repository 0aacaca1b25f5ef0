#include "codec/websocket/server.hpp"

#include <gtest/gtest.h>

#include "codec/websocket/test_frames.hpp"

namespace sluice::websocket {
namespace {

class WebSocketServer : public testing::Test {
protected:
    using State = Server::State;
    WebSocketServer() {
        EXPECT_EQ(give(kRequest), State::open);
        down.clear();
    }
    State give(const std::string& bytes) { return server.receive(base::as_bytes(bytes), up, down); }
    [[nodiscard]] std::string received() const { return std::string(base::as_text(up)); }
    [[nodiscard]] std::string sent() const { return std::string(base::as_text(down)); }

    base::Bytes up;
    base::Bytes down;
    Server server{std::make_shared<const OriginPolicy>()};
};

TEST_F(WebSocketServer, payload_of_frames_of_every_length_form_goes_up) {
    std::string expected;
    for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 65535UL, 65536UL, 200'000UL}) {
        std::string payload(size, 'x');
        for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7);
        expected += payload;
        ASSERT_EQ(give(client_frame(0x82, payload)), State::open) << size;
    }
    EXPECT_EQ(received(), expected);
}

TEST_F(WebSocketServer, what_comes_byte_by_byte_is_the_same_as_at_once) {
    const std::string all = kRequest + client_frame(0x02, "frag") + client_frame(0x89, "ping") + client_frame(0x80, "ment") +
                            client_frame(0x82, std::string(300, 'y')) + client_frame(0x88, std::string("\x03\xe8 bye", 6));
    Server whole(std::make_shared<const OriginPolicy>());
    Server bytewise(std::make_shared<const OriginPolicy>());
    base::Bytes up_whole;
    base::Bytes down_whole;
    base::Bytes up_bytes;
    base::Bytes down_bytes;
    EXPECT_EQ(whole.receive(base::as_bytes(all), up_whole, down_whole), State::closed);
    for (const char each : all) bytewise.receive(base::as_bytes({&each, 1}), up_bytes, down_bytes);
    EXPECT_EQ(bytewise.state(), State::closed);
    EXPECT_EQ(base::as_text(up_whole), "fragment" + std::string(300, 'y'));
    EXPECT_EQ(up_bytes, up_whole);
    EXPECT_EQ(down_bytes, down_whole);
}

TEST_F(WebSocketServer, a_ping_is_answered_with_its_payload_and_a_pong_with_nothing) {
    give(client_frame(0x89, "are you there"));
    give(client_frame(0x8A, "yes"));
    EXPECT_EQ(sent(), std::string("\x8A\x0D") + "are you there");
}

TEST_F(WebSocketServer, a_close_is_answered_with_its_code) {
    EXPECT_EQ(give(client_frame(0x88, std::string("\x03\xe9", 2)) + client_frame(0x82, "too late")), State::closed);
    EXPECT_EQ(sent(), std::string("\x88\x02\x03\xe9", 4));
    EXPECT_EQ(received(), "");
}

TEST_F(WebSocketServer, what_it_sends_are_unmasked_binary_frames) {
    server.send(base::as_bytes("abc"), down);
    server.send({}, down);
    EXPECT_EQ(sent(), std::string("\x82\x03") + "abc");
    down.clear();
    server.send(base::as_bytes(std::string(126, 'a')), down);
    EXPECT_EQ(sent().substr(0, 4), std::string("\x82\x7e\x00\x7e", 4));
    down.clear();
    server.send(base::as_bytes(std::string(65536, 'a')), down);
    EXPECT_EQ(sent().substr(0, 10), std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

TEST_F(WebSocketServer, its_own_close_is_one_frame_and_only_once) {
    server.finish(down);
    server.finish(down);
    EXPECT_EQ(sent(), std::string("\x88\x02\x03\xe8", 4));
}

/// Each ends the connection with this code.
struct Violation {
    const char* what;
    std::string bytes;
    unsigned code;
};

TEST_F(WebSocketServer, violations_are_answered_with_the_standards_code) {
    const std::vector<Violation> violations{
        {"text", client_frame(0x81, "hello"), 1003},
        {"no mask", std::string("\x82\x01x", 3), 1002},
        {"reserved bit", client_frame(0xC2, "x"), 1002},
        {"unknown opcode", client_frame(0x83, "x"), 1002},
        {"continuation of nothing", client_frame(0x80, "x"), 1002},
        {"a message inside a message", client_frame(0x02, "x") + client_frame(0x82, "y"), 1002},
        {"a fragmented ping", client_frame(0x09, "x"), 1002},
        {"a long ping", client_frame(0x89, std::string(126, 'x')), 1002},
        {"a length longer than needed", std::string("\x82\xFE\x00\x7D", 4), 1002},
        {"a wide length longer than needed", std::string("\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF", 10), 1002},
        {"a negative length", std::string("\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x00", 10), 1009},
        {"a huge frame", std::string("\x82\xFF\x00\x00\x00\x01\x00\x00\x00\x00", 10), 1009},
        {"half a close code", client_frame(0x88, "x"), 1002},
        {"a close code that never travels", client_frame(0x88, std::string("\x03\xee", 2)), 1002},
        {"a close reason that is not text", client_frame(0x88, std::string("\x03\xe8\xff", 3)), 1007},
    };
    for (const Violation& each : violations) {
        Server fresh(std::make_shared<const OriginPolicy>());
        base::Bytes none;
        base::Bytes answer;
        fresh.receive(base::as_bytes(kRequest), none, answer);
        answer.clear();
        ASSERT_EQ(fresh.receive(base::as_bytes(each.bytes), none, answer), State::failed) << each.what;
        ASSERT_EQ(answer.size(), 4U) << each.what;
        EXPECT_EQ(answer[0], 0x88) << each.what;
        EXPECT_EQ(static_cast<unsigned>(answer[2]) << 8 | answer[3], each.code) << each.what;
        EXPECT_FALSE(fresh.problem().empty()) << each.what;
    }
}

TEST_F(WebSocketServer, a_refused_request_is_answered_and_nothing_goes_up) {
    Server fresh(std::make_shared<const OriginPolicy>());
    base::Bytes answer;
    EXPECT_EQ(fresh.receive(base::as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + client_frame(0x82, "x")), up, answer), State::failed);
    EXPECT_TRUE(base::as_text(answer).starts_with("HTTP/1.1 426 "));
    EXPECT_EQ(received(), "");
}

TEST(WebSocketFrame, unmasking_in_any_pieces_gives_the_same) {
    base::Bytes whole(100);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<base::Byte>(i * 31);
    const std::array<base::Byte, 4> mask{1, 2, 3, 4};
    base::Bytes expected = whole;
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<base::Byte>(expected[i] ^ mask[i % 4]);
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        base::Bytes pieces = whole;
        unmask(pieces.data(), cut, mask, 0);
        unmask(pieces.data() + cut, pieces.size() - cut, mask, cut);
        ASSERT_EQ(pieces, expected) << cut;
    }
}

}  // namespace
}  // namespace sluice::websocket
