// All calls of librdkafka, on a thread of their own: it connects, asks and closes with calls that may wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "env/posix/event_loop.hpp"
#include "flow/uplink/carrier.hpp"
#include "gateway/kafka/options.hpp"

struct rd_kafka_s;
struct rd_kafka_queue_s;
struct rd_kafka_op_s;
struct rd_kafka_conf_s;

namespace sluice::gateway {

/// What the worker tells the loop.
struct KafkaNews {
    enum class Kind : std::uint8_t {
        ready,      ///< brokers and topics have answered
        over,       ///< the connection has ended, or never was
        taken,      ///< the brokers have the message
        not_taken,  ///< they refused it
        note,       ///< something went wrong that may mend: `text` alone
    } kind;
    uplink::Trouble trouble = uplink::Trouble::none;
    std::optional<std::uint16_t> code{};
    uplink::Refusal refusal = uplink::Refusal::other;
    uplink::Ticket ticket = 0;
    std::string text{};
    std::uint64_t generation = 0;
};

struct KafkaPosting {
    uplink::Ticket ticket = 0;
    std::string topic;
    std::string key;
    base::Bytes payload;
    std::vector<std::pair<std::string, std::string>> headers;
};

class KafkaWorker {
public:
    KafkaWorker(KafkaOptions options, posix::EventLoop& loop);
    ~KafkaWorker();
    KafkaWorker(const KafkaWorker&) = delete;
    KafkaWorker& operator=(const KafkaWorker&) = delete;

    // Of the loop. Each connection has a producer of its own; its news bear the generation that connect() was given.
    void connect(std::uint64_t generation) { order(Connect{generation}); }
    void post(KafkaPosting posting) { order(std::move(posting)); }
    void close() { order(Close{}); }
    [[nodiscard]] std::vector<KafkaNews> take_news();
    [[nodiscard]] bool has_news() const;
    /// Everything that was ordered has been done.
    [[nodiscard]] bool idle() const;
    /// Somebody has taken the connection that is being made.
    [[nodiscard]] bool reached() const { return reached_.load(std::memory_order_relaxed); }
    /// As the sockets had them, of all connections.
    [[nodiscard]] std::uint64_t bytes_up() const { return bytes_up_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t bytes_down() const { return bytes_down_.load(std::memory_order_relaxed); }

private:
    struct Connect {
        std::uint64_t generation;
    };
    struct Close {};
    using Order = std::variant<Connect, KafkaPosting, Close>;
    /// The messages of one topic and key: what has to stay in order.
    struct Lane {
        bool begun = false;
        bool proven = false;            ///< the brokers have its first message
        std::deque<KafkaPosting> held;  ///< until then
    };
    /// A message that the library has.
    struct OnItsWay {
        uplink::Ticket ticket;
        Lane& lane;
    };
    struct ProducerEnd {
        void operator()(rd_kafka_s* producer) const;
    };
    struct QueueEnd {
        void operator()(rd_kafka_queue_s* queue) const;
    };
    /// What librdkafka's threads call.
    struct Listening;

    void order(Order order);
    void tell(std::vector<KafkaNews> news);
    void tell(KafkaNews news);
    void run();
    void carry_out(const Connect& connect);
    void carry_out(KafkaPosting& posting);
    void produce(const KafkaPosting& posting, Lane& lane);
    void prove(Lane& lane);
    void carry_out(const Close&) { disconnect(); }

    [[nodiscard]] std::string create();
    /// False: the news have been told, or nobody wants to know any more.
    [[nodiscard]] bool meet_brokers(base::Monotonic until);
    [[nodiscard]] bool meet_topics(base::Monotonic until);
    [[nodiscard]] std::optional<int> meet_topic(const std::string& name, base::Monotonic until);
    void refuse(int error, const std::string& topic);
    [[nodiscard]] bool interrupted() const;
    void end_of_waiting(bool reached);
    void disconnect();

    /// Takes what the library has to tell. True: the connection is over.
    bool hear();
    void hear_reports(rd_kafka_op_s* event, std::vector<KafkaNews>& out);
    void hear_error(rd_kafka_op_s* event, std::vector<KafkaNews>& out);
    struct Failed {
        uplink::Ticket ticket = 0;  ///< 0: no message
        std::size_t bytes = 0;      ///< of its payload
    };
    [[nodiscard]] KafkaNews not_taken(Failed message, int error, std::string_view more);
    [[nodiscard]] uplink::Refusal too_large(std::size_t bytes);

    const KafkaOptions options_;
    posix::EventLoop& loop_;
    // Of the thread
    std::size_t batch_bytes_max_;
    std::unique_ptr<rd_kafka_s, ProducerEnd> producer_;
    std::unique_ptr<rd_kafka_queue_s, QueueEnd> queue_;  // ends before its producer
    std::map<std::string, Lane, std::less<>> lanes_;
    std::map<uplink::Ticket, OnItsWay> on_their_way_;  // the library holds pointers to them
    std::string last_words_;                           // of what went wrong in this connection
    bool ready_ = false;
    bool over_ = false;  // nothing may be stored behind a message that was not
    // Of the library's threads too
    std::atomic<bool> reached_{false};
    std::atomic<std::uint64_t> bytes_up_{0};
    std::atomic<std::uint64_t> bytes_down_{0};
    // Of all
    mutable std::mutex lock_;
    std::condition_variable wake_;
    std::deque<Order> orders_;
    std::vector<KafkaNews> news_;
    std::uint64_t generation_ = 0;
    bool heard_ = false;  // the library has something to tell
    bool busy_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sluice::gateway
