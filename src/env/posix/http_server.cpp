#include "env/posix/http_server.hpp"

#include <atomic>
#include <deque>
#include <optional>
#include <set>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace sluice::posix {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr std::chrono::seconds kIdleMax{5};                // a request must be complete, or an answer taken, in this time
constexpr std::size_t kStreamBehindBytesMax = 256 * 1024;  // a slower reader of an event stream is closed

/// %41 and + as in HTML forms; nothing for a broken escape.
std::optional<std::string> url_decode(std::string_view text) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] == '%') {
            if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
            out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

bool parse_target(std::string_view target, HttpRequest& out) {
    const auto question = target.find('?');
    const auto path = url_decode(target.substr(0, question));
    if (!path || path->empty() || path->front() != '/') return false;
    out.path = *path;
    if (question == std::string_view::npos) return true;
    std::string_view rest = target.substr(question + 1);
    while (!rest.empty()) {
        const auto end = rest.find('&');
        const auto pair = rest.substr(0, end);
        const auto equals = pair.find('=');
        const auto name = url_decode(pair.substr(0, equals));
        const auto value = url_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
        if (!name || !value) return false;
        if (!name->empty()) out.query[*name] = *value;
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return true;
}

}  // namespace

HttpResponse HttpResponse::problem(int status, std::string_view message) {
    HttpResponse out;
    out.status = status;
    out.body = R"({"error":{"status":)" + std::to_string(status) + R"(,"message":")";
    for (const char c : message) {
        if (c == '"' || c == '\\') out.body += '\\';
        out.body += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    out.body += "\"}}\n";
    return out;
}

class HttpServer::Impl {  // everything but broadcast() and stop() runs on its thread
public:
    class Session;

    Impl(const Options& options, Handler handle, std::function<void()> on_tick)
        : options_(options), handle_(std::move(handle)), on_tick_(std::move(on_tick)), acceptor_(io_), timer_(io_) {}

    base::Status open() {
        beast::error_code error;
        tcp::resolver resolver(io_);
        const auto found = resolver.resolve(options_.host, std::to_string(options_.port), tcp::resolver::passive, error);
        if (error || found.empty()) return base::Error{base::Errc::not_found};
        const tcp::endpoint endpoint = found.begin()->endpoint();
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error) return base::from_errno(error.value());
        port_ = acceptor_.local_endpoint(error).port();
        accept();
        tick();
        thread_ = std::thread([this] { io_.run(); });
        return {};
    }

    void stop() {
        io_.stop();
        if (thread_.joinable()) thread_.join();
    }

    void broadcast(std::string_view event, std::string_view data);
    void accept();
    void tick();

    Options options_;
    Handler handle_;
    std::function<void()> on_tick_;
    std::size_t sessions_ = 0;  // before io_: sessions that io_ destroys still count themselves out
    std::atomic<std::size_t> stream_count_{0};
    asio::io_context io_{1};
    tcp::acceptor acceptor_;
    asio::steady_timer timer_;
    std::thread thread_;
    std::uint16_t port_ = 0;
    bool timer_retry_accept_ = false;
    std::set<std::shared_ptr<Session>> streams_;
};

class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
public:
    Session(Impl& server, tcp::socket&& socket) : server_(server), stream_(std::move(socket)) { ++server_.sessions_; }
    ~Session() { --server_.sessions_; }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void read() {
        parser_.emplace();
        parser_->body_limit(server_.options_.body_bytes_max);
        parser_->header_limit(16 * 1024);
        stream_.expires_after(kIdleMax);
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
    }

    void send_event(const std::shared_ptr<const std::string>& text) {
        behind_ += text->size();
        if (behind_ > kStreamBehindBytesMax) return leave();
        queue_.push_back(text);
        if (queue_.size() == 1) write_event();
    }

private:
    void on_read(beast::error_code error) {
        if (error == http::error::end_of_stream) return leave();
        if (error) {
            // Whatever is not HTTP gets an answer that says so, if the peer still listens.
            if (error.category() != http::make_error_code(http::error::bad_method).category()) return leave();
            const bool large = error == http::error::body_limit || error == http::error::header_limit;
            return answer(HttpResponse::problem(large ? 413 : 400, error.message()), 11, false, false);
        }
        const auto& message = parser_->get();
        HttpRequest request;
        request.method = std::string(message.method_string());
        request.body = message.body();
        request.host = std::string(message[http::field::host]);
        request.origin = std::string(message[http::field::origin]);
        if (!parse_target(std::string_view(message.target().data(), message.target().size()), request)) {
            return answer(HttpResponse::problem(400, "the address of the request cannot be read"), message.version(), false, false);
        }
        const bool head = message.method() == http::verb::head;
        if (head) request.method = "GET";
        answer(server_.handle_(request), message.version(), message.keep_alive(), head);
    }

    void answer(HttpResponse&& from, unsigned version, bool keep_alive, bool head) {
        response_.emplace();
        response_->version(version);
        response_->result(static_cast<unsigned>(from.status));
        response_->set(http::field::content_type, from.content_type);
        response_->set(http::field::server, "sluice");
        response_->set("X-Content-Type-Options", "nosniff");
        for (const auto& [name, value] : from.headers) response_->set(name, value);
        if (from.event_stream && !head) {
            response_->set(http::field::content_type, "text/event-stream");
            response_->set(http::field::cache_control, "no-store");
            stream_header_.emplace(*response_);
            stream_.expires_never();
            http::async_write_header(stream_, *stream_header_, [self = shared_from_this()](beast::error_code error, std::size_t) {
                if (error) return self->leave();
                self->server_.streams_.insert(self);
                self->server_.stream_count_.store(self->server_.streams_.size(), std::memory_order_relaxed);
                self->watch_for_end();
            });
            return;
        }
        response_->keep_alive(keep_alive);
        const auto size = from.body.size();
        if (!head) response_->body() = std::move(from.body);
        response_->prepare_payload();
        if (head) response_->content_length(size);
        stream_.expires_after(kIdleMax);
        http::async_write(stream_, *response_, [self = shared_from_this(), keep_alive](beast::error_code error, std::size_t) {
            if (error || !keep_alive) return self->leave();
            self->read();
        });
    }

    void watch_for_end() {
        // A reader of events sends nothing more; the read ends when it goes.
        stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](beast::error_code) { self->leave(); });
    }

    void write_event() {
        stream_.expires_after(kIdleMax);
        asio::async_write(stream_, asio::buffer(*queue_.front()), [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error) return self->leave();
            self->stream_.expires_never();
            self->behind_ -= self->queue_.front()->size();
            self->queue_.pop_front();
            if (!self->queue_.empty()) self->write_event();
        });
    }

    void leave() {
        server_.streams_.erase(shared_from_this());
        server_.stream_count_.store(server_.streams_.size(), std::memory_order_relaxed);
        beast::error_code ignored;  // the connection is being given up: nothing to learn from a failed shutdown
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.socket().close(ignored);
    }

    Impl& server_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    std::optional<http::response<http::string_body>> response_;
    std::optional<http::response_serializer<http::string_body>> stream_header_;
    std::deque<std::shared_ptr<const std::string>> queue_;
    std::size_t behind_ = 0;
};

void HttpServer::Impl::accept() {
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
        if (!error && sessions_ < options_.connections_max) std::make_shared<Session>(*this, std::move(socket))->read();
        if (error == asio::error::no_descriptors || error == asio::error::no_buffer_space) {
            // Try again later instead of spinning; the tick comes each second.
            timer_retry_accept_ = true;
            return;
        }
        accept();
    });
}

void HttpServer::Impl::tick() {
    timer_.expires_after(options_.tick);
    timer_.async_wait([this](beast::error_code error) {
        if (error) return;
        if (timer_retry_accept_) {
            timer_retry_accept_ = false;
            accept();
        }
        if (on_tick_) on_tick_();
        tick();
    });
}

void HttpServer::Impl::broadcast(std::string_view event, std::string_view data) {
    auto text = std::make_shared<std::string>();
    text->append("event: ").append(event).append("\ndata: ").append(data).append("\n\n");
    asio::post(io_, [this, text = std::shared_ptr<const std::string>(std::move(text))] {
        const auto readers = streams_;  // send_event may take one out
        for (const auto& reader : readers) reader->send_event(text);
    });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
    impl_->stop();
    impl_->streams_.clear();
}

base::Result<std::unique_ptr<HttpServer>> HttpServer::start(const Options& options, Handler handle, std::function<void()> on_tick) {
    auto impl = std::make_unique<Impl>(options, std::move(handle), std::move(on_tick));
    if (auto opened = impl->open(); !opened) return opened.error();
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const { return impl_->port_; }
void HttpServer::broadcast(std::string_view event, std::string_view data) { impl_->broadcast(event, data); }
bool HttpServer::has_stream_readers() const { return impl_->stream_count_.load(std::memory_order_relaxed) != 0; }

}  // namespace sluice::posix
