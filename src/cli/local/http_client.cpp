#include "cli/local/http_client.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace sluice::local {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::string_view kLineEnd = "\r\n";

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    return text;
}

template <class Number>
bool read_number(std::string_view text, Number& out, int base = 10) {
    return std::from_chars(text.data(), text.data() + text.size(), out, base).ec == std::errc{};
}

}  // namespace

bool HttpReader::read_head() {
    const auto head_end = buffer_.find("\r\n\r\n");
    if (head_end == std::string::npos) {
        malformed_ = malformed_ || buffer_.size() > kHeadBytesMax;
        return false;
    }
    std::string_view head(buffer_.data(), head_end + 2);
    const std::string_view status_line = head.substr(0, head.find(kLineEnd));
    const auto space = status_line.find(' ');
    if (!status_line.starts_with("HTTP/1.") || space == std::string_view::npos ||
        !read_number(status_line.substr(space + 1), answer_.status)) {
        malformed_ = true;
        return false;
    }
    head.remove_prefix(status_line.size() + 2);
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find(kLineEnd));
        head.remove_prefix(line.size() + 2);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string name = lower(line.substr(0, colon));
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (name == "content-length") has_length_ = read_number(value, length_);
        if (name == "transfer-encoding") chunked_ = lower(value) == "chunked";
    }
    buffer_.erase(0, head_end + 4);
    in_body_ = true;
    return true;
}

bool HttpReader::read_chunks() {
    for (;;) {
        const auto line_end = buffer_.find(kLineEnd);
        if (line_end == std::string::npos) return false;
        std::size_t size = 0;
        if (!read_number(std::string_view(buffer_).substr(0, line_end), size, 16)) {
            malformed_ = true;
            return false;
        }
        if (buffer_.size() < line_end + 2 + size + 2) return false;
        answer_.body.append(buffer_, line_end + 2, size);
        buffer_.erase(0, line_end + 2 + size + 2);
        if (size == 0) return true;
    }
}

bool HttpReader::take(std::string_view bytes) {
    buffer_ += bytes;
    if (malformed_ || (!in_body_ && !read_head())) return false;
    if (chunked_) return read_chunks();
    answer_.body += buffer_;
    buffer_.clear();
    return has_length_ && answer_.body.size() >= length_;
}

bool HttpReader::end() { return in_body_ && !malformed_ && !has_length_ && !chunked_; }

HttpClient::HttpClient(posix::EventLoop& loop) : connections_(loop, *this) { loop.add_task(connections_); }

void HttpClient::ask(std::string_view method, const std::string& host, std::uint16_t port, std::string_view path, std::string_view body,
                     OnAnswer on_answer) {
    const auto id = connections_.connect(host, port);
    if (!id) return on_answer(id.error());
    const bool v6 = host.find(':') != std::string::npos;
    const std::string length = body.empty() && method == "GET" ? std::string() : fmt::format("Content-Length: {}\r\n", body.size());
    requests_[id.value()] = {.text = fmt::format("{} {} HTTP/1.1\r\nHost: {}{}{}:{}\r\n{}Connection: close\r\n\r\n{}", method, path,
                                                 v6 ? "[" : "", host, v6 ? "]" : "", port, length, body),
                             .reader = {},
                             .on_answer = std::move(on_answer)};
}

void HttpClient::on_open(posix::TcpId id, const posix::PeerAddress&) { connections_.send(id, base::as_bytes(requests_.at(id).text)); }

std::size_t HttpClient::on_bytes(posix::TcpId id, base::ByteView bytes) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return bytes.size();
    HttpReader& reader = found->second.reader;
    if (reader.take(base::as_text(bytes))) {
        connections_.close(id);
        finish(id, std::move(reader.answer()));
    } else if (reader.malformed()) {
        connections_.abort(id);
        finish(id, base::Error{base::Errc::malformed});
    }
    return bytes.size();
}

void HttpClient::on_closed(posix::TcpId id, const base::Error& why) {
    const auto found = requests_.find(id);
    if (found == requests_.end()) return;
    if (found->second.reader.end()) {
        finish(id, std::move(found->second.reader.answer()));
    } else {
        finish(id, why);
    }
}

void HttpClient::finish(posix::TcpId id, base::Result<HttpAnswer> result) {
    const OnAnswer on_answer = std::move(requests_.at(id).on_answer);
    requests_.erase(id);
    on_answer(std::move(result));
}

}  // namespace sluice::local
