// What the wiring has of access control: the rules in force, the verifier with its thread and its mailboxes.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "gateway/sign_in_mail.hpp"
#include "gateway/verifier.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// The main thread. Without users there is no verifier and no thread; it is made when a reload brings some, and stays.
class AccessControl {
public:
    AccessControl(const env::Clock& clock, env::Entropy& entropy) : clock_(clock), entropy_(entropy) {}
    ~AccessControl() { stop(); }
    AccessControl(const AccessControl&) = delete;
    AccessControl& operator=(const AccessControl&) = delete;

    /// Takes what a configuration says and returns what each shard is to be told, by its number. `listen`: the listeners that run.
    [[nodiscard]] std::vector<ShardAccess> take(const config::Auth& auth, const config::Listen& listen,
                                                std::chrono::milliseconds connect_timeout, const std::vector<posix::EventLoop*>& shards);

    /// When the shards have ended.
    void stop();

    [[nodiscard]] const SignInGauges& gauges() const { return gauges_; }

private:
    void make_verifier(std::chrono::milliseconds connect_timeout, const std::vector<posix::EventLoop*>& shards);

    const env::Clock& clock_;
    env::Entropy& entropy_;
    SignInGauges gauges_;
    std::unique_ptr<Verifier> verifier_;
    std::unique_ptr<posix::Mailbox<std::shared_ptr<const AccessRules>>> rules_;
    std::vector<std::unique_ptr<posix::Mailbox<access::SignIn>>> to_verifier_;
    std::vector<std::unique_ptr<posix::Mailbox<SignInReply>>> from_verifier_;
    std::thread thread_;
};

}  // namespace sluice::gateway
