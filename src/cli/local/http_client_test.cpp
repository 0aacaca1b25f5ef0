#include "cli/local/http_client.hpp"

#include <string>

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"
#include "env/posix/http_server.hpp"

namespace sluice::local {
namespace {

TEST(HttpReader, an_answer_with_a_length_is_complete_at_its_last_byte_wherever_it_is_cut) {
    const std::string whole = "HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\nX: y\r\n\r\nhello";
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        HttpReader reader;
        EXPECT_FALSE(reader.take(whole.substr(0, cut))) << cut;
        EXPECT_TRUE(reader.take(whole.substr(cut))) << cut;
        EXPECT_EQ(reader.answer().status, 200);
        EXPECT_EQ(reader.answer().body, "hello");
    }
}

TEST(HttpReader, chunks_are_joined) {
    const std::string whole =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        HttpReader reader;
        EXPECT_FALSE(reader.take(whole.substr(0, cut)));
        EXPECT_TRUE(reader.take(whole.substr(cut)));
        EXPECT_EQ(reader.answer().body, "abcabcdefghijklmnopqrstuvwxyz");
    }
}

TEST(HttpReader, without_a_length_the_end_of_the_connection_ends_the_answer) {
    HttpReader reader;
    EXPECT_FALSE(reader.take("HTTP/1.0 404 Not Found\r\n\r\nno"));
    EXPECT_TRUE(reader.end());
    EXPECT_EQ(reader.answer().status, 404);
    EXPECT_EQ(reader.answer().body, "no");
    HttpReader cut;
    EXPECT_FALSE(cut.take("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno"));
    EXPECT_FALSE(cut.end()) << "an answer that is cut is no answer";
}

TEST(HttpReader, what_is_not_http_is_malformed) {
    HttpReader reader;
    EXPECT_FALSE(reader.take("SSH-2.0-OpenSSH\r\n\r\n"));
    EXPECT_TRUE(reader.malformed());
}

struct HttpClientTest : ::testing::Test {
    posix::PosixClock clock;
    posix::EventLoop loop{clock, std::chrono::microseconds(0)};
    HttpClient client{loop};

    base::Result<HttpAnswer> get(std::uint16_t port, std::string_view path) {
        base::Result<HttpAnswer> out = base::Error{base::Errc::timeout};
        bool done = false;
        client.get(port, path, [&](base::Result<HttpAnswer> result) {
            out = std::move(result);
            done = true;
        });
        while (!done) loop.run_once(std::nullopt);
        return out;
    }
};

TEST_F(HttpClientTest, gets_a_small_and_a_large_body_from_a_real_server) {
    const auto handle = [](const posix::HttpRequest& request) {
        posix::HttpResponse out;
        out.body = request.path == "/big" ? std::string(3'000'000, 'x') : request.path;
        return out;
    };
    auto server = posix::HttpServer::start({}, handle, [] {});
    ASSERT_TRUE(server);
    const auto small = get((*server)->port(), "/small");
    ASSERT_TRUE(small);
    EXPECT_EQ(small->body, "/small");
    const auto big = get((*server)->port(), "/big");
    ASSERT_TRUE(big);
    EXPECT_EQ(big->body.size(), 3'000'000U);
    EXPECT_EQ(client.under_way(), 0U);
}

TEST_F(HttpClientTest, nobody_listening_is_refused) {
    std::uint16_t port = 0;
    {
        auto server = posix::HttpServer::start(
            {}, [](const posix::HttpRequest&) { return posix::HttpResponse{}; }, [] {});
        ASSERT_TRUE(server);
        port = (*server)->port();
    }
    const auto answer = get(port, "/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, base::Errc::refused);
}

}  // namespace
}  // namespace sluice::local
