#include "gateway/kafka/kafka_worker.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include "gateway/kafka/properties.hpp"
#include "gateway/kafka/verdict.hpp"

namespace sluice::gateway {
namespace {

using uplink::Ticket;
using uplink::Trouble;
using Kind = KafkaNews::Kind;

/// For brokers and topics to answer: below the uplink's connect_timeout of 10 s, so that the trouble gets its name.
constexpr std::chrono::milliseconds kConnectMax{9'000};
/// A question waits so long before it looks whether somebody wants to close; longer where the line is slow.
constexpr std::chrono::milliseconds kSliceMin{250};
constexpr std::chrono::milliseconds kSliceMax{3'000};
/// For one topic: brokers that make topics need a moment.
constexpr std::chrono::milliseconds kTopicMax{5'000};
/// Between two questions for a topic that is not there yet.
constexpr std::chrono::milliseconds kTopicPause{200};
constexpr const char* kName = "sluice";
constexpr std::size_t kBatchBytesMin = 1024;

template <auto Destroy>
struct Destroyer {
    template <class T>
    void operator()(T* object) const {
        Destroy(object);
    }
};
using EventPtr = std::unique_ptr<rd_kafka_event_t, Destroyer<rd_kafka_event_destroy>>;
using TopicPtr = std::unique_ptr<rd_kafka_topic_t, Destroyer<rd_kafka_topic_destroy>>;
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, Destroyer<rd_kafka_conf_destroy>>;
using ErrorPtr = std::unique_ptr<rd_kafka_error_t, Destroyer<rd_kafka_error_destroy>>;
using MetadataPtr = std::unique_ptr<const rd_kafka_metadata_t, Destroyer<rd_kafka_metadata_destroy>>;

rd_kafka_vu_t field(rd_kafka_vtype_t type) {
    rd_kafka_vu_t out{};
    out.vtype = type;
    return out;
}

/// At least one of its partitions has a leader.
bool has_leader(const rd_kafka_metadata_topic_t& topic) {
    return std::any_of(topic.partitions, topic.partitions + topic.partition_cnt, [](const auto& each) { return each.leader >= 0; });
}

}  // namespace

struct KafkaWorker::Listening {
    static void on_queue(rd_kafka_t*, void* self) {
        auto* worker = static_cast<KafkaWorker*>(self);
        {
            const std::lock_guard guard(worker->lock_);
            worker->heard_ = true;
        }
        worker->wake_.notify_one();
    }
    static rd_kafka_resp_err_t on_new(rd_kafka_t* producer, const rd_kafka_conf_t*, void* self, char*, std::size_t) {
        rd_kafka_interceptor_add_on_request_sent(producer, kName, &on_request, self);
        rd_kafka_interceptor_add_on_response_received(producer, kName, &on_response, self);
        rd_kafka_interceptor_add_on_broker_state_change(producer, kName, &on_state, self);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    static rd_kafka_resp_err_t on_request(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t, std::int16_t, std::int32_t,
                                          std::size_t size, void* self) {
        static_cast<KafkaWorker*>(self)->bytes_up_.fetch_add(size, std::memory_order_relaxed);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    static rd_kafka_resp_err_t on_response(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t, std::int16_t, std::int32_t,
                                           std::size_t size, std::int64_t, rd_kafka_resp_err_t, void* self) {
        static_cast<KafkaWorker*>(self)->bytes_down_.fetch_add(size, std::memory_order_relaxed);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    static rd_kafka_resp_err_t on_state(rd_kafka_t*, std::int32_t, const char*, const char*, int, const char* state, void* self) {
        if (is_kafka_state_connected(state)) static_cast<KafkaWorker*>(self)->reached_.store(true, std::memory_order_relaxed);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
};

// Waits for the library's threads, which end at once but for a name that is being looked up.
void KafkaWorker::ProducerEnd::operator()(rd_kafka_s* producer) const { rd_kafka_destroy(producer); }
void KafkaWorker::QueueEnd::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }

KafkaWorker::KafkaWorker(KafkaOptions options, posix::EventLoop& loop)
    : options_(std::move(options)), loop_(loop), batch_bytes_max_(options_.batch_bytes_max), thread_([this] { run(); }) {}

KafkaWorker::~KafkaWorker() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

// ---- orders and news

void KafkaWorker::order(Order order) {
    {
        const std::lock_guard guard(lock_);
        orders_.push_back(std::move(order));
    }
    wake_.notify_one();
}

void KafkaWorker::tell(std::vector<KafkaNews> news) {
    if (news.empty()) return;
    {
        const std::lock_guard guard(lock_);
        for (auto& each : news) {
            each.generation = generation_;
            news_.push_back(std::move(each));
        }
    }
    loop_.wake();
}

void KafkaWorker::tell(KafkaNews news) {
    if (news.kind == Kind::over) over_ = true;
    std::vector<KafkaNews> one;
    one.push_back(std::move(news));
    tell(std::move(one));
}

std::vector<KafkaNews> KafkaWorker::take_news() {
    const std::lock_guard guard(lock_);
    return std::exchange(news_, {});
}

bool KafkaWorker::has_news() const {
    const std::lock_guard guard(lock_);
    return !news_.empty();
}

bool KafkaWorker::idle() const {
    const std::lock_guard guard(lock_);
    return orders_.empty() && !busy_;
}

/// What is being done has been overtaken.
bool KafkaWorker::interrupted() const {
    const std::lock_guard guard(lock_);
    return stopping_ || !orders_.empty();
}

void KafkaWorker::run() {
    std::unique_lock lock(lock_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || heard_ || !orders_.empty(); });
        if (stopping_) break;
        if (std::exchange(heard_, false)) {
            lock.unlock();
            hear();
            lock.lock();
        }
        if (orders_.empty()) continue;
        busy_ = true;
        Order order = std::move(orders_.front());
        orders_.pop_front();
        if (const auto* connect = std::get_if<Connect>(&order)) generation_ = connect->generation;
        lock.unlock();
        std::visit([this](auto& each) { carry_out(each); }, order);
        lock.lock();
        busy_ = false;
        if (!orders_.empty()) continue;
        lock.unlock();
        loop_.wake();  // it may wait for idle()
        lock.lock();
    }
    lock.unlock();
    disconnect();
}

// ---- connections

void KafkaWorker::carry_out(const Connect&) {
    disconnect();
    const auto until = loop_.clock().now() + kConnectMax;
    if (std::string problem = create(); !problem.empty())
        return tell({.kind = Kind::over, .trouble = Trouble::unreachable, .text = std::move(problem)});
    if (!meet_brokers(until) || !meet_topics(until) || hear()) return;
    ready_ = true;
    tell({.kind = Kind::ready});
}

/// Empty: there is a producer; else what is wrong with its options.
std::string KafkaWorker::create() {
    std::array<char, 512> words{};
    ConfPtr conf(rd_kafka_conf_new());
    for (const auto& [name, value] : kafka_properties(options_, batch_bytes_max_)) {
        if (rd_kafka_conf_set(conf.get(), std::string(name).c_str(), value.c_str(), words.data(), words.size()) != RD_KAFKA_CONF_OK)
            return words.data();
    }
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);  // what it would print comes as an event
    rd_kafka_conf_interceptor_add_on_new(conf.get(), kName, &Listening::on_new, this);
    rd_kafka_t* made = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), words.data(), words.size());
    if (made == nullptr) return words.data();
    static_cast<void>(conf.release());  // the producer's
    producer_.reset(made);
    queue_.reset(rd_kafka_queue_get_main(made));
    rd_kafka_queue_cb_event_enable(queue_.get(), &Listening::on_queue, this);
    return {};
}

bool KafkaWorker::meet_brokers(base::Monotonic until) {
    auto slice = kSliceMin;
    while (!interrupted()) {
        const rd_kafka_metadata_t* got = nullptr;
        const auto error = rd_kafka_metadata(producer_.get(), 0, nullptr, &got, static_cast<int>(slice.count()));
        const MetadataPtr owned(got);
        if (hear()) return false;
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
        if (loop_.clock().now() >= until) {
            end_of_waiting(reached());
            return false;
        }
        if (error == RD_KAFKA_RESP_ERR__TIMED_OUT) slice = std::min(slice * 2, kSliceMax);
    }
    return false;
}

/// All have to be there. One without a leader holds up its own classes only; when none has one, nothing can be sent.
bool KafkaWorker::meet_topics(base::Monotonic until) {
    bool led = options_.topics.empty();
    for (const auto& name : options_.topics) {
        const auto found = meet_topic(name, std::min(until, loop_.clock().now() + kTopicMax));
        if (!found) return false;
        led |= *found == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (*found == RD_KAFKA_RESP_ERR_NO_ERROR || *found == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) continue;
        refuse(*found, name);
        return false;
    }
    if (!led) refuse(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, options_.topics.front());
    return led;
}

void KafkaWorker::refuse(int error, const std::string& topic) {
    tell({.kind = Kind::over,
          .trouble = Trouble::refused,
          .code = kafka_verdict(error).code,
          .text = kafka_words(error, fmt::format("topic {}", topic))});
}

/// What brokers say of it; nullopt: nothing in time, which has been told, or nobody wants to know any more. A topic that does not exist may
/// be made by this question: then it is there a moment later.
std::optional<int> KafkaWorker::meet_topic(const std::string& name, base::Monotonic until) {
    const TopicPtr topic(rd_kafka_topic_new(producer_.get(), name.c_str(), nullptr));
    if (!topic) return rd_kafka_last_error();
    auto slice = kSliceMin;
    while (!interrupted()) {
        const rd_kafka_metadata_t* got = nullptr;
        const auto error = rd_kafka_metadata(producer_.get(), 0, topic.get(), &got, static_cast<int>(slice.count()));
        const MetadataPtr owned(got);
        if (hear()) return std::nullopt;
        if (error == RD_KAFKA_RESP_ERR__TIMED_OUT) slice = std::min(slice * 2, kSliceMax);
        const bool late = loop_.clock().now() >= until;
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR && got->topic_cnt == 1) {
            const rd_kafka_metadata_topic_t& said = got->topics[0];
            int found = said.err;
            if (found == RD_KAFKA_RESP_ERR_NO_ERROR && !has_leader(said)) found = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
            const bool may_come = found == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || found == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
            if (late || !may_come) return found;
        } else if (late) {
            end_of_waiting(true);
            return std::nullopt;
        }
        std::unique_lock lock(lock_);
        wake_.wait_for(lock, kTopicPause, [this] { return stopping_ || !orders_.empty(); });
    }
    return std::nullopt;
}

void KafkaWorker::end_of_waiting(bool reached) {
    tell({.kind = Kind::over, .trouble = reached ? Trouble::no_answer : Trouble::unreachable, .text = last_words_});
}

/// Nothing is told of a connection that we end.
void KafkaWorker::disconnect() {
    if (queue_) rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
    queue_.reset();
    producer_.reset();
    on_their_way_.clear();
    lanes_.clear();
    last_words_.clear();
    reached_.store(false, std::memory_order_relaxed);
    ready_ = over_ = false;
}

// ---- messages

/// The first of a lane goes alone. Brokers check that a producer's numbers have no hole, but only once they know the producer: were the
/// first message refused, they would take the second.
void KafkaWorker::carry_out(KafkaPosting& posting) {
    if (!producer_ || !ready_ || over_) return;
    Lane& lane = lanes_[posting.topic + ' ' + posting.key];
    if (std::exchange(lane.begun, true) && !lane.proven) return lane.held.push_back(std::move(posting));
    produce(posting, lane);
}

void KafkaWorker::prove(Lane& lane) {
    lane.proven = true;
    for (; !lane.held.empty() && !over_; lane.held.pop_front()) produce(lane.held.front(), lane);
}

void KafkaWorker::produce(const KafkaPosting& posting, Lane& lane) {
    OnItsWay& message = on_their_way_.try_emplace(posting.ticket, OnItsWay{posting.ticket, lane}).first->second;
    std::vector<rd_kafka_vu_t> fields;
    fields.reserve(posting.headers.size() + 5);
    fields.push_back(field(RD_KAFKA_VTYPE_TOPIC));
    fields.back().u.cstr = posting.topic.c_str();
    fields.push_back(field(RD_KAFKA_VTYPE_MSGFLAGS));
    fields.back().u.i = RD_KAFKA_MSG_F_COPY;
    fields.push_back(field(RD_KAFKA_VTYPE_OPAQUE));
    fields.back().u.ptr = &message;
    // Not const only because a flag may give the memory away: not ours.
    const auto put = [&fields](rd_kafka_vtype_t type, const void* data, std::size_t size) {
        fields.push_back(field(type));
        fields.back().u.mem.ptr = const_cast<void*>(data);
        fields.back().u.mem.size = size;
    };
    put(RD_KAFKA_VTYPE_KEY, posting.key.data(), posting.key.size());
    put(RD_KAFKA_VTYPE_VALUE, posting.payload.data(), posting.payload.size());
    for (const auto& [name, value] : posting.headers) {
        fields.push_back(field(RD_KAFKA_VTYPE_HEADER));
        fields.back().u.header.name = name.c_str();
        fields.back().u.header.val = value.data();
        fields.back().u.header.size = static_cast<ssize_t>(value.size());
    }
    const ErrorPtr failed(rd_kafka_produceva(producer_.get(), fields.data(), fields.size()));
    if (!failed) return;
    on_their_way_.erase(posting.ticket);
    int error = rd_kafka_error_code(failed.get());
    if (error == RD_KAFKA_RESP_ERR__FATAL) {  // why is on its way already
        if (hear()) return;
        error = rd_kafka_fatal_error(producer_.get(), nullptr, 0);
    }
    tell(not_taken({posting.ticket, posting.payload.size()}, error, posting.topic));
}

/// Behind it nothing more is sent in this connection.
KafkaNews KafkaWorker::not_taken(Failed message, int error, std::string_view more) {
    over_ = true;
    const KafkaVerdict verdict = kafka_verdict(error);
    const auto refusal = verdict.too_large ? too_large(message.bytes) : uplink::Refusal::other;
    const bool refused = verdict.trouble == Trouble::refused;
    return {.kind = refused ? Kind::over : Kind::not_taken,
            .trouble = verdict.trouble,
            .code = verdict.code,
            .refusal = refusal,
            .ticket = message.ticket,
            .text = kafka_words(error, more)};
}

/// Brokers weigh all that came in one batch. A message that fills one by itself was alone in it: then the batches before, which had it in
/// them, say nothing about others. What was not alone comes again in a smaller batch.
uplink::Refusal KafkaWorker::too_large(std::size_t bytes) {
    if (bytes >= batch_bytes_max_) {
        batch_bytes_max_ = options_.batch_bytes_max;
        return uplink::Refusal::too_large;
    }
    if (batch_bytes_max_ <= kBatchBytesMin) return uplink::Refusal::other;  // nothing is gained by less
    batch_bytes_max_ = std::max(kBatchBytesMin, batch_bytes_max_ / 2);
    return uplink::Refusal::too_large_together;
}

// ---- what the library tells

bool KafkaWorker::hear() {
    if (!queue_) return false;
    std::vector<KafkaNews> out;
    for (EventPtr event; event.reset(rd_kafka_queue_poll(queue_.get(), 0)), event != nullptr;) {
        if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) hear_reports(event.get(), out);
        if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) hear_error(event.get(), out);
    }
    tell(std::move(out));
    return over_;
}

void KafkaWorker::hear_reports(rd_kafka_op_s* event, std::vector<KafkaNews>& out) {
    for (const rd_kafka_message_t* message = nullptr; (message = rd_kafka_event_message_next(event)) != nullptr;) {
        const auto [ticket, lane] = *static_cast<const OnItsWay*>(message->_private);
        on_their_way_.erase(ticket);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            out.push_back({.kind = Kind::taken, .ticket = ticket});
            if (!lane.proven) prove(lane);
        } else if (!over_) {  // the first says why; the others were behind it
            out.push_back(not_taken({ticket, message->len}, message->err, rd_kafka_topic_name(message->rkt)));
        }
    }
}

void KafkaWorker::hear_error(rd_kafka_op_s* event, std::vector<KafkaNews>& out) {
    if (over_) return;
    int error = rd_kafka_event_error(event);
    const char* words = rd_kafka_event_error_string(event);
    const bool all_down = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (words != nullptr && (!all_down || last_words_.empty())) last_words_ = words;  // why the last one is down says more
    if (rd_kafka_event_error_is_fatal(event) != 0) {
        std::array<char, 512> more{};
        error = rd_kafka_fatal_error(producer_.get(), more.data(), more.size());
        if (error == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) return;  // the report of the message that failed comes next, and says why
        out.push_back(not_taken({}, error, more.data()));
        out.back().kind = Kind::over;
        return;
    }
    std::optional<Trouble> trouble;
    std::optional<std::uint16_t> code;
    if (is_kafka_sign_in(error)) {
        trouble = Trouble::refused;
        code = kafka_verdict(error).code;
    } else if (all_down) {
        trouble = ready_ || reached() ? Trouble::closed : Trouble::unreachable;
    }
    if (!trouble) return out.push_back({.kind = Kind::note, .text = last_words_});
    over_ = true;
    out.push_back({.kind = Kind::over, .trouble = *trouble, .code = code, .text = last_words_});
}

}  // namespace sluice::gateway
