#include "gateway/doorkeeper.hpp"

#include <gtest/gtest.h>

#include "codec/mqtt/packet.hpp"
#include "manage/identity/password.hpp"

namespace sluice::gateway {
namespace {

using hub::Principal;
using hub::Standing;
using mqtt::ReasonCode;

config::UserEntry user(std::string name, base::Byte tag = 1, bool disabled = false) {
    return {.name = std::move(name),
            .hash = {.cost = {8, 1, 1}, .salt = base::Bytes(16), .tag = base::Bytes(16, tag)},
            .disabled = disabled,
            .at = {}};
}

class DoorkeeperTest : public testing::Test, public DoorkeeperPort {
protected:
    DoorkeeperTest() {
        auth.configured = true;
        auth.anonymous = false;
        auth.users.value = "users.yaml";
        auth.user_list = {user("ana"), user("bob", 2, true)};
        listen.mqtt.resize(2);
        listen.mqtt[1].ca.value = "ca.crt";
        listen.mqtt[1].require_client_cert = true;
        use();
    }
    void use() { door.use(access_rules_of(auth, listen)); }

    access::SourceAddress source_of(hub::ConnectionId) const override { return 77; }
    bool submit(access::SignIn&& sign_in) override {
        if (full) return false;
        sent.push_back(std::move(sign_in));
        return true;
    }
    struct Shown {
        std::string_view name{};
        std::string_view password{};
        std::string_view certificate{};
        std::uint16_t listener = 0;
        bool loopback = false;
    };
    std::optional<hub::Admission> ask(const Shown& shown) {
        return door.authenticate({.connection = hub::ConnectionId(5),
                                  .peer = {.listener = shown.listener, .loopback = shown.loopback},
                                  .client = "c",
                                  .has_username = shown.name.data() != nullptr,
                                  .has_password = shown.password.data() != nullptr,
                                  .username = shown.name,
                                  .password = base::as_bytes(shown.password),
                                  .certificate = shown.certificate});
    }
    ReasonCode reason(const Shown& shown) {
        const auto admission = ask(shown);
        return admission ? admission->reason : ReasonCode::continue_authentication;
    }
    hub::Admission verified(const std::string& name) {
        const auto rules = access_rules_of(auth, listen);
        const auto* found = rules->user(name);
        return door.admission({.connection = 5, .answer = access::SignInAnswer::welcome, .user = name, .hash = found ? found->text : ""});
    }
    void allow(std::string topic) {
        auth.acl.value = "acl.yaml";
        auth.acl_rows = {{.who = {{config::AclWho::Kind::certificate, "pump"}, {config::AclWho::Kind::user, "ana"}},
                          .allows = true,
                          .publish = true,
                          .subscribe = false,
                          .topics = {std::move(topic)},
                          .at = {}}};
        use();
    }

    config::Auth auth;
    config::Listen listen;
    bool full = false;
    std::vector<access::SignIn> sent;
    Doorkeeper door{*this};
};

TEST_F(DoorkeeperTest, a_name_or_a_password_goes_to_the_verifier) {
    EXPECT_EQ(ask({.name = "ana", .password = "secret"}), std::nullopt);
    EXPECT_EQ(ask({.name = "ana"}), std::nullopt) << "a name alone is no anonymous client";
    EXPECT_EQ(ask({.password = "secret"}), std::nullopt);
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].user, "ana");
    EXPECT_EQ(base::as_text(sent[0].password.view()), "secret");
    EXPECT_EQ(sent[0].address, 77U);
    EXPECT_EQ(sent[0].connection, 5U);
    full = true;
    EXPECT_EQ(reason({.name = "ana", .password = "secret"}), ReasonCode::server_busy);
}

TEST_F(DoorkeeperTest, what_nobody_can_have_is_refused_without_a_hash) {
    const std::string long_name(config::kUserNameBytesMax + 1, 'x');
    const std::string long_password(identity::kPasswordBytesMax + 1, 'x');
    EXPECT_EQ(reason({.name = long_name, .password = "x"}), ReasonCode::bad_user_name_or_password);
    EXPECT_EQ(reason({.name = "ana", .password = long_password}), ReasonCode::bad_user_name_or_password);
    EXPECT_TRUE(sent.empty());
}

TEST_F(DoorkeeperTest, a_certificate_decides_whatever_else_is_shown) {
    for (const auto listener : {std::uint16_t{0}, std::uint16_t{1}}) {
        const auto admission = ask({.name = "?SDK=Python", .password = "x", .certificate = "pump", .listener = listener});
        ASSERT_TRUE(admission.has_value());
        EXPECT_EQ(admission->reason, ReasonCode::success);
        EXPECT_EQ(door.name_of(admission->principal), "cn:pump");
        EXPECT_EQ(door.principal_of("cn:pump"), admission->principal);
    }
    EXPECT_TRUE(sent.empty());
}

TEST_F(DoorkeeperTest, a_listener_that_demands_certificates_takes_nothing_else) {
    auth.anonymous = true;
    use();
    EXPECT_EQ(reason({.name = "ana", .password = "secret", .listener = 1}), ReasonCode::not_authorized);
    EXPECT_EQ(reason({.listener = 1}), ReasonCode::not_authorized);
    EXPECT_EQ(reason({.listener = 0}), ReasonCode::success);
    EXPECT_TRUE(sent.empty());
}

TEST_F(DoorkeeperTest, anonymous_clients_come_in_only_where_that_is_allowed) {
    EXPECT_EQ(reason({}), ReasonCode::not_authorized);
    EXPECT_EQ(reason({.loopback = true}), ReasonCode::not_authorized);
    auth.anonymous = true;
    use();
    EXPECT_EQ(ask({})->principal, Principal(0));
    auth.users = {};
    auth.user_list = {};
    use();
    EXPECT_EQ(reason({.name = "whoever", .password = "x"}), ReasonCode::success) << "without users nothing that is shown can be wrong";
    auth.configured = false;
    use();
    EXPECT_EQ(reason({.loopback = true}), ReasonCode::success);
    EXPECT_EQ(reason({.loopback = false}), ReasonCode::not_authorized) << "without `auth`: from this machine only";
}

TEST_F(DoorkeeperTest, answers_become_reason_codes) {
    const auto code = [&](access::SignInAnswer answer) { return door.admission({.answer = answer}).reason; };
    EXPECT_EQ(code(access::SignInAnswer::wrong), ReasonCode::bad_user_name_or_password);
    EXPECT_EQ(code(access::SignInAnswer::pause), ReasonCode::connection_rate_exceeded);
    EXPECT_EQ(code(access::SignInAnswer::busy), ReasonCode::server_busy);
    EXPECT_EQ(verified("ana").reason, ReasonCode::success);
}

TEST_F(DoorkeeperTest, an_answer_from_before_a_change_of_users_no_longer_counts) {
    const auto before = access_rules_of(auth, listen);
    const SignInReply reply{.connection = 5, .answer = access::SignInAnswer::welcome, .user = "ana", .hash = before->user("ana")->text};
    auth.user_list = {user("ana", 9)};
    use();
    EXPECT_EQ(door.admission(reply).reason, ReasonCode::server_busy);
    auth.user_list = {};
    use();
    EXPECT_EQ(door.admission(reply).reason, ReasonCode::server_busy);
}

TEST_F(DoorkeeperTest, an_identity_has_one_principal_and_kinds_do_not_mix) {
    const auto ana = verified("ana").principal;
    EXPECT_EQ(verified("ana").principal, ana);
    const auto certificate = ask({.certificate = "ana"})->principal;
    EXPECT_NE(certificate, ana);
    EXPECT_NE(ana, Principal(0));
    EXPECT_EQ(door.principal_of(access::Identity{}), Principal(0));
}

TEST_F(DoorkeeperTest, without_a_list_who_is_in_may_do_everything_and_with_one_only_what_it_allows) {
    const hub::Client ana{"c", verified("ana").principal};
    EXPECT_TRUE(door.may_publish(ana, "x"));
    EXPECT_TRUE(door.may_subscribe(ana, "#"));
    allow("own/%u");
    EXPECT_TRUE(door.may_publish(ana, "own/ana"));
    EXPECT_FALSE(door.may_publish(ana, "own/bob"));
    EXPECT_FALSE(door.may_subscribe(ana, "own/ana"));
    const hub::Client pump{"c", ask({.certificate = "pump"})->principal};
    EXPECT_TRUE(door.may_publish(pump, "own/pump"));
    EXPECT_FALSE(door.may_publish({"c", Principal(0)}, "own/"));
    EXPECT_FALSE(door.may_publish({"c", Principal(999)}, "own/ana")) << "nobody has this number";
}

TEST_F(DoorkeeperTest, an_owner_from_an_earlier_run_is_found_again_and_one_who_has_gone_is_not_welcome) {
    const auto ana = door.principal_of("user:ana");
    EXPECT_EQ(door.name_of(ana), "user:ana");
    EXPECT_NE(door.standing({"c", ana}), hub::Standing::gone);
    EXPECT_EQ(door.standing({"c", door.principal_of("user:was fired")}), hub::Standing::gone);
    EXPECT_EQ(door.standing({"c", door.principal_of("cn:pump")}), hub::Standing::welcome);
    EXPECT_EQ(door.principal_of(""), Principal(0));
    for (const auto* damaged : {"ana", "user", "x:y"}) {
        const auto nobody = door.principal_of(damaged);
        EXPECT_EQ(door.standing({"c", nobody}), hub::Standing::gone) << damaged;
        EXPECT_FALSE(door.may_subscribe({"c", nobody}, "t")) << damaged;
        EXPECT_EQ(door.name_of(nobody), "");
    }
}

TEST_F(DoorkeeperTest, standing_follows_the_users) {
    const hub::Client ana{"c", verified("ana").principal};
    const hub::Client pump{"c", ask({.certificate = "pump"})->principal};
    const hub::Client nobody{"c", Principal(0)};
    use();
    EXPECT_EQ(door.standing(ana), Standing::welcome);
    EXPECT_EQ(door.standing(nobody), Standing::gone);
    auth.user_list = {user("ana", 9)};
    use();
    EXPECT_EQ(door.standing(ana), Standing::sign_in_again);
    EXPECT_EQ(verified("ana").principal, ana.principal);
    use();
    EXPECT_EQ(door.standing(ana), Standing::welcome);
    auth.user_list = {user("ana", 9, true)};
    use();
    EXPECT_EQ(door.standing(ana), Standing::gone);
    EXPECT_FALSE(door.may_publish(ana, "x"));
    EXPECT_EQ(door.standing(pump), Standing::welcome);
}

TEST_F(DoorkeeperTest, without_auth_and_certificates_nobody_is_asked_anything) {
    config::Listen plain;
    plain.mqtt.resize(1);
    EXPECT_EQ(access_rules_of({}, plain), nullptr);
    EXPECT_NE(access_rules_of(auth, plain), nullptr);
    EXPECT_NE(access_rules_of({}, listen), nullptr) << "certificates tell clients apart";
}

}  // namespace
}  // namespace sluice::gateway
