// The thread that computes password hashes, so that no shard does: one hash takes tens of milliseconds.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"
#include "gateway/sign_in_mail.hpp"
#include "manage/identity/secret.hpp"

namespace sluice::gateway {

/// Takes sign-ins of all shards, hashes one a turn, answers by mail. Runs at a low priority: messages go before newcomers.
///
/// An unknown user costs the same as a wrong password: the hash of some real user is computed for it, always the same one for the same
/// name, so that neither the time nor its spread tells which names exist.
class Verifier final : public posix::TurnTask {
public:
    struct Link {
        posix::Mailbox<access::SignIn>* from = nullptr;
        posix::Mailbox<SignInReply>* to = nullptr;
    };
    Verifier(const env::Clock& clock, env::Entropy& entropy, const access::DeskLimits& limits, SignInGauges& gauges);

    /// Before run(): one link a shard, and where new rules come from.
    void wire(std::vector<Link> shards, posix::Mailbox<std::shared_ptr<const AccessRules>>& rules);
    void run();
    /// Any thread. What waits is not answered any more.
    void stop() { loop_.stop(); }
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    /// Whose hash is computed for a name, and whether that can be right.
    struct Target {
        const AccessRules::User* user;
        bool counts;
    };
    [[nodiscard]] Target target_of(const std::string& name) const;
    [[nodiscard]] access::CredentialDigest digest_of(const access::SignIn& sign_in, const Target& target) const;
    void take_mail(base::Monotonic now);
    void hash_one(base::Monotonic now);
    void answer(const access::SignIn& sign_in, access::SignInAnswer answer);
    void send_answers();
    void report(base::Monotonic now);
    void use(std::shared_ptr<const AccessRules> rules);

    const env::Clock& clock_;
    posix::EventLoop loop_;
    SignInGauges& gauges_;
    identity::Secret digest_key_;
    std::uint64_t seed_ = 0;
    access::SignInDesk desk_;
    std::vector<Link> shards_;
    posix::Mailbox<std::shared_ptr<const AccessRules>>* new_rules_ = nullptr;
    std::shared_ptr<const AccessRules> rules_;
    AccessRules::User nobody_;                         // the decoy while there are no users
    std::vector<const AccessRules::User*> decoys_;     // of rules_, in the order of their names
    std::vector<std::deque<SignInReply>> answers_;     // by shard; what did not fit its mailbox yet
    std::vector<access::SignInDesk::Answered> early_;  // scratch
    base::Monotonic reported_at_{};
    std::uint64_t reported_wrong_ = 0;
    std::uint64_t reported_paused_ = 0;
};

}  // namespace sluice::gateway
