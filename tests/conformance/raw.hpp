// For the suite: packets written byte by byte, and what a hub answers to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flow/hub/world_test.hpp"

namespace sluice::conformance {

using hub::test::Client;
using hub::test::World;
using mqtt::Version;

inline constexpr auto v31 = Version::v31;
inline constexpr auto v311 = Version::v311;
inline constexpr auto v5 = Version::v5;

/// Bytes in hex; 'text' is itself; <text> has its two-byte length before it; {…} has its length as a variable byte integer before it.
[[nodiscard]] base::Bytes bytes(std::string_view text);
/// A packet: its first byte, its length, the rest.
[[nodiscard]] base::Bytes packet(unsigned first, std::string_view rest);
[[nodiscard]] base::Bytes operator+(base::Bytes a, const base::Bytes& b);

/// CONNECT with clean start, no keep-alive and no properties.
[[nodiscard]] base::Bytes connect(Version version, std::string_view client = "c");
/// A client that has connected so; its CONNACK is taken.
Client& connected(World& world, Version version, std::string_view client = "c");
/// A connection that sends these bytes first; what comes is read in this version.
Client& greet(World& world, Version version, const base::Bytes& first);

/// What a client that has connected gets for these bytes, in words, ` closed` behind it if that was the end. Others are not disturbed: that
/// is checked each time.
[[nodiscard]] std::string answer(Version version, const base::Bytes& sent);
/// The same for the first bytes of a connection.
[[nodiscard]] std::string greeting(Version version, const base::Bytes& sent);
/// The same, as bytes in hex.
[[nodiscard]] std::string raw_answer(Version version, const base::Bytes& sent);
[[nodiscard]] std::string raw_greeting(const base::Bytes& sent);

[[nodiscard]] std::string hex(base::ByteView bytes);

/// What a violation gets: 5.0 the reason and the end, 3.1.1 the end.
[[nodiscard]] std::string refusal(Version version, unsigned reason);

/// Gates of the suite: a user name "ana" comes in, "secret/…" is not for anybody.
class Gate final : public hub::Authenticator {
public:
    std::optional<hub::Admission> authenticate(const hub::Credentials& who) override {
        return hub::Admission{who.username == "ana" ? mqtt::ReasonCode::success : mqtt::ReasonCode::bad_user_name_or_password, {}};
    }
    bool may_publish(const hub::Client&, std::string_view topic) override { return !topic.starts_with("secret/"); }
    bool may_subscribe(const hub::Client&, std::string_view filter) override { return !filter.starts_with("secret/"); }
};

}  // namespace sluice::conformance
