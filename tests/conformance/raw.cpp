#include "raw.hpp"

#include <stdexcept>

namespace sluice::conformance {

namespace {

unsigned digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    throw std::invalid_argument(std::string("not a hex digit: ") + c);
}

void append_length(base::Bytes& out, std::size_t value) {
    for (; value >= 128; value >>= 7) out.push_back(static_cast<base::Byte>(value | 0x80U));
    out.push_back(static_cast<base::Byte>(value));
}

/// Reads up to `end` or the end of the text; `at` is left behind it.
base::Bytes read(std::string_view text, std::size_t& at, char end) {
    base::Bytes out;
    while (at < text.size() && text[at] != end) {
        const char c = text[at++];
        if (c == ' ') continue;
        if (c == '{') {
            const auto inner = read(text, at, '}');
            append_length(out, inner.size());
            base::append(out, base::ByteView(inner));
        } else if (c == '\'' || c == '<') {
            const auto close = text.find(c == '<' ? '>' : '\'', at);
            const auto inside = text.substr(at, close - at);
            if (c == '<') {
                out.push_back(static_cast<base::Byte>(inside.size() >> 8));
                out.push_back(static_cast<base::Byte>(inside.size()));
            }
            base::append(out, inside);
            at = close + 1;
        } else {
            out.push_back(static_cast<base::Byte>(digit(c) << 4 | digit(text.at(at++))));
        }
    }
    ++at;
    return out;
}

/// A neighbour to whom a message must still come, whatever `act` does to the hub.
template <class Act>
auto undisturbed(Act&& act) {
    World world;
    Client& tap = connected(world, v5, "neighbour");
    tap.subscribe("neighbours/only");
    Client& publisher = connected(world, v311, "other");
    tap.take();
    auto result = act(world);
    publisher.publish("neighbours/only", "x");
    EXPECT_EQ(tap.text(), "PUBLISH neighbours/only 'x'") << "a neighbour was disturbed";
    return result;
}

std::string told(Client& client) {
    std::string text = client.text();
    if (client.closed()) text += text.empty() ? "closed" : " closed";
    return text;
}

}  // namespace

base::Bytes bytes(std::string_view text) {
    std::size_t at = 0;
    return read(text, at, '\0');
}

base::Bytes packet(unsigned first, std::string_view rest) {
    base::Bytes out{static_cast<base::Byte>(first)};
    const auto body = bytes(rest);
    append_length(out, body.size());
    base::append(out, base::ByteView(body));
    return out;
}

base::Bytes operator+(base::Bytes a, const base::Bytes& b) {
    base::append(a, base::ByteView(b));
    return a;
}

base::Bytes connect(Version version, std::string_view client) {
    const std::string id = "<" + std::string(client) + ">";
    if (version == v31) return packet(0x10, "<MQIsdp> 03 02 0000 " + id);
    return packet(0x10, version == v5 ? "<MQTT> 05 02 0000 {} " + id : "<MQTT> 04 02 0000 " + id);
}

Client& greet(World& world, Version version, const base::Bytes& first) {
    Client& client = world.open_at(0).speaks(version);
    client.send(first);
    return client;
}

Client& connected(World& world, Version version, std::string_view client) {
    Client& made = greet(world, version, connect(version, client));
    EXPECT_TRUE(made.text().starts_with("CONNACK 0x0"));
    return made;
}

std::string answer(Version version, const base::Bytes& sent) {
    return undisturbed([&](World& world) {
        Client& client = connected(world, version);
        client.send(sent);
        return told(client);
    });
}

std::string greeting(Version version, const base::Bytes& sent) {
    return undisturbed([&](World& world) { return told(greet(world, version, sent)); });
}

std::string raw_answer(Version version, const base::Bytes& sent) {
    return undisturbed([&](World& world) {
        Client& client = connected(world, version);
        client.send(sent);
        return hex(client.take_bytes());
    });
}

std::string raw_greeting(const base::Bytes& sent) {
    return undisturbed([&](World& world) { return hex(greet(world, v5, sent).take_bytes()); });
}

std::string hex(base::ByteView bytes) {
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{}{:02X}", text.empty() ? "" : " ", byte);
    return text;
}

std::string refusal(Version version, unsigned reason) { return version == v5 ? fmt::format("DISCONNECT {:#x} closed", reason) : "closed"; }

}  // namespace sluice::conformance
