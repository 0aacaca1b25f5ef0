#include "flow/uplink/http_carrier.hpp"

#include <string>
#include <utility>

#include "codec/http/request.hpp"

namespace sluice::uplink {

using base::Monotonic;

namespace {

constexpr std::uint16_t kTooLarge = 413;

constexpr bool is_success(std::uint16_t status) { return status >= 200 && status < 300; }
/// What somebody else answers in place of the receiver, or the receiver to somebody whom it does not know.
constexpr bool refuses_us(std::uint16_t status) {
    return (status >= 300 && status < 400) || status == 401 || status == 403 || status == 407;
}
constexpr bool shuts_out(std::uint16_t status) { return refuses_us(status) || status >= 500; }

/// What says nothing of the message: too slow, too many, out of order at the receiver's (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4).
constexpr bool passes(std::uint16_t status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

}  // namespace

HttpCarrier::HttpCarrier(Options options, Transport& transport) : options_(std::move(options)), transport_(transport) {}

void HttpCarrier::open(Monotonic) {
    out_.clear();
    open_ = true;
    transport_.open();
}

void HttpCarrier::close(bool flush_first) {
    if (flush_first) flush();
    out_.clear();
    waiting_ = Waiting::nothing;
    reached_ = reusable_ = false;
    if (std::exchange(open_, false)) transport_.close(flush_first);
}

void HttpCarrier::on_connected(Monotonic now) {
    if (!open_ || reached_) return;
    reached_ = true;
    if (std::exchange(proved_, false)) {
        reusable_ = true;
        listener_->on_ready(now);
        return listener_->settle(now);
    }
    begin("HEAD", options_.probe_path);
    http::end_head(out_);
    reader_.expect(true);
    waiting_ = Waiting::probe;
    flush();
}

void HttpCarrier::begin(std::string_view method, std::string_view path) {
    http::begin_request(out_, method, path, options_.host);
    http::append_header(out_, "User-Agent", "sluice");
    if (!options_.authorization.empty()) http::append_header(out_, "Authorization", options_.authorization);
}

base::Result<Ticket> HttpCarrier::send(const Outgoing& message, Monotonic) {
    if (window_free() == 0) return base::Error{base::Errc::limit};
    begin("POST", message.topic);
    http::append_header(out_, "Content-Type", "application/json");
    http::append_header(out_, "Content-Length", std::to_string(message.payload.size()));
    if (!message.id.empty()) http::append_header(out_, "Idempotency-Key", message.id);
    for (const auto& [name, value] : message.headers) http::append_header(out_, std::string("Sluice-").append(name), value);
    http::end_head(out_);
    base::append(out_, message.payload);
    reader_.expect(false);
    waiting_ = Waiting::message;
    return ++last_;
}

void HttpCarrier::flush() {
    if (out_.empty() || !open_) return;
    bytes_up_ += out_.size();
    transport_.send(out_);
    out_.clear();
}

std::size_t HttpCarrier::on_bytes(base::ByteView bytes, Monotonic now) {
    if (!reached_) return bytes.size();
    const auto step = reader_.read(bytes);
    bytes_down_ += step.used;
    if (step.status == http::ResponseReader::Status::malformed) {
        listener_->on_over({.trouble = Trouble::no_answer});
        listener_->settle(now);
        return bytes.size();
    }
    if (step.status == http::ResponseReader::Status::complete) {
        take_answer(now);
        listener_->settle(now);
    }
    return step.used;
}

void HttpCarrier::on_closed(Monotonic now) {
    if (!std::exchange(open_, false)) return;
    if (waiting_ != Waiting::nothing && reader_.end()) take_answer(now);
    // A server may end a connection that nobody uses; that is no failure, but one that does so again and again is not hammered.
    const bool idle = waiting_ == Waiting::nothing && reached_;
    listener_->on_over({.trouble = idle ? Trouble::none : reached_ ? Trouble::closed : Trouble::unreachable});
    listener_->settle(now);
}

void HttpCarrier::take_answer(Monotonic now) {
    const http::Response answer = reader_.response();
    const Waiting waited = std::exchange(waiting_, Waiting::nothing);
    // With Retry-After it says that it will take as much some time (RFC 9110, 15.5.14).
    const bool too_large = answer.status == kTooLarge && !answer.retry_after;
    reusable_ = answer.keep_alive;
    if (waited == Waiting::probe && shuts_out(answer.status))
        return listener_->on_over({.trouble = Trouble::refused, .refusal = answer.status, .pause = answer.retry_after});
    if (waited == Waiting::probe) {
        listener_->on_ready(now);
    } else if (is_success(answer.status)) {
        listener_->on_taken(last_, now);
    } else if (too_large) {
        listener_->on_refused(last_, answer.status, Refusal::too_large);
    } else if (refuses_us(answer.status)) {
        // It may be so for this path alone: if others go through on the same connection, it is.
        listener_->on_over({.trouble = Trouble::refused, .refusal = answer.status, .of_message = true, .pause = answer.retry_after});
    } else {
        listener_->on_over(
            {.trouble = Trouble::not_taken, .refusal = answer.status, .passing = passes(answer.status), .pause = answer.retry_after});
    }
    if (reusable_) return;
    proved_ = waited == Waiting::probe || is_success(answer.status) || too_large;
    listener_->on_over({.trouble = Trouble::none, .at_once = true});
}

}  // namespace sluice::uplink
