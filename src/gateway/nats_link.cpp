#include "gateway/nats_link.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nats/nats.h>

#include "base/bytes.hpp"
#include "gateway/worker_link.hpp"

namespace sluice::gateway {
namespace {

using uplink::Ticket;
using uplink::Trouble;

constexpr std::chrono::milliseconds kServerTimeout{2000};  // of one server of several
constexpr std::chrono::milliseconds kApiTimeout{5000};     // of a question to JetStream
/// A copy that comes later than this is stored again, and told by its numbers. Of streams that we make.
constexpr std::chrono::nanoseconds kDuplicates = std::chrono::hours(1);
constexpr int kOverlaps = 10065;  // another stream holds these subjects
constexpr std::uint16_t kNoStream = 503;
constexpr std::uint16_t kUnknown = 500;
constexpr std::string_view kHeaderVersion = "NATS/1.0";
constexpr std::string_view kMessageId = "Nats-Msg-Id";
constexpr std::string_view kHeaderPrefix = "Sluice-";
constexpr std::size_t kPayloadMaxDefault = 1024 * 1024;

template <auto Destroy>
struct Destroyer {
    template <class T>
    void operator()(T* object) const {
        Destroy(object);
    }
};
using OptionsPtr = std::unique_ptr<natsOptions, Destroyer<natsOptions_Destroy>>;
using ConnectionPtr = std::unique_ptr<natsConnection, Destroyer<natsConnection_Destroy>>;
using JetStreamPtr = std::unique_ptr<jsCtx, Destroyer<jsCtx_Destroy>>;
using MessagePtr = std::unique_ptr<natsMsg, Destroyer<natsMsg_Destroy>>;

/// What the library's threads tell the loop.
struct News {
    enum class Kind : std::uint8_t { ready, unreachable, refused, closed, taken, not_taken } kind;
    std::uint64_t generation = 0;
    std::string id{};  ///< of a message
    std::uint16_t code = 0;
    std::string text{};
    std::size_t payload_max = 0;
};

struct Posting {
    std::string subject;
    std::string id;
    base::Bytes payload;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// All calls of the library, on a thread of their own: it connects, writes and closes with calls that may wait.
class NatsWorker {
public:
    NatsWorker(NatsOptions options, posix::EventLoop& loop) : options_(std::move(options)), loop_(loop), thread_([this] { run(); }) {}
    ~NatsWorker() {
        {
            const std::lock_guard guard(lock_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    NatsWorker(const NatsWorker&) = delete;
    NatsWorker& operator=(const NatsWorker&) = delete;

    void connect(std::uint64_t generation) { order(Connect{generation}); }
    void post(Posting posting) { order(std::move(posting)); }
    void close() { order(Close{}); }
    std::vector<News> take_news() {
        const std::lock_guard guard(lock_);
        return std::exchange(news_, {});
    }
    [[nodiscard]] bool has_news() const {
        const std::lock_guard guard(lock_);
        return !news_.empty();
    }
    /// Everything that was ordered has been done.
    [[nodiscard]] bool idle() const {
        const std::lock_guard guard(lock_);
        return orders_.empty() && !busy_;
    }

private:
    struct Connect {
        std::uint64_t generation;
    };
    struct Close {};
    using Order = std::variant<Connect, Posting, Close>;

    void order(Order order) {
        {
            const std::lock_guard guard(lock_);
            orders_.push_back(std::move(order));
        }
        wake_.notify_one();
    }
    void tell(News news) {
        {
            const std::lock_guard guard(lock_);
            news.generation = generation_;
            news_.push_back(std::move(news));
        }
        loop_.wake();
    }

    void run() {
        std::unique_lock lock(lock_);
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || !orders_.empty(); });
            if (orders_.empty()) break;
            Order order = std::move(orders_.front());
            orders_.pop_front();
            if (const auto* connect = std::get_if<Connect>(&order)) generation_ = connect->generation;
            busy_ = true;
            lock.unlock();
            std::visit([this](auto& each) { carry_out(each); }, order);
            lock.lock();
            busy_ = false;
            if (orders_.empty()) {
                lock.unlock();
                loop_.wake();
                lock.lock();
            }
        }
        lock.unlock();
        disconnect();
    }

    void carry_out(const Connect&) {
        disconnect();
        natsOptions* made = nullptr;
        if (natsOptions_Create(&made) != NATS_OK) return tell({.kind = News::Kind::unreachable, .text = "no memory"});
        const OptionsPtr options(made);
        const natsStatus set = configure(made);
        if (set != NATS_OK) return tell({.kind = News::Kind::unreachable, .text = words(set)});
        natsConnection* connection = nullptr;
        const natsStatus status = natsConnection_Connect(&connection, made);
        if (status != NATS_OK) {
            const bool refused = status == NATS_CONNECTION_AUTH_FAILED;
            return tell({.kind = refused ? News::Kind::refused : News::Kind::unreachable,
                         .code = refused ? std::uint16_t{401} : std::uint16_t{0},
                         .text = words(status)});
        }
        connection_.reset(connection);
        show(connection, nullptr);
        remember_servers();
        jsOptions js;
        jsOptions_Init(&js);
        js.Wait = kApiTimeout.count();
        js.PublishAsync.MaxPending = options_.in_flight;
        js.PublishAsync.AckHandler = &NatsWorker::on_ack;
        js.PublishAsync.AckHandlerClosure = this;
        jsCtx* context = nullptr;
        if (const natsStatus got = natsConnection_JetStream(&context, connection, &js); got != NATS_OK)
            return tell({.kind = News::Kind::refused, .code = kUnknown, .text = words(got)});
        js_.reset(context);
        show(connection, context);
        if (auto problem = ensure_stream()) return tell(std::move(*problem));
        const std::int64_t payload_max = natsConnection_GetMaxPayload(connection);
        if (natsConnection_IsClosed(connection)) return tell({.kind = News::Kind::closed});
        tell({.kind = News::Kind::ready, .payload_max = payload_max > 0 ? static_cast<std::size_t>(payload_max) : kPayloadMaxDefault});
    }

    /// Whose calls from the library's threads count from here on.
    void show(natsConnection* connection, jsCtx* js) {
        const std::lock_guard guard(lock_);
        heard_connection_ = connection;
        heard_js_ = js;
    }

    natsStatus configure(natsOptions* to) {
        std::vector<const char*> servers;
        servers.reserve(options_.servers.size() + discovered_.size());
        for (const auto& each : options_.servers) servers.push_back(each.c_str());
        for (const auto& each : discovered_) servers.push_back(each.c_str());
        natsStatus status = natsOptions_SetServers(to, servers.data(), static_cast<int>(servers.size()));
        const auto then = [&status](natsStatus next) {
            if (status == NATS_OK) status = next;
        };
        then(natsOptions_SetName(to, options_.name.c_str()));
        then(natsOptions_SetAllowReconnect(to, false));  // when to connect again, the uplink decides
        then(natsOptions_SetTimeout(to, kServerTimeout.count()));
        then(natsOptions_SetWriteDeadline(to, options_.ack_timeout.count()));
        then(natsOptions_SetPingInterval(to, options_.keep_alive.count()));
        then(natsOptions_SetMaxPingsOut(to, 1));
        then(natsOptions_SetClosedCB(to, &NatsWorker::on_closed, this));
        if (!options_.user.empty()) then(natsOptions_SetUserInfo(to, options_.user.c_str(), options_.password.c_str()));
        if (!options_.token.empty()) then(natsOptions_SetToken(to, options_.token.c_str()));
        if (options_.tls) then(natsOptions_SetSecure(to, true));
        if (!options_.ca.empty()) then(natsOptions_SetCATrustedCertificates(to, options_.ca.c_str()));
        if (!options_.cert.empty()) then(natsOptions_SetCertificatesChain(to, options_.cert.c_str(), options_.key.c_str()));
        return status;
    }

    /// Servers that the cluster has named: one of them may be all that is left next time.
    void remember_servers() {
        char** names = nullptr;
        int count = 0;
        if (natsConnection_GetDiscoveredServers(connection_.get(), &names, &count) != NATS_OK) return;
        discovered_.clear();
        for (int i = 0; i < count; ++i) {
            discovered_.emplace_back(names[i]);
            free(names[i]);
        }
        free(names);
    }

    std::optional<News> ensure_stream() {
        jsErrCode code{};
        jsStreamInfo* info = nullptr;
        natsStatus status = js_GetStreamInfo(&info, js_.get(), options_.stream.c_str(), nullptr, &code);
        jsStreamInfo_Destroy(std::exchange(info, nullptr));
        if (status == NATS_OK) return std::nullopt;
        if (status != NATS_NOT_FOUND) return no_stream(status, code);
        jsStreamConfig stream;
        jsStreamConfig_Init(&stream);
        const char* subject = options_.subject.c_str();
        stream.Name = options_.stream.c_str();
        stream.Subjects = &subject;
        stream.SubjectsLen = 1;
        stream.Replicas = options_.replicas;
        stream.Duplicates = kDuplicates.count();
        status = js_AddStream(&info, js_.get(), &stream, nullptr, &code);
        jsStreamInfo_Destroy(info);
        if (status == NATS_OK || static_cast<int>(code) == kOverlaps) return std::nullopt;
        return no_stream(status, code);
    }

    News no_stream(natsStatus status, jsErrCode code) const {
        return {.kind = News::Kind::refused,
                .code = kNoStream,
                .text = fmt::format("stream {}: {} (JetStream error {})", options_.stream, words(status), static_cast<int>(code))};
    }

    void carry_out(const Posting& posting) {
        if (!js_) return;
        natsMsg* made = nullptr;
        if (natsMsg_Create(&made, posting.subject.c_str(), nullptr, reinterpret_cast<const char*>(posting.payload.data()),
                           static_cast<int>(posting.payload.size())) != NATS_OK)
            return tell({.kind = News::Kind::not_taken, .id = posting.id, .code = kUnknown, .text = "no memory"});
        MessagePtr message(made);
        (void)natsMsgHeader_Set(made, kMessageId.data(), posting.id.c_str());
        for (const auto& [name, value] : posting.headers)
            (void)natsMsgHeader_Set(made, std::string(kHeaderPrefix).append(name).c_str(), value.c_str());
        jsPubOptions options;
        jsPubOptions_Init(&options);
        options.MaxWait = options_.ack_timeout.count();
        natsMsg* handed = message.release();  // the library's from here on, if it takes it
        const natsStatus status = js_PublishMsgAsync(js_.get(), &handed, &options);
        if (status == NATS_OK) return;
        natsMsg_Destroy(handed);
        tell({.kind = News::Kind::not_taken, .id = posting.id, .code = kUnknown, .text = words(status)});
    }

    void carry_out(const Close&) { disconnect(); }

    /// Nothing is told of a connection that we end.
    void disconnect() {
        show(nullptr, nullptr);
        js_.reset();
        if (connection_) natsConnection_Close(connection_.get());
        connection_.reset();
    }

    // Called by threads of the library
    static void on_ack(jsCtx* js, natsMsg* message, jsPubAck*, jsPubAckErr* failed, void* self) {
        const MessagePtr owned(message);
        auto* worker = static_cast<NatsWorker*>(self);
        {
            const std::lock_guard guard(worker->lock_);
            if (worker->heard_js_ != js) return;
        }
        // Silence is no refusal: the machine's own patience ends at the same moment, and calls it a stall.
        if (failed != nullptr && failed->Err == NATS_TIMEOUT) return;
        const char* id = nullptr;
        if (natsMsgHeader_Get(message, kMessageId.data(), &id) != NATS_OK) return;
        News news{.kind = failed == nullptr ? News::Kind::taken : News::Kind::not_taken, .id = id};
        if (failed != nullptr) {
            news.code = failed->Err == NATS_NO_RESPONDERS ? kNoStream : kUnknown;
            news.text = failed->ErrText != nullptr ? failed->ErrText : natsStatus_GetText(failed->Err);
        }
        worker->tell(std::move(news));
    }
    static void on_closed(natsConnection* connection, void* self) {
        auto* worker = static_cast<NatsWorker*>(self);
        const char* last = nullptr;
        (void)natsConnection_GetLastError(connection, &last);
        {
            const std::lock_guard guard(worker->lock_);
            if (worker->heard_connection_ != connection) return;
        }
        worker->tell({.kind = News::Kind::closed, .text = last != nullptr ? last : ""});
    }

    static std::string words(natsStatus status) {
        natsStatus last = NATS_OK;
        const char* more = nats_GetLastError(&last);
        return more != nullptr && last == status ? fmt::format("{}: {}", natsStatus_GetText(status), more) : natsStatus_GetText(status);
    }

    const NatsOptions options_;
    posix::EventLoop& loop_;
    // Of the thread
    ConnectionPtr connection_;
    JetStreamPtr js_;
    std::vector<std::string> discovered_;
    // Of all
    mutable std::mutex lock_;
    std::condition_variable wake_;
    std::deque<Order> orders_;
    std::vector<News> news_;
    std::uint64_t generation_ = 0;  // of the connection that the library has
    bool busy_ = false;
    const natsConnection* heard_connection_ = nullptr;
    const jsCtx* heard_js_ = nullptr;
    bool stopping_ = false;
    std::thread thread_;
};

class NatsLink final : public WorkerLink<NatsWorker, News, std::string> {
public:
    NatsLink(const NatsOptions& options, posix::EventLoop& loop) : WorkerLink(options, loop) {}

private:
    // uplink::Carrier
    [[nodiscard]] bool reached() const override { return reached_; }
    base::Result<Ticket> send(const uplink::Outgoing& message, base::Monotonic) override {
        if (window_free() == 0) return base::Error{base::Errc::limit};
        if (size_of(message).bytes > payload_max_) return base::Error{base::Errc::too_large};
        Posting posting{.subject = std::string(message.topic),
                        .id = std::string(message.id),
                        .payload = base::Bytes(message.payload.begin(), message.payload.end()),
                        .headers = {}};
        for (const auto& [name, value] : message.headers) posting.headers.emplace_back(name, value);
        const Ticket ticket = expect(posting.id);
        bytes_up_ += message.payload.size();
        worker().post(std::move(posting));
        return ticket;
    }
    /// Headers count too: "NATS/1.0", a line for each, an empty one.
    [[nodiscard]] uplink::MessageSize size_of(const uplink::Outgoing& message) override {
        constexpr std::size_t kLine = 4;  // ": " and CR LF
        std::size_t headers = kHeaderVersion.size() + 4 + kMessageId.size() + message.id.size() + kLine;
        for (const auto& [name, value] : message.headers) headers += kHeaderPrefix.size() + name.size() + value.size() + kLine;
        return {.bytes = headers + message.payload.size(), .bytes_max = payload_max_};
    }
    [[nodiscard]] std::uint64_t bytes_up() const override { return bytes_up_; }
    [[nodiscard]] std::uint64_t bytes_down() const override { return 0; }
    [[nodiscard]] std::string_view protocol() const override { return "NATS JetStream"; }

    // WorkerLink
    void opening() override { reached_ = false; }
    void take(News news, base::Monotonic now) override {
        switch (news.kind) {
            case News::Kind::ready:
                reached_ = true;
                payload_max_ = news.payload_max;
                return listener().on_ready(now);
            case News::Kind::unreachable:
                return listener().on_over({.trouble = Trouble::unreachable});
            case News::Kind::refused:
                return listener().on_over({.trouble = Trouble::refused, .refusal = news.code});
            case News::Kind::closed:
                return listener().on_over({.trouble = Trouble::closed});
            case News::Kind::taken:
                if (const auto ticket = answered(news.id)) listener().on_taken(*ticket, now);
                return;
            case News::Kind::not_taken:
                if (const auto ticket = answered(news.id)) listener().on_refused(*ticket, news.code, uplink::Refusal::other);
                return;
        }
    }

    std::size_t payload_max_ = kPayloadMaxDefault;
    bool reached_ = false;
    std::uint64_t bytes_up_ = 0;
};

}  // namespace

CloudConnector make_nats_connector(NatsOptions options) {
    return [options = std::move(options)](posix::EventLoop& loop) { return std::make_unique<NatsLink>(options, loop); };
}

}  // namespace sluice::gateway
