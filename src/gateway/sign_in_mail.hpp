// What the shards and the thread that hashes passwords send each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gateway/access_rules.hpp"
#include "manage/access/sign_in_desk.hpp"

namespace sluice::posix {
template <class T>
class Mailbox;
}

namespace sluice::gateway {

struct SignInReply {
    std::uint64_t connection = 0;
    access::SignInAnswer answer = access::SignInAnswer::busy;
    std::string user{};
    std::string hash{};  ///< welcome: the stored hash that the password was right for
};

/// What a shard is told about access: the rules, and where sign-ins go and answers come from. Without rules everybody may do everything.
struct ShardAccess {
    std::shared_ptr<const AccessRules> rules;
    posix::Mailbox<access::SignIn>* to_verifier = nullptr;
    posix::Mailbox<SignInReply>* from_verifier = nullptr;
};

/// Written by the verifier once a turn, read by anybody: access::DeskCounters.
struct SignInGauges {
    std::atomic<std::uint64_t> verified{0}, remembered{0}, wrong{0}, paused{0}, busy{0}, waiting{0};
};

}  // namespace sluice::gateway
