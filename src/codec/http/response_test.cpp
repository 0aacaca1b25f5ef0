#include "codec/http/response.hpp"

#include <string>

#include <gtest/gtest.h>

#include "codec/http/request.hpp"

namespace sluice::http {
namespace {

using Status = ResponseReader::Status;

TEST(HttpResponse, is_read_the_same_wherever_the_stream_is_cut) {
    const std::string text =
        "HTTP/1.1 100 Continue\r\n\r\n"
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        ResponseReader reader;
        reader.expect(false);
        base::Bytes pending;
        std::vector<Response> found;
        for (std::size_t at = 0; at < text.size(); at += step) {
            base::append(pending, std::string_view(text).substr(at, step));
            for (;;) {
                const auto read = reader.read(pending);
                pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(read.used));
                ASSERT_NE(read.status, Status::malformed) << "cut every " << step;
                if (read.status == Status::incomplete) break;
                found.push_back(reader.response());
                reader.expect(false);
                if (pending.empty()) break;
            }
        }
        ASSERT_EQ(found.size(), 2U) << "cut every " << step;
        EXPECT_EQ(found[0].status, 503);
        EXPECT_TRUE(found[0].keep_alive);
        EXPECT_EQ(found[0].retry_after, std::chrono::seconds(7));
        EXPECT_EQ(found[1].status, 204);
        EXPECT_FALSE(found[1].keep_alive);
        EXPECT_FALSE(found[1].retry_after);
    }
}

/// Found by fuzzing: the parser's own assertion.
TEST(HttpResponse, with_an_empty_chunked_body_may_come_byte_by_byte) {
    const std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (std::size_t first = 1; first < text.size(); ++first) {
        ResponseReader reader;
        reader.expect(false);
        std::size_t used = 0;
        for (std::size_t end = first; end <= text.size(); ++end) {
            const auto read = reader.read(base::as_bytes(std::string_view(text).substr(0, end)).subspan(used));
            used += read.used;
            ASSERT_EQ(read.status, end == text.size() ? Status::complete : Status::incomplete) << first << ", " << end;
        }
        EXPECT_EQ(used, text.size());
    }
}

TEST(HttpResponse, to_head_has_no_body_whatever_it_says) {
    ResponseReader reader;
    reader.expect(true);
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    const auto read = reader.read(base::as_bytes(text));
    EXPECT_EQ(read.status, Status::complete);
    EXPECT_EQ(read.used, text.size());
}

TEST(HttpResponse, without_a_length_ends_with_the_stream) {
    ResponseReader reader;
    reader.expect(false);
    EXPECT_EQ(reader.read(base::as_bytes("HTTP/1.0 200 OK\r\n\r\nsome text")).status, Status::incomplete);
    EXPECT_TRUE(reader.end());
    EXPECT_EQ(reader.response().status, 200);
    EXPECT_FALSE(reader.response().keep_alive);
    reader.expect(false);
    EXPECT_EQ(reader.read(base::as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")).status, Status::incomplete);
    EXPECT_FALSE(reader.end()) << "the line broke in the middle of an answer";
    reader.expect(false);
    EXPECT_FALSE(reader.end()) << "before its first byte";
}

TEST(HttpResponse, of_something_else_is_refused) {
    for (const char* wrong : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                              "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"}) {
        ResponseReader reader;
        reader.expect(false);
        EXPECT_EQ(reader.read(base::as_bytes(wrong)).status, Status::malformed) << wrong;
    }
    ResponseReader reader;
    reader.expect(false);
    EXPECT_EQ(reader.read(base::as_bytes("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'))).status, Status::malformed);
    ResponseReader silent;
    EXPECT_EQ(silent.read(base::as_bytes("HTTP/1.1 200 OK\r\n\r\n")).status, Status::malformed) << "nobody has asked";
}

TEST(HttpRequest, a_header_cannot_end_its_line) {
    base::Bytes out;
    begin_request(out, "POST", "/in", "plant.example:8080");
    append_header(out, "X-Rule", "a\r\nEvil: yes");
    end_head(out);
    EXPECT_EQ(base::as_text(out), "POST /in HTTP/1.1\r\nHost: plant.example:8080\r\nX-Rule: a__Evil: yes\r\n\r\n");
}

// RFC 7617 §2
TEST(HttpRequest, basic_credentials) {
    EXPECT_EQ(basic_credentials("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    EXPECT_EQ(basic_credentials("a", ""), "Basic YTo=");
    EXPECT_EQ(basic_credentials("ab", ""), "Basic YWI6");
}

}  // namespace
}  // namespace sluice::http
