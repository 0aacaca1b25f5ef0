#include "gateway/kafka/kafka_link.hpp"

#include <memory>
#include <utility>

#include "gateway/kafka/kafka_worker.hpp"
#include "gateway/worker_link.hpp"

namespace sluice::gateway {
namespace {

using uplink::Ticket;
using Kind = KafkaNews::Kind;

class KafkaLink final : public WorkerLink<KafkaWorker, KafkaNews, Ticket> {
public:
    KafkaLink(const KafkaOptions& options, posix::EventLoop& loop) : WorkerLink(options, loop) {}

private:
    // uplink::Carrier
    [[nodiscard]] bool reached() const override { return worker().reached(); }
    base::Result<Ticket> send(const uplink::Outgoing& message, base::Monotonic) override {
        if (window_free() == 0) return base::Error{base::Errc::limit};
        const Ticket ticket = expect();
        KafkaPosting posting{.ticket = ticket,
                             .topic = std::string(message.topic),
                             .key = std::string(message.key),
                             .payload = base::Bytes(message.payload.begin(), message.payload.end()),
                             .headers = {}};
        posting.headers.emplace_back("Sluice-id", message.id);
        for (const auto& [name, value] : message.headers) posting.headers.emplace_back("Sluice-" + std::string(name), value);
        worker().post(std::move(posting));
        return ticket;
    }
    [[nodiscard]] std::uint64_t bytes_up() const override { return worker().bytes_up(); }
    [[nodiscard]] std::uint64_t bytes_down() const override { return worker().bytes_down(); }
    [[nodiscard]] std::string_view protocol() const override { return "Kafka"; }

    // WorkerLink
    void take(KafkaNews news, base::Monotonic now) override {
        switch (news.kind) {
            case Kind::ready:
                forget_failure();
                return listener().on_ready(now);
            case Kind::over:
                return listener().on_over({.trouble = news.trouble, .refusal = news.code});
            case Kind::taken:
                if (answered(news.ticket)) listener().on_taken(news.ticket, now);
                return;
            case Kind::not_taken:
                if (answered(news.ticket)) listener().on_refused(news.ticket, news.code.value_or(0), news.refusal);
                return;
            case Kind::note:
                return;
        }
    }
};

}  // namespace

CloudConnector make_kafka_connector(KafkaOptions options) {
    return [options = std::move(options)](posix::EventLoop& loop) { return std::make_unique<KafkaLink>(options, loop); };
}

}  // namespace sluice::gateway
