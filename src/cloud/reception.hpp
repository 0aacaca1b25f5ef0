// The cloud's front: gateways' connections in, decoded deliveries out, acknowledgements when they are stored. A machine without I/O around
// the hub.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/admission.hpp"
#include "cloud/delivery.hpp"
#include "cloud/gateways.hpp"
#include "codec/wire/batch.hpp"
#include "flow/hub/hub.hpp"

namespace sluice::cloud {

/// What the reception needs: its connections' outputs, and the queue to the store.
class ReceptionPort {
public:
    virtual ~ReceptionPort() = default;
    /// As hub::Port's functions of these names.
    [[nodiscard]] virtual base::Bytes* output(hub::ConnectionId to) = 0;
    [[nodiscard]] virtual std::size_t queued_bytes(hub::ConnectionId of) const = 0;
    virtual void close(hub::ConnectionId connection) = 0;
    [[nodiscard]] virtual std::string_view certificate_name(hub::ConnectionId /*of*/) const { return {}; }
    /// Passes a delivery to the store, in order. Never refuses: what waits is bounded because reading stops in time (wants_input).
    virtual void submit(Delivery&& delivery) = 0;
};

struct ReceptionCounts {
    std::uint64_t batches = 0;
    std::uint64_t batch_bytes = 0;  ///< as they came
    std::uint64_t refused = 0;      ///< batches that do not follow the format: their connection was closed
    std::uint64_t statuses = 0;
    std::uint64_t invalid_statuses = 0;
};

/// One thread. Every delivery gets a ticket; its PUBACK leaves after on_durable() with that ticket or a later one.
class Reception final : private hub::Port {
public:
    static constexpr std::size_t kStatusBytesMax = 64 * 1024;

    Reception(const hub::Limits& limits, hub::Authenticator& admission, Gateways& gateways, ReceptionPort& port);

    void on_connected(hub::ConnectionId who, const hub::Peer& peer, base::Monotonic now) { hub_.on_connected(who, peer, now); }
    /// As Hub::on_bytes.
    std::size_t on_bytes(hub::ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall);
    void on_closed(hub::ConnectionId who, base::Monotonic now, base::WallTime wall);
    /// Everything up to this ticket is stored.
    void on_durable(std::uint64_t ticket) { hub_.on_durable(ticket); }
    void on_tick(base::Monotonic now, base::WallTime wall);
    void end_of_turn(base::Monotonic now) { hub_.end_of_turn(now); }
    void shut_down(base::Monotonic now) { hub_.shut_down(now); }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const { return hub_.next_deadline(); }
    [[nodiscard]] bool wants_input() const { return hub_.wants_input(); }

    [[nodiscard]] const ReceptionCounts& counts() const { return counts_; }
    [[nodiscard]] const hub::Counters& hub_counters() const { return hub_.counters(); }

private:
    base::Bytes* output(hub::ConnectionId to) override { return port_.output(to); }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override { return port_.queued_bytes(of); }
    void close(hub::ConnectionId connection) override { port_.close(connection); }
    [[nodiscard]] std::string_view certificate_name(hub::ConnectionId of) const override { return port_.certificate_name(of); }
    hub::Ticket accept(const data::Reading& reading, bool acknowledged) override;
    bool to_shard(data::ShardIndex shard, hub::ShardMessage&& message) override;
    void on_presence(std::string_view client, bool online) override;

    hub::Ticket take_batch(std::string_view gateway, const data::Reading& reading);
    hub::Ticket take_status(std::string_view gateway, const data::Reading& reading);

    Gateways& gateways_;
    ReceptionPort& port_;
    wire::Decoder decoder_;
    ReceptionCounts counts_;
    std::uint64_t ticket_ = 0;
    std::string refused_;  ///< client whose batch was refused in the on_bytes call under way
    base::WallTime wall_{};
    hub::Hub hub_;  // last: it calls the others
};

/// Takes the ledger out of a status: the object as compact JSON. Errors: malformed (not such a document), too_large; nothing in an
/// offline status: empty.
[[nodiscard]] base::Result<std::string> ledger_of_status(base::ByteView status);

}  // namespace sluice::cloud
