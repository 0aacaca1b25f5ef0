// Messages as POST requests of HTTP/1.1, one after the other on a connection that stays open. An answer of 2xx is the acknowledgement.
#pragma once

#include <chrono>
#include <string>

#include "codec/http/response.hpp"
#include "flow/uplink/carrier.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::uplink {

/// A connection begins with a HEAD for the probe's path: it proves that an HTTP server answers. Redirections (a captive portal), 401, 403,
/// 407 and 5xx are refusals; anything else, 404 and 405 too, lets us in. Redirections, 401, 403 and 407 of a POST refuse us as well.
class HttpCarrier final : public StreamCarrier {
public:
    struct Options {
        std::string host;           ///< header Host: with the port, if it is not the scheme's
        std::string authorization;  ///< "Bearer …" or "Basic …"; empty: none
        std::string probe_path = "/";
    };
    HttpCarrier(Options options, Transport& transport);

    void join(CarrierListener& listener) override { listener_ = &listener; }
    void open(base::Monotonic now) override;
    void close(bool flush) override;
    void farewell() override {}  // HTTP has none
    [[nodiscard]] bool reached() const override { return reached_; }
    [[nodiscard]] std::size_t window_free() const override { return waiting_ == Waiting::nothing && reusable_ ? 1 : 0; }
    base::Result<Ticket> send(const Outgoing& message, base::Monotonic now) override;
    [[nodiscard]] bool survives_too_large() const override { return true; }
    void flush() override;
    void on_tick(base::Monotonic) override {}
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override { return std::nullopt; }
    [[nodiscard]] std::uint64_t bytes_up() const override { return bytes_up_; }
    [[nodiscard]] std::uint64_t bytes_down() const override { return bytes_down_; }
    [[nodiscard]] std::string_view protocol() const override { return "HTTP/1.1"; }

    // From the transport
    void on_connected(base::Monotonic now) override;
    std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) override;
    void on_closed(base::Monotonic now) override;

private:
    enum class Waiting : std::uint8_t { nothing, probe, message };
    void begin(std::string_view method, std::string_view path);
    void take_answer(base::Monotonic now);

    Options options_;
    Transport& transport_;
    CarrierListener* listener_ = nullptr;
    http::ResponseReader reader_;
    base::Bytes out_;
    Ticket last_ = 0;
    Waiting waiting_ = Waiting::nothing;
    bool open_ = false;
    bool reached_ = false;
    bool reusable_ = false;  // another request may follow
    bool proved_ = false;    // the last connection ended behind a good answer: the next one needs no probe
    std::uint64_t bytes_up_ = 0;
    std::uint64_t bytes_down_ = 0;
};

}  // namespace sluice::uplink
