// The hub's authenticator: who comes in as whom, and what they may do. One a shard.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/hub/ports.hpp"
#include "gateway/access_rules.hpp"
#include "gateway/sign_in_mail.hpp"
#include "manage/access/acl.hpp"

namespace sluice::gateway {

/// What the doorkeeper needs of its shard.
class DoorkeeperPort {
public:
    virtual ~DoorkeeperPort() = default;
    [[nodiscard]] virtual access::SourceAddress source_of(hub::ConnectionId connection) const = 0;
    /// To the thread that hashes. False: it cannot take more now.
    [[nodiscard]] virtual bool submit(access::SignIn&& sign_in) = 0;
};

/// Who has a certificate is that certificate's name, whatever user name and password come with it (AWS's libraries send one). Who shows a
/// name or a password must be right, and is never taken for anonymous instead. Who shows nothing is anonymous, where that is allowed.
/// The shard's thread.
class Doorkeeper final : public hub::Authenticator {
public:
    explicit Doorkeeper(DoorkeeperPort& port);

    /// The rules from now on; never null. What they mean for those who are in is told by standing(). Before the first ones it only knows
    /// whose sessions are whose.
    void use(std::shared_ptr<const AccessRules> rules);

    /// The answer to a sign-in as the hub wants it.
    [[nodiscard]] hub::Admission admission(const SignInReply& reply);

    std::optional<hub::Admission> authenticate(const hub::Credentials& credentials) override;
    bool may_publish(const hub::Client& client, std::string_view topic) override;
    bool may_subscribe(const hub::Client& client, std::string_view filter) override;
    hub::Standing standing(const hub::Client& client) override;

    /// A number for an identity, the same as long as the process lives; 0 is anonymous. nullopt: kPrincipalsMax are in use.
    [[nodiscard]] std::optional<hub::Principal> principal_of(const access::Identity& identity);
    /// "user:NAME", "cn:NAME", or empty for anonymous: what is stored with a session that outlives the process.
    [[nodiscard]] std::string_view name_of(hub::Principal principal) const override;
    [[nodiscard]] hub::Principal principal_of(std::string_view name) override;

    /// Questions in which a client id or name did not fit a pattern of the access list.
    [[nodiscard]] std::uint64_t unfit_names() const { return unfit_names_; }

    /// Different users and certificates that have signed in since the start; about 150 bytes each. More: CONNACK "quota exceeded".
    static constexpr std::size_t kPrincipalsMax = 200'000;

private:
    struct Known {
        access::Identity identity;
        std::string name;  // name_of()
        std::string hash;  // of a user: with which the last sign-in was right
        std::vector<std::uint32_t> rows;
        bool has_rows = false;
        hub::Standing standing = hub::Standing::welcome;
    };
    [[nodiscard]] hub::Admission admit(const access::Identity& identity);
    [[nodiscard]] bool may(const hub::Client& client, access::Action action, std::string_view topic);
    [[nodiscard]] hub::Standing standing_of(const Known& known) const;

    DoorkeeperPort& port_;
    std::shared_ptr<const AccessRules> rules_;
    std::vector<Known> known_;                              // by principal
    std::unordered_map<std::string, std::uint32_t> names_;  // kind and name
    std::string scratch_;
    std::uint64_t unfit_names_ = 0;
};

}  // namespace sluice::gateway
