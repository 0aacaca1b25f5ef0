#include "gateway/cloud_port.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "flow/uplink/trial.hpp"

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
    report_too_large(now);
    report_standing();
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

void CloudPort::report_too_large(base::Monotonic now) {
    const uplink::Stats& stats = uplink_->stats();
    if (stats.too_large == too_large_) return;
    if (too_large_at_ != base::Monotonic() && now - too_large_at_ < kReportEvery) return;
    const uplink::HardEvent& last = stats.last_too_large;
    const std::string takes = last.size.bytes_max == 0 ? "more than it takes" : fmt::format("it takes {}", last.size.bytes_max);
    const std::string more =
        stats.too_large - too_large_ == 1 ? std::string() : fmt::format(", and {} more", stats.too_large - too_large_ - 1);
    spdlog::error("{}: event {} of class {} is too large for {}: its message has {} bytes, {}; it is dropped and told as a gap{}", title_,
                  last.sequence.value(), last.class_name, url_, last.size.bytes, takes, more);
    too_large_ = stats.too_large;
    too_large_at_ = now;
}

/// A class that stands is told once: it begins and ends with the same event.
void CloudPort::report_standing() {
    const auto& standing = uplink_->stats().standing;
    const auto is_among = [](const std::vector<uplink::HardEvent>& list, const uplink::HardEvent& event) {
        return std::any_of(list.begin(), list.end(),
                           [&event](const auto& each) { return each.class_name == event.class_name && each.sequence == event.sequence; });
    };
    for (const auto& each : standing) {
        if (!is_among(standing_, each))
            spdlog::error(
                "{}: class {} stands: {} ends the connection whenever it gets event {} ({} bytes), and takes others; it is kept, and tried "
                "again every {} minutes. May a message be so large there, and its topic be written to?",
                title_, each.class_name, url_, each.sequence.value(), each.size.bytes, uplink::Trial::kStand.count());
    }
    for (const auto& each : standing_) {
        if (!is_among(standing, each)) spdlog::info("{}: class {} goes on", title_, each.class_name);
    }
    standing_ = standing;
}

}  // namespace sluice::gateway
