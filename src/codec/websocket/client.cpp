#include "codec/websocket/client.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/websocket/server.hpp"

namespace sluice::websocket {

Client::Client(std::string authority, std::string path, Random random)
    : authority_(std::move(authority)), path_(std::move(path)), random_(random), stream_(Side::client, std::move(random)) {}

Client::State Client::state() const { return handshake_ == State::open ? state_of<State>(stream_.state()) : handshake_; }

void Client::begin(base::Bytes& down) {
    std::array<base::Byte, kNonceBytes> nonce{};
    random_(nonce);
    key_ = request_key(nonce);
    base::append(down, std::string_view(request(authority_, path_, key_)));
}

Client::State Client::receive(base::ByteView in, base::Bytes& up, base::Bytes& down) {
    if (handshake_ == State::opening) take_answer(in);
    if (handshake_ == State::open) stream_.receive(in, up, down);
    return state();
}

/// Leaves in `in` what came behind the answer.
void Client::take_answer(base::ByteView& in) {
    const std::size_t before = kept_.size();
    base::append(kept_, in.first(std::min(in.size(), kHeadBytesMax - before)));
    Answer judged = judge_answer(kept_, key_);
    if (judged.status == UpgradeStatus::incomplete) return;
    if (judged.status == UpgradeStatus::refused) {
        handshake_ = State::failed;
        refusal_ = std::move(judged.problem);
        return;
    }
    handshake_ = State::open;
    in = in.subspan(judged.size - before);  // the answer was not complete before, so its end lies in `in`
    kept_ = {};
}

void Client::finish(base::Bytes& down) {
    if (handshake_ == State::open) return stream_.finish(down);
    if (handshake_ == State::opening) handshake_ = State::closed;
}

}  // namespace sluice::websocket
