#include "codec/websocket/stream.hpp"

#include <algorithm>
#include <utility>

#include "data/topic.hpp"

namespace sluice::websocket {
namespace {

/// RFC 6455 §7.4: what may stand in a close frame.
bool is_close_code(unsigned code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) || (code >= 3000 && code <= 4999);
}

}  // namespace

Stream::Stream(Side side, Random random) : side_(side), random_(std::move(random)) {}

Stream::State Stream::receive(base::ByteView in, base::Bytes& up, base::Bytes& down) {
    while (state_ == State::open && !in.empty()) {
        if (!in_frame_) {
            // A header that is whole is read where it stands; the rest of one is gathered.
            const bool gathered = !kept_.empty();
            const std::size_t before = kept_.size();
            if (gathered) base::append(kept_, in.first(std::min(in.size(), kFrameHeaderBytesMax - before)));
            const ParsedHeader parsed =
                parse_header(gathered ? base::ByteView(kept_) : in, side_ == Side::server ? Side::client : Side::server);
            if (parsed.status == HeaderStatus::incomplete) {
                if (!gathered) base::append(kept_, in);
                break;
            }
            if (parsed.status == HeaderStatus::protocol_error) {
                fail(CloseCode::protocol_error, "a frame breaks the protocol", down);
                break;
            }
            if (parsed.status == HeaderStatus::too_big) {
                fail(CloseCode::too_big, "a frame is longer than any MQTT packet", down);
                break;
            }
            in = in.subspan(parsed.size - before);
            kept_.clear();
            if (!begin_frame(parsed.header, down)) break;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
        base::Bytes& to = frame_.is_control() ? kept_ : up;
        const std::size_t at = to.size();
        base::append(to, in.first(count));
        if (side_ == Side::server) unmask(to.data() + at, count, frame_.mask, frame_.length - left_);
        left_ -= count;
        in = in.subspan(count);
        if (left_ != 0) break;
        in_frame_ = false;
        if (frame_.is_control()) end_control(down);
    }
    return state_;
}

bool Stream::begin_frame(const FrameHeader& header, base::Bytes& down) {
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

void Stream::end_control(base::Bytes& down) {
    if (frame_.opcode == Opcode::ping) {
        write(Opcode::pong, kept_, down);
    } else if (frame_.opcode == Opcode::close) {
        end_close(down);
    }
    kept_.clear();
}

void Stream::end_close(base::Bytes& down) {
    if (kept_.empty()) {
        state_ = State::closed;
        return write(Opcode::close, {}, down);
    }
    const unsigned code = kept_.size() < 2 ? 0 : static_cast<unsigned>(kept_[0]) << 8 | kept_[1];
    if (!is_close_code(code)) return fail(CloseCode::protocol_error, "a close frame with an impossible code", down);
    if (!data::is_mqtt_utf8(base::as_text(base::ByteView(kept_).subspan(2)))) {
        return fail(CloseCode::invalid_text, "a close frame whose reason is not text", down);
    }
    state_ = State::closed;
    write_close(static_cast<CloseCode>(code), down);  // the same code goes back (§5.5.1)
}

void Stream::fail(CloseCode code, std::string_view problem, base::Bytes& down) {
    state_ = State::failed;
    problem_ = problem;
    write_close(code, down);
}

void Stream::write(Opcode opcode, base::ByteView payload, base::Bytes& down) {
    if (side_ == Side::server) {
        append_header(down, opcode, payload.size());
        return base::append(down, payload);
    }
    std::array<base::Byte, 4> mask{};
    random_(mask);
    append_header(down, opcode, payload.size(), &mask);
    const std::size_t at = down.size();
    base::append(down, payload);
    unmask(down.data() + at, payload.size(), mask, 0);
}

void Stream::write_close(CloseCode code, base::Bytes& down) {
    const std::array<base::Byte, 2> text{static_cast<base::Byte>(static_cast<unsigned>(code) >> 8),
                                         static_cast<base::Byte>(static_cast<unsigned>(code) & 0xFFU)};
    write(Opcode::close, text, down);
}

void Stream::send(base::ByteView payload, base::Bytes& down) {
    if (!payload.empty()) write(Opcode::binary, payload, down);
}

void Stream::finish(base::Bytes& down) {
    if (state_ != State::open) return;
    state_ = State::closed;
    write_close(CloseCode::normal, down);
}

}  // namespace sluice::websocket
