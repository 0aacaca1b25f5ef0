// The uplink's inside: connection phases (machine.cpp) and what to send next (sending.cpp).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/uplink/lane.hpp"
#include "flow/uplink/pacing.hpp"
#include "flow/uplink/uplink.hpp"

namespace sluice::uplink {

class Uplink::Machine final : public CarrierListener {
public:
    Machine(Options options, std::unique_ptr<Dialect> dialect, Carrier& carrier, EventSource& source, StatusSource& status,
            env::Entropy& entropy);

    void start(base::Monotonic now);
    void stop(base::Monotonic now);
    void on_events(base::Monotonic now);
    void on_tick(base::Monotonic now);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    [[nodiscard]] const Stats& stats() const { return stats_; }

    // CarrierListener: these only take note, but for settle().
    void on_ready(base::Monotonic now) override;
    void on_taken(Ticket ticket, base::Monotonic now) override;
    void on_refused(Ticket ticket, std::uint16_t code, Refusal why) override;
    void on_over(const Over& how) override;
    void settle(base::Monotonic now) override;

private:
    enum class Phase : std::uint8_t {
        stopped,
        pausing,  ///< until due_: back-off
        opening,  ///< until due_: the carrier connects and signs in
        connected,
    };
    static constexpr std::size_t kStatusLane = SIZE_MAX;
    /// A message that waits for its acknowledgement.
    struct Sent {
        Ticket id;
        std::size_t lane;  ///< index into lanes_, or kStatusLane
        data::Sequence first;
        data::Sequence last;
        std::size_t items;  ///< events and gaps
        std::size_t events;
        std::size_t bytes;   ///< of the payload
        std::size_t filled;  ///< of the items in it, before compression
        base::Monotonic at;
        bool limited;  ///< more could have been sent, but for the window
        bool on_trial;
        bool witnessed;  ///< something had gone through on this connection before
        bool acked = false;
    };

    void open(base::Monotonic now);
    void lose(base::Monotonic now, Over how);
    void flush();
    [[nodiscard]] bool heed_size(const Sent& sent, Refusal why);
    void send_again(std::size_t at);
    void note_refusal(std::uint16_t code);
    void drop_too_large(Lane& lane, data::Sequence sequence, MessageSize size);
    void blame(const Over& how, base::Monotonic now);
    void show_standing();
    [[nodiscard]] base::Monotonic stall_at() const;

    void pump(base::Monotonic now);
    bool pump_lanes(base::Monotonic now);
    /// What a class on trial that has something to send does now.
    enum class TrialTurn : std::uint8_t { go, others, wait };
    [[nodiscard]] TrialTurn trial_turn(Lane& lane, base::Monotonic now);
    [[nodiscard]] bool may_go(const Lane& lane, base::Monotonic now);
    bool send_from(std::size_t lane, base::Monotonic now);
    void publish_batch(std::size_t lane, const BatchFiller& filled, data::Epoch epoch, base::Monotonic now);
    void not_sent(Lane& lane, const BatchFiller& filled, std::size_t filled_bytes, const Outgoing& message, base::Errc why);
    void send_status(bool online, base::Monotonic now);
    [[nodiscard]] std::size_t waiting_events(const Lane& lane) const;
    [[nodiscard]] std::size_t slots_free(const Lane& lane) const;
    [[nodiscard]] bool has_company(const Lane& lane, base::Monotonic now) const;
    void wake_by(base::Monotonic at);
    void forget_acked();

    Options options_;
    std::unique_ptr<Dialect> dialect_;
    Carrier& carrier_;
    EventSource& source_;
    StatusSource& status_;
    env::Entropy& entropy_;

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
    base::Monotonic due_{};       // end of a phase
    base::Monotonic progress_{};  // last acknowledgement, or when something went out after nothing was
    base::Monotonic connected_at_{};
    base::Monotonic status_due_{};
    std::optional<base::Monotonic> wake_;  // when pump() may have more to do than now
    unsigned stalls_in_a_row_ = 0;
    bool status_in_flight_ = false;
    bool witness_ = false;           // something was acknowledged on this connection
    std::optional<Ticket> refused_;  // the message that the cloud has not taken
    bool dealt_with_ = false;        // what it has against it
    std::optional<Over> over_;       // noted: the connection ends
};

}  // namespace sluice::uplink
