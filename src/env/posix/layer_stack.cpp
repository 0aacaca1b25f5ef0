#include "env/posix/layer_stack.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"

namespace sluice::posix {
namespace {

constexpr std::size_t kKeptWireBytes = 4 * 1024;  // an idle connection keeps no larger buffer

/// What goes from one layer to the next: of one call only, so each thread needs it once and not each connection.
base::Bytes& scratch(std::size_t index) {
    thread_local std::array<base::Bytes, 2> between;
    return between[index % between.size()];
}

}  // namespace

LayerStack::LayerStack(std::vector<std::unique_ptr<StreamLayer>> layers) {
    base::check(!layers.empty(), "layers: a stack without a layer");
    layers_.reserve(layers.size());
    for (auto& layer : layers) layers_.push_back({std::move(layer)});
}

LayerStack::LayerStack(std::unique_ptr<StreamLayer> only) { layers_.push_back({std::move(only)}); }

void LayerStack::start() {
    started_ = true;
    begin(0);
}

void LayerStack::begin(std::size_t index) {
    base::Bytes first_words;
    layers_[index].layer->begin(first_words);
    if (!first_words.empty()) send_below(index, first_words);
}

void LayerStack::receive(base::ByteView wire, base::Bytes& plain, std::vector<Event>& events) {
    using State = StreamLayer::State;
    if (over_) return;
    passed_.clear();
    base::ByteView in = wire;
    base::Bytes answer;
    // What came up before a layer below ended still counts; only answers to it cannot leave any more.
    for (std::size_t i = 0; i < layers_.size() && !in.empty(); ++i) {
        Place& place = layers_[i];
        const bool last = i + 1 == layers_.size();
        base::Bytes& up = last ? plain : scratch(i);
        if (!last) up.clear();
        const std::size_t at = up.size();
        answer.clear();
        const State was = std::exchange(place.state, place.layer->receive(in, up, answer));
        if (!answer.empty() && !over_) send_below(i, answer);
        if (place.state == State::failed) {
            events.push_back({place.layer.get(), place.layer->failure()});
        } else if (was == State::opening && place.state != State::opening) {
            events.push_back({place.layer.get()});
        }
        const bool opened = was == State::opening && (place.state == State::open || place.state == State::passed);
        if (started_ && opened && !last) begin(i + 1);
        over_ = over_ || place.state == State::ended || place.state == State::failed;
        in = base::ByteView(up).subspan(at);
    }
    if (!over_ && wire_left() > kUnreadAnswersMax) {
        over_ = true;
        events.push_back({layers_.back().layer.get(), "the peer does not read what it asked for"});
    }
    std::erase_if(layers_, [this](Place& place) {
        if (place.state != State::passed) return false;
        passed_.push_back(std::move(place.layer));
        return true;
    });
}

/// Through the layers below `index`, down to the socket.
void LayerStack::send_below(std::size_t index, base::ByteView bytes) {
    while (index > 0 && layers_[index - 1].state == StreamLayer::State::passed) --index;
    if (index == 0) return base::append(wire_, bytes);
    Place& place = layers_[index - 1];
    if (place.state != StreamLayer::State::open) return;  // ended: nobody listens
    if (index == 1) return place.layer->send(bytes, wire_);
    thread_local std::array<base::Bytes, 2> between;  // by parity: one is read while the other is written
    base::Bytes& below = between[index % between.size()];
    below.clear();
    place.layer->send(bytes, below);
    send_below(index - 1, below);
}

void LayerStack::send(base::ByteView plain) {
    base::check(ready(), "layers: sending before the handshake is over");
    send_below(layers_.size(), plain);
}

void LayerStack::finish() {
    for (std::size_t i = layers_.size(); i > 0; --i) {
        Place& place = layers_[i - 1];
        if (place.state == StreamLayer::State::failed) continue;
        base::Bytes last_words;
        place.layer->finish(last_words);
        if (!last_words.empty()) send_below(i - 1, last_words);
    }
    over_ = true;
}

bool LayerStack::ready() const {
    return std::all_of(layers_.begin(), layers_.end(), [](const Place& place) {
        return place.state == StreamLayer::State::open || place.state == StreamLayer::State::passed;
    });
}

void LayerStack::wire_taken(std::size_t bytes) {
    wire_sent_ += bytes;
    if (wire_sent_ < wire_.size()) return;
    wire_sent_ = 0;
    if (wire_.capacity() > kKeptWireBytes) {
        wire_ = base::Bytes();
    } else {
        wire_.clear();
    }
}

std::string_view LayerStack::certificate_name() const {
    for (const Place& place : layers_) {
        if (const auto name = place.layer->certificate_name(); !name.empty()) return name;
    }
    return {};
}

std::vector<base::Bytes> LayerStack::certificates() const {
    for (const Place& place : layers_) {
        if (auto found = place.layer->certificates(); !found.empty()) return found;
    }
    return {};
}

std::size_t LayerStack::memory() const {
    std::size_t bytes = sizeof(LayerStack) + wire_.capacity();
    for (const Place& place : layers_) bytes += place.layer->memory();
    return bytes;
}

}  // namespace sluice::posix
