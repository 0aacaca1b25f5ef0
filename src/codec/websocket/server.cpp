#include "codec/websocket/server.hpp"

#include <algorithm>

namespace sluice::websocket {

Server::State Server::state() const { return handshake_ == State::open ? state_of<State>(stream_.state()) : handshake_; }

Server::State Server::receive(base::ByteView in, base::Bytes& up, base::Bytes& down) {
    if (handshake_ == State::opening) take_request(in, down);
    if (handshake_ == State::open) stream_.receive(in, up, down);
    return state();
}

/// Leaves in `in` what came behind the request.
void Server::take_request(base::ByteView& in, base::Bytes& down) {
    const std::size_t before = kept_.size();
    base::append(kept_, in.first(std::min(in.size(), kHeadBytesMax - before)));
    Upgrade judged = upgrade(kept_, *policy_);
    if (judged.status == UpgradeStatus::incomplete) return;
    base::append(down, std::string_view(judged.answer));
    if (judged.status == UpgradeStatus::refused) {
        handshake_ = State::failed;
        refusal_ = judged.problem;
        return;
    }
    handshake_ = State::open;
    in = in.subspan(judged.size - before);  // the request was not complete before, so its end lies in `in`
    kept_ = base::Bytes();
}

void Server::finish(base::Bytes& down) {
    if (handshake_ == State::open) return stream_.finish(down);
    if (handshake_ == State::opening) handshake_ = State::closed;
}

}  // namespace sluice::websocket
