#include "gateway/verifier.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.hpp"
#include "manage/identity/aead.hpp"
#include "manage/identity/password.hpp"

namespace sluice::gateway {
namespace {

constexpr int kNice = 10;  // a tenth of a core that the shards want all of
constexpr std::chrono::seconds kReportEvery{60};

identity::Secret fresh_secret(env::Entropy& entropy) {
    identity::Secret secret;
    entropy.fill(secret.writable());
    return secret;
}

std::uint64_t fresh_seed(env::Entropy& entropy) {
    base::Byte bytes[8];
    entropy.fill(bytes);
    return base::load_le<std::uint64_t>(bytes);
}

AccessRules::User hash_of_nobody() {
    phc::Argon2id hash{.cost = identity::kPasswordCost, .salt = base::Bytes(16), .tag = base::Bytes(32)};
    return {hash, phc::format(hash), true};
}

void append_part(base::Bytes& out, base::ByteView part) {
    base::append_le<std::uint32_t>(out, static_cast<std::uint32_t>(part.size()));
    base::append(out, part);
}

}  // namespace

Verifier::Verifier(const env::Clock& clock, env::Entropy& entropy, const access::DeskLimits& limits, SignInGauges& gauges)
    : clock_(clock),
      loop_(clock, std::chrono::microseconds(0)),
      gauges_(gauges),
      digest_key_(fresh_secret(entropy)),
      seed_(fresh_seed(entropy)),
      desk_(limits, seed_),
      nobody_(hash_of_nobody()) {
    loop_.add_task(*this);
    reported_at_ = clock.now();
}

void Verifier::wire(std::vector<Link> shards, posix::Mailbox<std::shared_ptr<const AccessRules>>& rules) {
    shards_ = std::move(shards);
    answers_.resize(shards_.size());
    new_rules_ = &rules;
}

void Verifier::run() {
    // Of this thread alone (Linux keeps the value a thread). Where it is refused only latency under load suffers.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    loop_.run();
}

void Verifier::use(std::shared_ptr<const AccessRules> rules) {
    rules_ = std::move(rules);
    decoys_.clear();
    if (rules_ == nullptr) return;
    std::vector<std::pair<std::string_view, const AccessRules::User*>> by_name;
    for (const auto& [name, user] : rules_->users) by_name.emplace_back(name, &user);
    std::sort(by_name.begin(), by_name.end());
    for (const auto& [name, user] : by_name) decoys_.push_back(user);
}

Verifier::Target Verifier::target_of(const std::string& name) const {
    if (const auto* user = rules_ == nullptr ? nullptr : rules_->user(name)) return {user, !user->disabled};
    if (decoys_.empty()) return {&nobody_, false};
    return {decoys_[base::hash64(name, seed_) % decoys_.size()], false};
}

/// A digest of who cannot sign in is never one of who can: a user who was disabled is not remembered.
access::CredentialDigest Verifier::digest_of(const access::SignIn& sign_in, const Target& target) const {
    base::Bytes bytes;
    bytes.reserve(64 + sign_in.user.size() + sign_in.password.view().size() + target.user->text.size());  // no copy of it is left behind
    bytes.push_back(target.counts ? 1 : 0);
    append_part(bytes, base::as_bytes(sign_in.user));
    append_part(bytes, base::as_bytes(target.user->text));
    append_part(bytes, sign_in.password.view());
    const auto digest = identity::keyed_hash(digest_key_, bytes);
    ::explicit_bzero(bytes.data(), bytes.size());
    return digest;
}

void Verifier::on_turn(base::Monotonic now) {
    for (std::shared_ptr<const AccessRules> rules; new_rules_->pop(rules);) use(std::move(rules));
    take_mail(now);
    send_answers();  // before the hash: who needs none does not wait for one
    if (desk_.waiting()) hash_one(now);
    send_answers();
    report(now);
}

void Verifier::take_mail(base::Monotonic now) {
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        for (access::SignIn sign_in; shards_[shard].from->pop(sign_in);) {
            sign_in.shard = static_cast<std::uint16_t>(shard);
            sign_in.came = now;
            sign_in.digest = digest_of(sign_in, target_of(sign_in.user));
            if (const auto at_once = desk_.take(sign_in, now)) answer(sign_in, *at_once);
        }
    }
}

void Verifier::hash_one(base::Monotonic now) {
    early_.clear();
    auto sign_in = desk_.next(now, early_);
    for (const auto& one : early_) answer(one.sign_in, one.answer);
    early_.clear();
    if (!sign_in) return;
    const Target target = target_of(sign_in->user);
    sign_in->digest = digest_of(*sign_in, target);  // the users may have changed while it waited
    const bool same = identity::is_password(target.user->hash, sign_in->password.view());
    answer(*sign_in, desk_.done(*sign_in, same && target.counts, clock_.now()));
}

void Verifier::answer(const access::SignIn& sign_in, access::SignInAnswer answer) {
    SignInReply reply{.connection = sign_in.connection, .answer = answer};
    if (answer == access::SignInAnswer::welcome) {
        reply.user = sign_in.user;
        reply.hash = target_of(sign_in.user).user->text;
    }
    answers_[sign_in.shard].push_back(std::move(reply));
}

void Verifier::send_answers() {
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        auto& answers = answers_[shard];
        while (!answers.empty() && shards_[shard].to->push(std::move(answers.front()))) answers.pop_front();
    }
    const auto& counters = desk_.counters();
    gauges_.verified.store(counters.verified, std::memory_order_relaxed);
    gauges_.remembered.store(counters.remembered, std::memory_order_relaxed);
    gauges_.wrong.store(counters.wrong, std::memory_order_relaxed);
    gauges_.paused.store(counters.paused, std::memory_order_relaxed);
    gauges_.busy.store(counters.busy, std::memory_order_relaxed);
    gauges_.waiting.store(counters.waiting, std::memory_order_relaxed);
}

/// One line a minute, however many guess.
void Verifier::report(base::Monotonic now) {
    const auto& counters = desk_.counters();
    if (counters.wrong == reported_wrong_ && counters.paused == reported_paused_) return;
    if (now - reported_at_ < kReportEvery && reported_wrong_ != 0) return;
    spdlog::warn("sign-ins: {} with a wrong user or password, {} more not looked at because of too many failures",
                 counters.wrong - reported_wrong_, counters.paused - reported_paused_);
    reported_wrong_ = counters.wrong;
    reported_paused_ = counters.paused;
    reported_at_ = now;
}

std::optional<base::Monotonic> Verifier::next_deadline() const {
    const bool mail = std::any_of(shards_.begin(), shards_.end(), [](const Link& link) { return !link.from->empty(); });
    if (mail || !new_rules_->empty() || desk_.waiting()) return loop_.now();
    // A full mailbox does not ring when it has room again.
    const bool left = std::any_of(answers_.begin(), answers_.end(), [](const auto& answers) { return !answers.empty(); });
    if (left) return loop_.now() + std::chrono::milliseconds(1);
    return std::nullopt;
}

}  // namespace sluice::gateway
