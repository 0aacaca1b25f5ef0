// links: sluice_codec_websocket
// A Server fed at once and fed in pieces (the first byte says how long they are) ends in the same state with the same bytes both ways. An
// input that does not begin with a request is read as frames behind a good one. The same for a Client, whose key is always that of the
// sample in RFC 6455 §1.3, and an input that does not begin with an answer.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "codec/websocket/client.hpp"
#include "codec/websocket/server.hpp"
#include "codec/websocket/test_frames.hpp"

using namespace sluice::websocket;
using sluice::base::Bytes;
using sluice::base::ByteView;

namespace {

void sample(std::span<sluice::base::Byte> out) { std::copy_n("the sample nonce", out.size(), out.begin()); }

template <class Side>
struct Result {
    explicit Result(Side made) : side(std::move(made)) {}
    void give(ByteView in) {
        if (side.state() == Side::State::closed || side.state() == Side::State::failed) return;
        side.receive(in, up, down);
    }
    Side side;
    Bytes up;
    Bytes down;
};

/// `handshake` goes before an input that does not begin as one.
template <class Side>
void compare(Result<Side> whole, Result<Side> pieces, std::string_view handshake, ByteView in, std::size_t piece) {
    if (in.empty() || in[0] != static_cast<sluice::base::Byte>(handshake[0])) {
        whole.give(sluice::base::as_bytes(handshake));
        pieces.give(sluice::base::as_bytes(handshake));
    }
    whole.give(in);
    for (std::size_t at = 0; at < in.size(); at += piece) pieces.give(in.subspan(at, std::min(piece, in.size() - at)));
    if (whole.side.state() != pieces.side.state() || whole.up != pieces.up || whole.down != pieces.down) std::abort();
    if (whole.side.problem() != pieces.side.problem()) std::abort();
    if (whole.up.size() > in.size()) std::abort();
}

constexpr std::string_view kAnswer =
    "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

Result<Client> client() {
    Result<Client> out(Client("a", "/", sample));
    out.side.begin(out.down);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 40;
    const ByteView in(data + 1, size - 1);
    const auto policy = std::make_shared<const OriginPolicy>();
    compare(Result<Server>(Server(policy)), Result<Server>(Server(policy)), kRequest, in, piece);
    compare(client(), client(), kAnswer, in, piece);
    return 0;
}
