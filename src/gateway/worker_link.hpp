// A cloud that is spoken to by a library with calls that may wait: its worker has a thread of its own, and what that tells becomes what the
// uplink hears.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "env/posix/event_loop.hpp"
#include "flow/uplink/carrier.hpp"
#include "gateway/cloud_connection.hpp"

namespace sluice::gateway {

/// On the loop's thread. `Worker`: connect(generation), post(…), close(), take_news(), has_news(), idle(); its News bear the generation
/// that connect() was given. `Key` names a message between the two.
template <class Worker, class News, class Key>
class WorkerLink : public CloudConnection, protected uplink::Carrier {
public:
    [[nodiscard]] uplink::Carrier& carrier() final { return *this; }
    void attach() final {}
    void on_turn(base::Monotonic now) final {
        bool told = false;
        for (News& each : worker_.take_news()) {
            if (each.generation != generation_ || !open_ || saying_goodbye_) continue;
            if (!each.text.empty()) failure_ = std::move(each.text);
            take(std::move(each), now);
            told = true;
        }
        if (!told) return;
        news_ = true;
        listener_->settle(now);
    }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const final {
        return worker_.has_news() ? std::optional(loop_.now()) : std::nullopt;
    }
    void say_goodbye() final { saying_goodbye_ = true; }
    [[nodiscard]] bool is_closed() const final { return !open_ && worker_.idle(); }
    [[nodiscard]] const std::string& failure() const final { return failure_; }
    [[nodiscard]] bool take_news() final { return std::exchange(news_, false); }

protected:
    template <class Options>
    WorkerLink(const Options& options, posix::EventLoop& loop) : loop_(loop), in_flight_max_(options.in_flight), worker_(options, loop) {}

    /// Its text is in failure() already.
    virtual void take(News news, base::Monotonic now) = 0;
    virtual void opening() {}

    /// A message that the worker is about to get; without a key of its own its ticket is that.
    uplink::Ticket expect(Key key) {
        on_their_way_[std::move(key)] = ++last_;
        return last_;
    }
    uplink::Ticket expect() { return expect(last_ + 1); }
    /// It has been answered; nullopt: it was so before.
    template <class K>
    std::optional<uplink::Ticket> answered(const K& key) {
        const auto found = on_their_way_.find(key);
        if (found == on_their_way_.end()) return std::nullopt;
        const uplink::Ticket ticket = found->second;
        on_their_way_.erase(found);
        return ticket;
    }
    [[nodiscard]] uplink::CarrierListener& listener() { return *listener_; }
    [[nodiscard]] Worker& worker() { return worker_; }
    [[nodiscard]] const Worker& worker() const { return worker_; }
    void forget_failure() { failure_.clear(); }

    // uplink::Carrier
    [[nodiscard]] std::size_t window_free() const final { return in_flight_max_ - std::min(in_flight_max_, on_their_way_.size()); }

private:
    void join(uplink::CarrierListener& listener) final { listener_ = &listener; }
    void open(base::Monotonic) final {
        open_ = true;
        failure_.clear();
        opening();
        worker_.connect(++generation_);
    }
    void close(bool) final {
        on_their_way_.clear();
        if (std::exchange(open_, false)) worker_.close();
    }
    void farewell() final {}
    void flush() final {}
    void on_tick(base::Monotonic) final {}

    posix::EventLoop& loop_;
    uplink::CarrierListener* listener_ = nullptr;
    std::size_t in_flight_max_;
    std::map<Key, uplink::Ticket, std::less<>> on_their_way_;
    std::uint64_t generation_ = 0;
    uplink::Ticket last_ = 0;
    std::string failure_;
    bool open_ = false;
    bool saying_goodbye_ = false;
    bool news_ = false;
    Worker worker_;
};

}  // namespace sluice::gateway
