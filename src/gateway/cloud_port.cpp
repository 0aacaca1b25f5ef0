#include "gateway/cloud_port.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace sluice::gateway {
namespace {

constexpr std::chrono::seconds kReportEvery{60};  // while nothing but the same failure happens

/// A reason code of MQTT has eight bits, a status of HTTP three digits.
std::string code_of(std::uint16_t refusal) {
    constexpr std::uint16_t kHttp = 0x100;
    return refusal < kHttp ? fmt::format("reason code 0x{:02x}", refusal) : fmt::format("status {}", refusal);
}

/// What is wrong with the cloud, and what to do about it.
std::string words(const uplink::Stats& stats, const std::string& failure) {
    const std::string more = failure.empty() ? std::string() : fmt::format(" ({})", failure);
    switch (stats.trouble) {
        case uplink::Trouble::no_answer:
            return "takes connections and does not answer" + more;
        case uplink::Trouble::refused:
            return fmt::format("refuses us: {}{}; check who we say that we are, there and here", code_of(stats.refusal), more);
        case uplink::Trouble::stalled:
            return "acknowledges nothing any more" + more;
        case uplink::Trouble::not_taken:
            return fmt::format("does not take an event: {}{}", code_of(stats.refusal), more);
        case uplink::Trouble::closed:
            return "has ended the connection" + more;
        default:
            return "cannot be reached" + more;
    }
}

}  // namespace

CloudPort::CloudPort(Options options, posix::EventLoop& loop, spool::Spool& spool, uplink::StatusSource& status, env::Entropy& entropy)
    : id_(std::move(options.id)),
      url_(std::move(options.url)),
      title_(is_main() ? "uplink" : "uplink " + id_),
      source_(spool, is_main() ? std::string_view() : std::string_view(id_)),
      link_(options.connect(loop)),
      uplink_(std::make_unique<uplink::Uplink>(std::move(options.uplink), std::move(options.dialect), link_->carrier(), source_, status,
                                               entropy)) {
    link_->attach();
}

bool CloudPort::on_turn(base::Monotonic now) {
    link_->on_turn(now);
    bool news = link_->take_news();
    if (const auto due = uplink_->next_deadline(); due && *due <= now) {
        uplink_->on_tick(now);
        news = true;
    }
    report(now);
    return news;
}

std::optional<base::Monotonic> CloudPort::next_deadline() const {
    auto out = uplink_->next_deadline();
    if (const auto due = link_->next_deadline()) out = out ? std::min(*out, *due) : *due;
    return out;
}

void CloudPort::stop(base::Monotonic now) {
    stopping_ = true;
    link_->say_goodbye();
    uplink_->stop(now);
}

/// Says in the log what became of the link: each change at once, the same trouble once a minute.
void CloudPort::report(base::Monotonic now) {
    const uplink::Stats& stats = uplink_->stats();
    if (stats.connected) {
        if (!std::exchange(up_, true)) spdlog::info("{}: connected to {} with {}", title_, url_, link_->carrier().protocol());
        trouble_ = uplink::Trouble::none;
        failures_ = stats.failures;
        return;
    }
    if (stopping_ || stats.failures == failures_) return;
    if (stats.trouble == trouble_ && now - reported_at_ < kReportEvery) return;
    up_ = false;
    trouble_ = stats.trouble;
    failures_ = stats.failures;
    reported_at_ = now;
    spdlog::warn("{}: {} {}; trying again, events wait in the spool", title_, url_, words(stats, link_->failure()));
}

}  // namespace sluice::gateway
