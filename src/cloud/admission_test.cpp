#include "cloud/admission.hpp"

#include <string>

#include <gtest/gtest.h>

#include "codec/mqtt/packet.hpp"

namespace sluice::cloud {
namespace {

class Heard final : public RefusalListener {
public:
    void on_refused(hub::ConnectionId, std::string_view client, std::string_view why) override {
        text = std::string(client) + ": " + std::string(why);
    }
    std::string text;
};

TEST(Admission, who_is_refused_is_told_with_the_reason) {
    Admission admission({{"plant-7", "secret"}}, false);
    Heard heard;
    admission.tell(heard);
    const auto of = [&](const hub::Credentials& credentials) {
        heard.text.clear();
        const auto verdict = admission.authenticate(credentials);
        EXPECT_EQ(verdict->reason == mqtt::ReasonCode::success, heard.text.empty());
        return heard.text;
    };
    const auto from = [](std::string_view client, std::string_view user) {
        hub::Credentials out{};
        out.client = client;
        out.username = user;
        out.has_username = true;
        return out;
    };
    EXPECT_EQ(of(from("sensor", "sensor")), "sensor: it is no gateway: the client id does not begin with gw:");
    EXPECT_EQ(of(from("gw:a/b", "a/b")), "gw:a/b: no gateway can have that id");
    EXPECT_EQ(of(from("gw:plant-7", "plant-8")), "gw:plant-7: the user name is not the gateway's id");
    auto seven = from("gw:plant-7", "plant-7");
    EXPECT_EQ(of(seven), "gw:plant-7: it shows no token");
    seven.has_password = true;
    seven.password = base::as_bytes("guess");
    EXPECT_EQ(of(seven), "gw:plant-7: wrong token");
    seven.password = base::as_bytes("secret");
    EXPECT_EQ(of(seven), "");
    seven.certificate = "plant-9";
    EXPECT_EQ(of(seven), "gw:plant-7: its certificate has another name");
    seven.certificate = "plant-7";
    EXPECT_EQ(of(seven), "");
    auto eight = from("gw:plant-8", "plant-8");
    EXPECT_EQ(of(eight), "gw:plant-8: it has neither a certificate nor an entry in auth.tokens, and is not on this machine");
    eight.peer.loopback = true;
    EXPECT_EQ(of(eight), "");
}

}  // namespace
}  // namespace sluice::cloud
