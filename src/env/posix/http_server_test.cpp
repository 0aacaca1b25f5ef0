#include "env/posix/http_server.hpp"

#include <atomic>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

/// A raw client: sends bytes, reads until the other side closes or `enough` was seen.
std::string ask(std::uint16_t port, std::string_view request, std::string_view enough = "") {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "no connection";
    (void)!::write(fd, request.data(), request.size());  // a failure shows as an empty answer
    std::string answer;
    char buffer[4096];
    for (ssize_t count; (enough.empty() || answer.find(enough) == std::string::npos) && (count = ::read(fd, buffer, sizeof buffer)) > 0;) {
        answer.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(fd);
    return answer;
}

std::unique_ptr<HttpServer> serve(HttpServer::Handler handler, std::function<void()> on_tick = {}) {
    HttpServer::Options options;
    options.tick = std::chrono::milliseconds(10);
    auto server = HttpServer::start(options, std::move(handler), std::move(on_tick));
    EXPECT_TRUE(server.has_value());
    return std::move(*server);
}

TEST(HttpServer, path_and_query_are_decoded) {
    HttpRequest seen;
    const auto server = serve([&seen](const HttpRequest& request) {
        seen = request;
        HttpResponse out;
        out.body = "{}";
        return out;
    });
    const auto answer = ask(server->port(), "GET /api/v1/a%20b?class=alert&x=1%2B2+3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("200 OK"), std::string::npos) << answer;
    EXPECT_EQ(seen.path, "/api/v1/a b");
    EXPECT_EQ(seen.query["class"], "alert");
    EXPECT_EQ(seen.query["x"], "1+2 3");
}

TEST(HttpServer, what_is_not_http_gets_400_and_too_much_413) {
    const auto server = serve([](const HttpRequest&) { return HttpResponse{}; });
    EXPECT_NE(ask(server->port(), "BLAH\r\n\r\n").find("400"), std::string::npos);
    EXPECT_NE(ask(server->port(), "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n").find("400"), std::string::npos);
    EXPECT_NE(ask(server->port(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n").find("413"), std::string::npos);
}

TEST(HttpServer, an_event_stream_stays_open_and_gets_broadcasts) {
    std::atomic<HttpServer*> self{nullptr};
    std::unique_ptr<HttpServer> server;
    server = serve(
        [](const HttpRequest&) {
            HttpResponse out;
            out.event_stream = true;
            return out;
        },
        [&self] {
            if (HttpServer* at = self.load(); at != nullptr && at->has_stream_readers()) at->broadcast("alert", R"({"n":1})");
        });
    self = server.get();
    const auto answer = ask(server->port(), "GET /live HTTP/1.1\r\nHost: x\r\n\r\n", "\n\n");
    EXPECT_NE(answer.find("text/event-stream"), std::string::npos);
    EXPECT_NE(ask(server->port(), "GET /live HTTP/1.1\r\nHost: x\r\n\r\n", "data: {\"n\":1}\n\n").find("event: alert"), std::string::npos);
    self = nullptr;
}

TEST(HttpServer, head_gets_the_length_without_the_body) {
    const auto server = serve([](const HttpRequest&) {
        HttpResponse out;
        out.body = "12345";
        return out;
    });
    const auto answer = ask(server->port(), "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("Content-Length: 5"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("12345"), std::string::npos);
}

TEST(HttpServer, a_taken_port_is_told_apart) {
    const auto first = serve([](const HttpRequest&) { return HttpResponse{}; });
    HttpServer::Options options;
    options.port = first->port();
    const auto second = HttpServer::start(options, [](const HttpRequest&) { return HttpResponse{}; }, {});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, base::Errc::in_use);
}

}  // namespace
}  // namespace sluice::posix
