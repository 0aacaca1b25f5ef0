// Is it the first event of a class that ends the connections? A cloud that hangs up on an event (a broker of MQTT 3.1.1 on a message that
// is too large for it) does not say so; what is known is only which message was the oldest without an answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "data/reading.hpp"

namespace sluice::uplink {

/// Of one class. Suspected after kEndsForTrial connections that ended at the same message; from then on the class sends less at a time and
/// alone, behind something else, until the suspected message is through. The event that has ended kEndsToStand connections in that way, in
/// a row, stops its class: it stands, and is tried again from time to time. Nothing is ever dropped for it.
class Trial {
public:
    static constexpr unsigned kEndsForTrial = 5;
    static constexpr unsigned kEndsToStand = 5;
    static constexpr std::chrono::minutes kStand{10};

    /// A message at which a connection ended.
    struct Message {
        data::Sequence first;
        data::Sequence last;
        std::size_t events = 0;
        std::size_t bytes = 0;   ///< of the payload
        bool witnessed = false;  ///< it went alone, and others had gone through before it
    };
    void on_end(const Message& message, base::Monotonic now);
    /// The cloud has everything before this.
    void on_acknowledged(data::Sequence end);

    [[nodiscard]] bool on_trial() const { return until_.has_value(); }
    /// Until when nothing of the class is sent.
    [[nodiscard]] std::optional<base::Monotonic> stands_until() const { return stands_until_; }
    /// In a message, while on trial.
    [[nodiscard]] std::size_t events_max() const { return events_max_; }
    /// The time to try again has come: what is sent now decides.
    void try_again() { stands_until_.reset(); }

    /// The event that makes the class stand, and its message's bytes; also while it is tried again.
    struct Guilty {
        data::Sequence sequence;
        std::size_t bytes;
    };
    [[nodiscard]] std::optional<Guilty> guilty() const;

private:
    data::Sequence first_{0};  // 0: none is suspected
    unsigned ends_ = 0;        // connections in a row that ended at it
    unsigned alone_ = 0;       // the same, when it went alone and was seen to
    std::size_t bytes_ = 0;
    std::size_t events_max_ = 1;
    std::optional<data::Sequence> until_;  // on trial: the suspected message ends before it
    std::optional<base::Monotonic> stands_until_;
};

}  // namespace sluice::uplink
