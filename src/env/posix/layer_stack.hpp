// The layers of one connection, from the socket up, and the bytes that they have made for the socket.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "env/posix/stream_layer.hpp"

namespace sluice::posix {

class LayerStack {
public:
    /// The first layer is the one next to the socket; at least one.
    explicit LayerStack(std::vector<std::unique_ptr<StreamLayer>> layers);
    explicit LayerStack(std::unique_ptr<StreamLayer> only);

    /// What a handler must hear of: each layer that finished opening or failed during receive(), from the socket up.
    struct Event {
        const StreamLayer* layer = nullptr;
        std::string_view failure{};  ///< empty: it did not fail
    };

    /// A connection that we made stands: each layer says its first words as soon as the one below is open. Once, before receive().
    void start();
    /// Bytes from the socket; appends what they mean to `plain`. `events` is appended to; its pointers stay valid until the next call.
    void receive(base::ByteView wire, base::Bytes& plain, std::vector<Event>& events);
    /// Only when ready().
    void send(base::ByteView plain);
    /// The handler closes: last words of all layers, the uppermost first. Once; not after failed().
    void finish();

    /// All layers are open: what a handler sends can leave.
    [[nodiscard]] bool ready() const;
    /// A layer ended or failed: nothing more will come up.
    [[nodiscard]] bool over() const { return over_; }
    /// Nothing stands between socket and handler any more, and nothing waits: the connection is a plain one.
    [[nodiscard]] bool empty() const { return layers_.empty() && wire_left() == 0; }

    [[nodiscard]] base::ByteView wire() const { return base::ByteView(wire_).subspan(wire_sent_); }
    [[nodiscard]] std::size_t wire_left() const { return wire_.size() - wire_sent_; }
    void wire_taken(std::size_t bytes);

    [[nodiscard]] std::string_view certificate_name() const;
    [[nodiscard]] std::vector<base::Bytes> certificates() const;
    /// Bytes of memory, about.
    [[nodiscard]] std::size_t memory() const;

    /// Answers of the layers themselves (pongs, key updates) that a peer does not read: from here the connection is given up. Far above
    /// any handshake; what handlers send is bounded by them.
    static constexpr std::size_t kUnreadAnswersMax = 256 * 1024;

private:
    struct Place {
        std::unique_ptr<StreamLayer> layer;
        StreamLayer::State state = StreamLayer::State::opening;
    };
    void begin(std::size_t index);
    void send_below(std::size_t index, base::ByteView bytes);

    std::vector<Place> layers_;
    std::vector<std::unique_ptr<StreamLayer>> passed_;  // until the next receive(): events point at them
    base::Bytes wire_;
    std::size_t wire_sent_ = 0;
    bool started_ = false;
    bool over_ = false;
};

}  // namespace sluice::posix
