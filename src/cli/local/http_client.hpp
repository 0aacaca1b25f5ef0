// Asks an HTTP server, usually on this machine, on the caller's event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::local {

struct HttpAnswer {
    int status = 0;
    std::string body;
};

/// Reads the answer to `GET … HTTP/1.1` with `Connection: close`, fed piece by piece. Content-Length, chunked, or until the end.
class HttpReader {
public:
    /// Takes all bytes. True once the answer is complete.
    bool take(std::string_view bytes);
    /// The connection has ended. True when that completes the answer.
    [[nodiscard]] bool end();
    [[nodiscard]] bool malformed() const { return malformed_; }
    [[nodiscard]] HttpAnswer& answer() { return answer_; }

private:
    bool read_head();
    bool read_chunks();
    std::string buffer_;
    HttpAnswer answer_;
    std::size_t length_ = 0;
    bool has_length_ = false;
    bool chunked_ = false;
    bool in_body_ = false;
    bool malformed_ = false;
};

/// Each request has its own connection. One thread. Requests under way are dropped, without a callback, with the client.
class HttpClient final : private posix::TcpHandler {
public:
    using OnAnswer = std::function<void(base::Result<HttpAnswer>)>;

    explicit HttpClient(posix::EventLoop& loop);
    /// `on_answer` is called once, in a later turn of the loop, or at once when not even a socket could be had.
    /// Errors: refused, closed, malformed, io.
    void get(std::uint16_t port, std::string_view path, OnAnswer on_answer) { get("127.0.0.1", port, path, std::move(on_answer)); }
    /// The host's name is looked up at once, which may block.
    void get(const std::string& host, std::uint16_t port, std::string_view path, OnAnswer on_answer) {
        ask("GET", host, port, path, {}, std::move(on_answer));
    }
    /// Any method, with a body where it is not empty.
    void ask(std::string_view method, const std::string& host, std::uint16_t port, std::string_view path, std::string_view body,
             OnAnswer on_answer);
    [[nodiscard]] std::size_t under_way() const { return requests_.size(); }

private:
    struct Request {
        std::string text;
        HttpReader reader;
        OnAnswer on_answer;
    };
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    void finish(posix::TcpId id, base::Result<HttpAnswer> result);

    posix::TcpConnections connections_;
    std::unordered_map<posix::TcpId, Request> requests_;
};

}  // namespace sluice::local
