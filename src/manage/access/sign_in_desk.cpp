#include "manage/access/sign_in_desk.hpp"

#include <algorithm>

namespace sluice::access {

std::uint64_t RememberedCredentials::key_of(const CredentialDigest& digest) { return base::load_le<std::uint64_t>(digest.data()); }

bool RememberedCredentials::contains(const CredentialDigest& digest) const {
    const auto found = by_key_.find(key_of(digest));
    if (found == by_key_.end()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < digest.size(); ++i) difference |= static_cast<unsigned>(ring_[found->second][i] ^ digest[i]);
    return difference == 0;
}

void RememberedCredentials::insert(const CredentialDigest& digest) {
    if (limit_ == 0 || contains(digest)) return;
    if (ring_.size() < limit_) {
        ring_.push_back(digest);
        by_key_[key_of(digest)] = static_cast<std::uint32_t>(ring_.size() - 1);
        return;
    }
    const auto oldest = by_key_.find(key_of(ring_[next_]));
    if (oldest != by_key_.end() && oldest->second == next_) by_key_.erase(oldest);
    ring_[next_] = digest;
    by_key_[key_of(digest)] = static_cast<std::uint32_t>(next_);
    next_ = (next_ + 1) % limit_;
}

std::optional<SignInAnswer> SignInDesk::without_hash(const SignIn& sign_in, base::Monotonic now) {
    if (back_off_.pause(sign_in.address, sign_in.user, now).count() != 0) {
        ++counters_.paused;
        return SignInAnswer::pause;
    }
    if (!known_.contains(sign_in.digest)) return std::nullopt;
    ++counters_.remembered;
    return SignInAnswer::welcome;
}

std::optional<SignInAnswer> SignInDesk::take(SignIn& sign_in, base::Monotonic now) {
    if (const auto answer = without_hash(sign_in, now)) return answer;
    std::uint32_t& of_address = waiting_of_[sign_in.address];
    if (queue_.size() >= limits_.waiting_max || of_address >= limits_.waiting_of_address_max) {
        if (of_address == 0) waiting_of_.erase(sign_in.address);
        ++counters_.busy;
        return SignInAnswer::busy;
    }
    ++of_address;
    queue_.push_back(std::move(sign_in));
    counters_.waiting = queue_.size();
    return std::nullopt;
}

std::optional<SignIn> SignInDesk::next(base::Monotonic now, std::vector<Answered>& answered) {
    while (!queue_.empty()) {
        SignIn sign_in = std::move(queue_.front());
        queue_.pop_front();
        counters_.waiting = queue_.size();
        const auto of_address = waiting_of_.find(sign_in.address);
        if (--of_address->second == 0) waiting_of_.erase(of_address);
        // Others of the same client may have been hashed since it came: what they showed counts.
        auto answer = without_hash(sign_in, now);
        if (!answer && now - sign_in.came > limits_.wait_max) {
            ++counters_.busy;
            answer = SignInAnswer::busy;
        }
        if (!answer) return sign_in;
        answered.push_back({std::move(sign_in), *answer});
    }
    return std::nullopt;
}

SignInAnswer SignInDesk::done(const SignIn& sign_in, bool right, base::Monotonic now) {
    if (!right) {
        ++counters_.wrong;
        back_off_.failed(sign_in.address, sign_in.user, now);
        return SignInAnswer::wrong;
    }
    ++counters_.verified;
    back_off_.succeeded(sign_in.address, sign_in.user);
    known_.insert(sign_in.digest);
    return SignInAnswer::welcome;
}

}  // namespace sluice::access
