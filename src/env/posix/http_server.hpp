// A small HTTP server on a thread of its own (Boost.Beast): status, API, pages, server-sent events.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace sluice::posix {

struct HttpRequest {
    std::string method;                        ///< "GET", "POST", …
    std::string path;                          ///< decoded, without the query: "/api/v1/status"
    std::map<std::string, std::string> query;  ///< decoded; the last of a repeated name
    std::string body;
    std::string host;    ///< header Host, as it came
    std::string origin;  ///< header Origin: a browser tells the page that asks; empty: none
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool event_stream = false;  ///< the answer stays open and gets what broadcast() sends (text/event-stream)
    /// {"error":{"status":404,"message":"…"}}
    static HttpResponse problem(int status, std::string_view message);
};

class HttpServer {
public:
    struct Options {
        std::string host = "127.0.0.1";
        std::uint16_t port = 0;  ///< 0: the system chooses
        std::size_t connections_max = 1024;
        std::size_t body_bytes_max = 1 << 20;
        std::chrono::milliseconds tick{1000};
    };
    using Handler = std::function<HttpResponse(const HttpRequest&)>;

    /// `handle` and `on_tick` run on the server's thread, one at a time. Errors: in_use, permission, not_found (address), io.
    static base::Result<std::unique_ptr<HttpServer>> start(const Options& options, Handler handle, std::function<void()> on_tick);
    ~HttpServer();  ///< stops accepting, closes all connections, joins the thread
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    /// Any thread: one server-sent event to all open event streams. A reader that is too slow (256 KiB behind) is closed.
    void broadcast(std::string_view event, std::string_view data);
    /// Any thread: are there readers? Spares the work of making events for nobody.
    [[nodiscard]] bool has_stream_readers() const;

private:
    class Impl;
    explicit HttpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::posix
