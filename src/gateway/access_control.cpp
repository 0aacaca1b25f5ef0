#include "gateway/access_control.hpp"

#include "env/posix/signals_blocked.hpp"

namespace sluice::gateway {
namespace {
constexpr std::size_t kSignInSlots = 1024;  // of one shard: as many as may wait for their hash
constexpr std::size_t kRuleSlots = 4;
}  // namespace

std::vector<ShardAccess> AccessControl::take(const config::Auth& auth, const config::Listen& listen,
                                             std::chrono::milliseconds connect_timeout, const std::vector<posix::EventLoop*>& shards) {
    const auto rules = access_rules_of(auth, listen);
    if (rules != nullptr && rules->has_users && verifier_ == nullptr) make_verifier(connect_timeout, shards);
    if (rules_ != nullptr) {
        for (auto copy = rules; !rules_->push(std::move(copy));) std::this_thread::yield();
    }
    std::vector<ShardAccess> out(shards.size());
    for (std::size_t i = 0; i < shards.size(); ++i) {
        out[i].rules = rules;
        if (verifier_ == nullptr) continue;
        out[i].to_verifier = to_verifier_[i].get();
        out[i].from_verifier = from_verifier_[i].get();
    }
    return out;
}

void AccessControl::make_verifier(std::chrono::milliseconds connect_timeout, const std::vector<posix::EventLoop*>& shards) {
    access::DeskLimits limits;
    limits.wait_max = connect_timeout / 2;
    verifier_ = std::make_unique<Verifier>(clock_, entropy_, limits, gauges_);
    rules_ = std::make_unique<posix::Mailbox<std::shared_ptr<const AccessRules>>>(kRuleSlots, verifier_->loop());
    std::vector<Verifier::Link> links;
    for (posix::EventLoop* shard : shards) {
        to_verifier_.push_back(std::make_unique<posix::Mailbox<access::SignIn>>(kSignInSlots, verifier_->loop()));
        from_verifier_.push_back(std::make_unique<posix::Mailbox<SignInReply>>(kSignInSlots, *shard));
        links.push_back({to_verifier_.back().get(), from_verifier_.back().get()});
    }
    verifier_->wire(std::move(links), *rules_);
    const posix::SignalsBlocked for_new_threads;
    thread_ = std::thread([this] { verifier_->run(); });
}

void AccessControl::stop() {
    if (!thread_.joinable()) return;
    verifier_->stop();
    thread_.join();
}

}  // namespace sluice::gateway
