#include "gateway/kafka/kafka_link.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "gateway/kafka/kafka_worker.hpp"

namespace sluice::gateway {
namespace {

using uplink::Ticket;
using Kind = KafkaNews::Kind;

class KafkaLink final : public CloudConnection, private uplink::Carrier {
public:
    KafkaLink(const KafkaOptions& options, posix::EventLoop& loop)
        : loop_(loop), in_flight_max_(options.in_flight), worker_(options, loop) {}

    [[nodiscard]] uplink::Carrier& carrier() override { return *this; }
    void attach() override {}
    void on_turn(base::Monotonic now) override {
        bool told = false;
        for (auto& each : worker_.take_news()) {
            if (each.generation != generation_ || !open_ || saying_goodbye_) continue;
            take(std::move(each), now);
            told = true;
        }
        if (!told) return;
        news_ = true;
        listener_->settle(now);
    }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override {
        return worker_.has_news() ? std::optional(loop_.now()) : std::nullopt;
    }
    void say_goodbye() override { saying_goodbye_ = true; }
    [[nodiscard]] bool is_closed() const override { return !open_ && worker_.idle(); }
    [[nodiscard]] const std::string& failure() const override { return failure_; }
    [[nodiscard]] bool take_news() override { return std::exchange(news_, false); }

private:
    // uplink::Carrier
    void join(uplink::CarrierListener& listener) override { listener_ = &listener; }
    void open(base::Monotonic) override {
        open_ = true;
        failure_.clear();
        worker_.connect(++generation_);
    }
    void close(bool) override {
        on_their_way_.clear();
        if (std::exchange(open_, false)) worker_.close();
    }
    void farewell() override {}
    [[nodiscard]] bool reached() const override { return worker_.reached(); }
    [[nodiscard]] std::size_t window_free() const override {
        return in_flight_max_ - std::min<std::size_t>(in_flight_max_, on_their_way_.size());
    }
    base::Result<Ticket> send(const uplink::Outgoing& message, base::Monotonic) override {
        if (window_free() == 0) return base::Error{base::Errc::limit};
        KafkaPosting posting{.ticket = ++last_,
                             .topic = std::string(message.topic),
                             .key = std::string(message.key),
                             .payload = base::Bytes(message.payload.begin(), message.payload.end()),
                             .headers = {}};
        posting.headers.emplace_back("Sluice-id", message.id);
        for (const auto& [name, value] : message.headers) posting.headers.emplace_back("Sluice-" + std::string(name), value);
        on_their_way_.insert(last_);
        worker_.post(std::move(posting));
        return last_;
    }
    void flush() override {}
    void on_tick(base::Monotonic) override {}
    [[nodiscard]] std::uint64_t bytes_up() const override { return worker_.bytes_up(); }
    [[nodiscard]] std::uint64_t bytes_down() const override { return worker_.bytes_down(); }
    [[nodiscard]] std::string_view protocol() const override { return "Kafka"; }

    void take(KafkaNews news, base::Monotonic now) {
        if (!news.text.empty()) failure_ = std::move(news.text);
        switch (news.kind) {
            case Kind::ready:
                failure_.clear();
                return listener_->on_ready(now);
            case Kind::over:
                return listener_->on_over({.trouble = news.trouble, .refusal = news.code});
            case Kind::taken:
                if (on_their_way_.erase(news.ticket) != 0) listener_->on_taken(news.ticket, now);
                return;
            case Kind::not_taken:
                if (on_their_way_.erase(news.ticket) != 0) listener_->on_refused(news.ticket, news.code.value_or(0), news.refusal);
                return;
            case Kind::note:
                return;
        }
    }

    posix::EventLoop& loop_;
    uplink::CarrierListener* listener_ = nullptr;
    std::size_t in_flight_max_;
    std::set<Ticket> on_their_way_;
    std::uint64_t generation_ = 0;
    Ticket last_ = 0;
    std::string failure_;
    bool open_ = false;
    bool saying_goodbye_ = false;
    bool news_ = false;
    KafkaWorker worker_;
};

}  // namespace

CloudConnector make_kafka_connector(KafkaOptions options) {
    return [options = std::move(options)](posix::EventLoop& loop) { return std::make_unique<KafkaLink>(options, loop); };
}

}  // namespace sluice::gateway
