// links: sluice_codec_websocket
// A Server fed at once and fed in pieces (the first byte says how long they are) ends in the same state with the same bytes both ways. An
// input that does not begin with a request is read as frames behind a good one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "codec/websocket/server.hpp"
#include "codec/websocket/test_frames.hpp"

using namespace sluice::websocket;
using sluice::base::Bytes;
using sluice::base::ByteView;

namespace {

struct Result {
    explicit Result() : server(std::make_shared<const OriginPolicy>()) {}
    void give(ByteView in) {
        if (server.state() == Server::State::closed || server.state() == Server::State::failed) return;
        server.receive(in, up, down);
    }
    Server server;
    Bytes up;
    Bytes down;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 40;
    ByteView in(data + 1, size - 1);
    Result whole;
    Result pieces;
    if (in.empty() || in[0] != 'G') {
        whole.give(sluice::base::as_bytes(kRequest));
        pieces.give(sluice::base::as_bytes(kRequest));
    }
    whole.give(in);
    for (std::size_t at = 0; at < in.size(); at += piece) pieces.give(in.subspan(at, std::min(piece, in.size() - at)));
    if (whole.server.state() != pieces.server.state() || whole.up != pieces.up || whole.down != pieces.down) std::abort();
    if (whole.server.problem() != pieces.server.problem()) std::abort();
    if (whole.up.size() > in.size()) std::abort();
    return 0;
}
