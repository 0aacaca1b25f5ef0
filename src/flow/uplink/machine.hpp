// The uplink's inside: connection phases (machine.cpp) and what to send next (sending.cpp).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/mqtt/client_session.hpp"
#include "flow/uplink/lane.hpp"
#include "flow/uplink/pacing.hpp"
#include "flow/uplink/uplink.hpp"

namespace sluice::uplink {

class Uplink::Machine final : public mqtt::ClientListener {
public:
    Machine(Options options, std::unique_ptr<Dialect> dialect, EventSource& source, StatusSource& status, Transport& transport,
            env::Entropy& entropy);

    void start(base::Monotonic now);
    void stop(base::Monotonic now);
    void on_connected(base::Monotonic now);
    std::size_t on_bytes(base::ByteView bytes, base::Monotonic now);
    void on_closed(base::Monotonic now);
    void on_events(base::Monotonic now);
    void on_tick(base::Monotonic now);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    [[nodiscard]] const Stats& stats() const { return stats_; }

    // mqtt::ClientListener: these only take note; the call that led to them acts when the session has returned.
    void on_connected(const mqtt::Connack& connack) override;
    void on_message(const mqtt::Publish& message) override;
    void on_acked(mqtt::PacketId id, base::ByteView codes) override;
    void on_closed(mqtt::ReasonCode why) override;

private:
    enum class Phase : std::uint8_t {
        stopped,
        pausing,   ///< until due_: back-off
        opening,   ///< until due_: the transport connects
        greeting,  ///< until due_: CONNECT is out, CONNACK is awaited
        connected,
    };
    static constexpr std::size_t kStatusLane = SIZE_MAX;
    /// A message that waits for its PUBACK.
    struct Sent {
        mqtt::PacketId id;
        std::size_t lane;  ///< index into lanes_, or kStatusLane
        data::Sequence last;
        std::size_t events;
        std::size_t bytes;
        base::Monotonic at;
        bool limited;  ///< more could have been sent, but for the window
        bool acked = false;
    };

    void open(base::Monotonic now);
    void begin_session(base::Monotonic now);
    void lose(base::Monotonic now, Trouble trouble, bool close_transport = true);
    /// Ends the session when the call that noted it returns.
    void note(Trouble trouble);
    void settle(base::Monotonic now);
    void flush();
    [[nodiscard]] base::Monotonic stall_at() const;

    void pump(base::Monotonic now);
    bool pump_lanes(base::Monotonic now);
    bool send_from(std::size_t lane, base::Monotonic now);
    void publish_batch(std::size_t lane, const BatchFiller& filled, data::Epoch epoch, base::Monotonic now);
    void send_status(bool online, base::Monotonic now);
    base::Result<mqtt::PacketId> publish(const Outgoing& outgoing, base::Monotonic now);
    [[nodiscard]] std::size_t waiting_events(const Lane& lane) const;
    [[nodiscard]] std::size_t slots_free(const Lane& lane) const;
    [[nodiscard]] bool has_company(const Lane& lane, base::Monotonic now) const;
    void wake_by(base::Monotonic at);
    void forget_acked();

    Options options_;
    std::unique_ptr<Dialect> dialect_;
    EventSource& source_;
    StatusSource& status_;
    Transport& transport_;
    env::Entropy& entropy_;

    mqtt::ClientSession session_;
    mqtt::VersionChoice versions_;
    base::Bytes out_;
    std::vector<Lane> lanes_;
    std::vector<std::size_t> order_;  // of lanes_: the most urgent first; equal priorities take turns
    std::deque<Sent> in_flight_;
    std::size_t lower_bytes_ = 0;     // in flight of lanes that are not top
    std::size_t lower_messages_ = 0;  // the same in messages
    std::size_t batch_items_max_ = 1;
    ByteWindow window_;
    RateBucket bucket_;  // of events
    RateBucket message_bucket_;
    RateBucket byte_bucket_;
    BackOff back_off_;
    Stats stats_;

    Phase phase_ = Phase::stopped;
    base::Monotonic now_{};       // of the call under way
    base::Monotonic due_{};       // end of a phase
    base::Monotonic progress_{};  // last acknowledgement, or when something went out after nothing was
    base::Monotonic status_due_{};
    std::optional<base::Monotonic> wake_;  // when pump() may have more to do than now
    unsigned stalls_in_a_row_ = 0;
    bool status_in_flight_ = false;
    std::optional<Trouble> over_;  // noted: the session ends
};

}  // namespace sluice::uplink
