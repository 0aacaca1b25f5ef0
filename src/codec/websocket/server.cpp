#include "codec/websocket/server.hpp"

#include <algorithm>

#include "data/topic.hpp"

namespace sluice::websocket {
namespace {

void append_close(base::Bytes& down, CloseCode code) {
    append_header(down, Opcode::close, 2);
    down.push_back(static_cast<base::Byte>(static_cast<unsigned>(code) >> 8));
    down.push_back(static_cast<base::Byte>(static_cast<unsigned>(code) & 0xFFU));
}

/// RFC 6455 §7.4: what may stand in a close frame.
bool is_close_code(unsigned code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) || (code >= 3000 && code <= 4999);
}

}  // namespace

Server::State Server::receive(base::ByteView in, base::Bytes& up, base::Bytes& down) {
    if (state_ == State::opening) take_request(in, down);
    if (state_ == State::open) take_frames(in, up, down);
    return state_;
}

/// Leaves in `in` what came behind the request.
void Server::take_request(base::ByteView& in, base::Bytes& down) {
    const std::size_t before = kept_.size();
    base::append(kept_, in.first(std::min(in.size(), kRequestBytesMax - before)));
    Upgrade judged = upgrade(kept_, *policy_);
    if (judged.status == UpgradeStatus::incomplete) return;
    base::append(down, std::string_view(judged.answer));
    if (judged.status == UpgradeStatus::refused) {
        state_ = State::failed;
        problem_ = judged.problem;
        return;
    }
    state_ = State::open;
    in = in.subspan(judged.size - before);  // the request was not complete before, so its end lies in `in`
    kept_ = {};
}

void Server::take_frames(base::ByteView in, base::Bytes& up, base::Bytes& down) {
    while (state_ == State::open && !in.empty()) {
        if (!in_frame_) {
            // A header that is whole is read where it stands; the rest of one is gathered.
            const bool gathered = !kept_.empty();
            const std::size_t before = kept_.size();
            if (gathered) base::append(kept_, in.first(std::min(in.size(), kFrameHeaderBytesMax - before)));
            const ParsedHeader parsed = parse_header(gathered ? base::ByteView(kept_) : in);
            if (parsed.status == HeaderStatus::incomplete) {
                if (!gathered) base::append(kept_, in);
                return;
            }
            if (parsed.status == HeaderStatus::protocol_error) return fail(CloseCode::protocol_error, "a frame breaks the protocol", down);
            if (parsed.status == HeaderStatus::too_big) return fail(CloseCode::too_big, "a frame is longer than any MQTT packet", down);
            in = in.subspan(parsed.size - before);
            kept_.clear();
            if (!begin_frame(parsed.header, down)) return;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
        base::Bytes& to = frame_.is_control() ? kept_ : up;
        const std::size_t at = to.size();
        base::append(to, in.first(count));
        unmask(to.data() + at, count, frame_.mask, frame_.length - left_);
        left_ -= count;
        in = in.subspan(count);
        if (left_ != 0) return;
        in_frame_ = false;
        if (frame_.is_control()) end_control(down);
    }
}

bool Server::begin_frame(const FrameHeader& header, base::Bytes& down) {
    switch (header.opcode) {
        case Opcode::text:
            fail(CloseCode::unsupported_data, "a text frame: MQTT travels in binary frames", down);
            return false;
        case Opcode::binary:
        case Opcode::continuation:
            if ((header.opcode == Opcode::continuation) != in_message_) {
                fail(CloseCode::protocol_error, "fragments out of order", down);
                return false;
            }
            in_message_ = !header.last;
            break;
        default:
            break;
    }
    frame_ = header;
    left_ = header.length;
    in_frame_ = left_ != 0;
    if (left_ == 0 && header.is_control()) end_control(down);
    return state_ == State::open;
}

void Server::end_control(base::Bytes& down) {
    if (frame_.opcode == Opcode::ping) {
        append_header(down, Opcode::pong, kept_.size());
        base::append(down, kept_);
    } else if (frame_.opcode == Opcode::close) {
        end_close(down);
    }
    kept_.clear();
}

void Server::end_close(base::Bytes& down) {
    if (kept_.empty()) {
        state_ = State::closed;
        return append_header(down, Opcode::close, 0);
    }
    const unsigned code = kept_.size() < 2 ? 0 : static_cast<unsigned>(kept_[0]) << 8 | kept_[1];
    if (!is_close_code(code)) return fail(CloseCode::protocol_error, "a close frame with an impossible code", down);
    if (!data::is_mqtt_utf8(base::as_text(base::ByteView(kept_).subspan(2)))) {
        return fail(CloseCode::invalid_text, "a close frame whose reason is not text", down);
    }
    state_ = State::closed;
    append_close(down, static_cast<CloseCode>(code));  // the same code goes back (§5.5.1)
}

void Server::fail(CloseCode code, std::string_view problem, base::Bytes& down) {
    state_ = State::failed;
    problem_ = problem;
    append_close(down, code);
}

void Server::send(base::ByteView payload, base::Bytes& down) const {
    if (payload.empty()) return;
    append_header(down, Opcode::binary, payload.size());
    base::append(down, payload);
}

void Server::finish(base::Bytes& down) {
    if (state_ == State::open) append_close(down, CloseCode::normal);
    if (state_ != State::failed) state_ = State::closed;
}

}  // namespace sluice::websocket
