#include "codec/proxy/header.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string header(unsigned char command, unsigned char family, const std::string& rest) {
    std::string out = kSignature;
    out += static_cast<char>(command);
    out += static_cast<char>(family);
    out += static_cast<char>(rest.size() >> 8);
    out += static_cast<char>(rest.size() & 0xFF);
    return out + rest;
}

const std::string kV4("\xC0\x00\x02\x01\x7F\x00\x00\x01\xDB\xA1\x07\x5B", 12);  // 192.0.2.1:56225 to 127.0.0.1:1883

Parsed parse_text(const std::string& text) { return parse(base::as_bytes(text)); }

TEST(ProxyHeader, the_address_of_a_v4_client_and_the_length_of_the_header_are_read) {
    const auto parsed = parse_text(header(0x21, 0x11, kV4) + "rest");
    ASSERT_EQ(parsed.status, ParseStatus::complete);
    EXPECT_EQ(parsed.size, 28U);
    EXPECT_FALSE(parsed.header.local);
    EXPECT_EQ(parsed.header.family, Family::v4);
    EXPECT_EQ(parsed.header.ip[0], 192);
    EXPECT_EQ(parsed.header.ip[3], 1);
    EXPECT_EQ(parsed.header.port, 56225);
}

TEST(ProxyHeader, the_address_of_a_v6_client_is_read) {
    std::string addresses(36, '\0');
    addresses[0] = '\x20';
    addresses[15] = '\x07';
    addresses[32] = '\x12';
    addresses[33] = '\x34';
    const auto parsed = parse_text(header(0x21, 0x21, addresses));
    ASSERT_EQ(parsed.status, ParseStatus::complete);
    EXPECT_EQ(parsed.header.family, Family::v6);
    EXPECT_EQ(parsed.header.ip[0], 0x20);
    EXPECT_EQ(parsed.header.ip[15], 0x07);
    EXPECT_EQ(parsed.header.port, 0x1234);
}

TEST(ProxyHeader, fields_behind_the_addresses_are_skipped) {
    const auto parsed = parse_text(header(0x21, 0x11, kV4 + std::string("\x04\x00\x03xyz", 6)) + "client");
    ASSERT_EQ(parsed.status, ParseStatus::complete);
    EXPECT_EQ(parsed.size, 34U);
}

TEST(ProxyHeader, a_local_header_says_nothing_whatever_stands_in_it) {
    for (const auto& rest : {std::string(), kV4, std::string(50, 'x')}) {
        const auto parsed = parse_text(header(0x20, 0x11, rest));
        ASSERT_EQ(parsed.status, ParseStatus::complete);
        EXPECT_TRUE(parsed.header.local);
        EXPECT_EQ(parsed.header.family, Family::unspecified);
        EXPECT_EQ(parsed.size, 16 + rest.size());
    }
}

TEST(ProxyHeader, a_client_on_a_unix_socket_of_the_proxy_is_told_apart) {
    const auto parsed = parse_text(header(0x21, 0x31, std::string(216, '\0')));
    ASSERT_EQ(parsed.status, ParseStatus::complete);
    EXPECT_EQ(parsed.header.family, Family::unix_socket);
    EXPECT_EQ(parse_text(header(0x21, 0x00, "")).header.family, Family::unspecified);
}

TEST(ProxyHeader, every_beginning_is_incomplete) {
    const std::string whole = header(0x21, 0x11, kV4 + std::string("\x04\x00\x01x", 4));
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        EXPECT_EQ(parse_text(whole.substr(0, cut)).status, ParseStatus::incomplete) << cut;
    }
}

TEST(ProxyHeader, what_is_no_header_is_refused_at_the_first_byte_that_shows_it) {
    const auto problem = [](const std::string& text) {
        const auto parsed = parse_text(text);
        return parsed.status == ParseStatus::malformed ? std::string(parsed.problem) : "not malformed";
    };
    EXPECT_EQ(problem("\x10"), "it does not begin with a PROXY header of version 2");
    EXPECT_EQ(problem("PROXY TCP4 1.2.3.4"), "it does not begin with a PROXY header of version 2");
    EXPECT_EQ(problem(kSignature + "\x11"), "the header's version is not 2");
    EXPECT_EQ(problem(kSignature + "\x22"), "the header's command is neither LOCAL nor PROXY");
    EXPECT_EQ(problem(header(0x21, 0x41, kV4)), "the header's address family is unknown");
    EXPECT_EQ(problem(header(0x21, 0x12, kV4)), "the header is of a datagram");
    EXPECT_EQ(problem(header(0x21, 0x21, kV4)), "the header is too short for its addresses");
    EXPECT_EQ(problem(header(0x21, 0x11, std::string(4081, 'x'))), "the header is longer than 4096 bytes");
}

}  // namespace
}  // namespace sluice::proxy
