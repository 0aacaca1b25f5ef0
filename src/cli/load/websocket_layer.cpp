#include "cli/load/websocket_layer.hpp"

#include <span>

#include <fmt/format.h>

#include "codec/websocket/client.hpp"
#include "env/posix/entropy.hpp"

namespace sluice::load {
namespace {

void fill_at_random(std::span<base::Byte> bytes) {
    posix::PosixEntropy entropy;
    entropy.fill(bytes);
}

class WebSocketLayer final : public posix::StreamLayer {
public:
    WebSocketLayer(std::string authority, const std::string& path) : client_(std::move(authority), path, fill_at_random) {}

    [[nodiscard]] Kind kind() const override { return Kind::websocket; }
    void begin(base::Bytes& down) override { client_.begin(down); }
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override {
        switch (client_.receive(in, up, down)) {
            case websocket::Client::State::opening:
                return State::opening;
            case websocket::Client::State::open:
                return State::open;
            case websocket::Client::State::closed:
                return State::ended;
            case websocket::Client::State::failed:
                break;
        }
        return State::failed;
    }
    void send(base::ByteView plain, base::Bytes& down) override { client_.send(plain, down); }
    void finish(base::Bytes& down) override { client_.finish(down); }
    [[nodiscard]] std::string_view failure() const override { return client_.problem(); }

private:
    websocket::Client client_;
};

}  // namespace

std::unique_ptr<posix::StreamLayer> make_websocket_layer(const std::string& host, std::uint16_t port, const std::string& path) {
    const bool v6 = host.find(':') != std::string::npos;
    return std::make_unique<WebSocketLayer>(fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port), path);
}

}  // namespace sluice::load
