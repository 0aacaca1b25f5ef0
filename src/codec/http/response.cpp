#include "codec/http/response.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <boost/beast/http/parser.hpp>

namespace sluice::http {
namespace beast = boost::beast::http;
namespace {

constexpr unsigned kInterimEnd = 200;
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::chrono::seconds kRetryAfterMax = std::chrono::hours(1);

/// A body of which nothing is kept.
struct Skipped {
    using value_type = char;
    class reader {
    public:
        template <bool IsRequest, class Fields>
        reader(beast::header<IsRequest, Fields>&, value_type&) {}
        void init(const boost::optional<std::uint64_t>&, boost::system::error_code& failed) { failed = {}; }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::system::error_code& failed) {
            failed = {};
            return boost::asio::buffer_size(buffers);
        }
        void finish(boost::system::error_code& failed) { failed = {}; }
    };
};

}  // namespace

struct ResponseReader::Parser {
    beast::response_parser<Skipped> beast;
};

ResponseReader::ResponseReader() = default;
ResponseReader::~ResponseReader() = default;

void ResponseReader::expect(bool head) {
    head_ = head;
    parser_ = std::make_unique<Parser>();
    parser_->beast.eager(true);
    parser_->beast.skip(head);
    parser_->beast.header_limit(kHeadBytesMax);
    parser_->beast.body_limit(kBodyBytesMax);
}

ResponseReader::Step ResponseReader::read(base::ByteView in) {
    if (parser_ == nullptr) return {Status::malformed, 0};  // an answer that nobody has asked for
    std::size_t used = 0;
    while (used < in.size()) {
        boost::system::error_code failed;
        const auto rest = in.subspan(used);
        // Beast's parser asserts that it sees the last chunk whole once it has seen its beginning (basic_parser.ipp, Boost 1.81).
        if (parser_->beast.is_header_done() && parser_->beast.chunked() && rest.size() < kLastChunk.size())
            return {Status::incomplete, used};
        const std::size_t taken = parser_->beast.put(boost::asio::buffer(rest.data(), rest.size()), failed);
        used += taken;
        if (failed == beast::error::need_more) return {Status::incomplete, used};
        if (failed) return {Status::malformed, used};
        if (parser_->beast.is_done()) {
            if (parser_->beast.get().result_int() < kInterimEnd) {  // 100 Continue and its kind: the answer follows
                expect(head_);
                continue;
            }
            take();
            return {Status::complete, used};
        }
        if (taken == 0) return {Status::incomplete, used};
    }
    return {Status::incomplete, used};
}

bool ResponseReader::end() {
    if (parser_ == nullptr || !parser_->beast.got_some()) return false;
    boost::system::error_code failed;
    parser_->beast.put_eof(failed);
    if (failed || !parser_->beast.is_done() || parser_->beast.get().result_int() < kInterimEnd) return false;
    take();
    response_.keep_alive = false;
    return true;
}

void ResponseReader::take() {
    const auto& message = parser_->beast.get();
    response_ = {.status = static_cast<std::uint16_t>(message.result_int()), .keep_alive = parser_->beast.keep_alive()};
    const auto text = message[beast::field::retry_after];
    unsigned seconds = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (!text.empty() && failed == std::errc() && end == text.data() + text.size())
        response_.retry_after = std::min(std::chrono::seconds(seconds), kRetryAfterMax);
    parser_.reset();
}

}  // namespace sluice::http
