#include "gateway/proxy_layer.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using State = posix::StreamLayer::State;

const posix::PeerAddress kNear{.ip = {127, 0, 0, 1}, .port = 1};
const posix::PeerAddress kFar{.ip = {192, 0, 2, 99}, .port = 2};

std::string header(unsigned char command, unsigned char family, const std::string& rest) {
    std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
    out += static_cast<char>(command);
    out += static_cast<char>(family);
    out += '\0';
    out += static_cast<char>(rest.size());
    return out + rest;
}
const std::string kFromHome = header(0x21, 0x11, std::string("\x7F\x00\x00\x01\x7F\x00\x00\x01\x00\x07\x07\x5B", 12));
const std::string kFromAbroad = header(0x21, 0x11, std::string("\xC0\x00\x02\x01\x7F\x00\x00\x01\x00\x07\x07\x5B", 12));

struct Told {
    State state;
    posix::PeerAddress peer;
    std::string rest;
};
Told tell(const posix::PeerAddress& socket, const std::string& bytes, std::size_t piece) {
    ProxyLayer layer(socket);
    base::Bytes up;
    base::Bytes down;
    State state = State::opening;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        if (state == State::passed) {
            base::append(up, std::string_view(bytes).substr(at, piece));
        } else {
            state = layer.receive(base::as_bytes(std::string_view(bytes).substr(at, piece)), up, down);
        }
        if (state == State::failed) break;
    }
    EXPECT_TRUE(down.empty());
    return {state, *layer.peer(), std::string(base::as_text(up))};
}

TEST(ProxyLayer, the_header_is_taken_off_in_any_pieces) {
    for (const std::size_t piece : {1UL, 7UL, 28UL, 100UL}) {
        const Told told = tell(kNear, kFromAbroad + "client", piece);
        EXPECT_EQ(told.state, State::passed);
        EXPECT_EQ(told.rest, "client");
        EXPECT_EQ(told.peer.text(), "192.0.2.1:7");
        EXPECT_FALSE(told.peer.loopback());
    }
}

TEST(ProxyLayer, nobody_becomes_local_by_what_another_machine_says) {
    EXPECT_TRUE(tell(kNear, kFromHome, 100).peer.loopback());
    EXPECT_FALSE(tell(kFar, kFromHome, 100).peer.loopback());
    EXPECT_TRUE(tell(kNear, header(0x21, 0x31, std::string(216, '\0')), 300).peer.loopback());
    EXPECT_FALSE(tell(kFar, header(0x21, 0x31, std::string(216, '\0')), 300).peer.loopback());
    EXPECT_FALSE(tell(kNear, header(0x21, 0x00, ""), 100).peer.loopback()) << "the proxy does not say for whom it speaks";
}

TEST(ProxyLayer, a_health_check_of_the_proxy_is_the_proxy) {
    EXPECT_EQ(tell(kNear, header(0x20, 0x00, ""), 100).peer.text(), kNear.text());
    EXPECT_FALSE(tell(kFar, header(0x20, 0x00, ""), 100).peer.loopback());
}

TEST(ProxyLayer, anything_else_fails) { EXPECT_EQ(tell(kNear, std::string("\x10\x0c\x00\x04MQTT", 8), 100).state, State::failed); }

}  // namespace
}  // namespace sluice::gateway
