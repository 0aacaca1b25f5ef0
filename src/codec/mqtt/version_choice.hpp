// Which version of MQTT a server is asked for: the best first, another one only where there is evidence that it must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/mqtt/packet.hpp"

namespace sluice::mqtt {

/// Why the first one was passed over.
enum class Fallback : std::uint8_t {
    none,
    refused,  ///< the remote has said that it does not know it
    hung_up,  ///< it has hung up on it, has answered another one, and has hung up on it again
};

/// A server that hangs up on a CONNECT may not know its version, or may just be going away: a balancer without a broker behind it hangs up
/// on everybody. So a version that is answered after another was hung up on is not taken at once: all begins again with the first, now that
/// the remote is known to be there.
class VersionChoice {
public:
    struct Attempt {
        Version version;
        bool bridge_bit = false;  ///< Connect::bridge
        friend bool operator==(const Attempt&, const Attempt&) = default;
    };
    /// In the order in which they are tried; they outlive this.
    explicit VersionChoice(std::span<const Attempt> all) : all_(all) {}

    [[nodiscard]] Attempt current() const { return all_[at_]; }
    [[nodiscard]] Fallback fallback() const { return fallback_; }

    /// The remote has refused the current one. False: there is no other, and the first is next.
    bool refused() { return next(Fallback::refused); }
    /// It has hung up without a word.
    void hung_up() {
        const bool doubtful = !is_there_;
        doubtful_ = next(Fallback::hung_up) && (doubtful_ || doubtful);
    }
    /// It has let us in. False: not to be taken yet, current() is to be tried first.
    [[nodiscard]] bool answered() {
        if (!doubtful_) return true;
        begin_again();
        is_there_ = true;
        return false;
    }
    /// Nothing is known of the remote (any more).
    void begin_again() {
        at_ = 0;
        fallback_ = Fallback::none;
        doubtful_ = is_there_ = false;
    }

private:
    bool next(Fallback why) {
        if (at_ + 1 >= all_.size()) {
            begin_again();
            return false;
        }
        if (at_++ == 0) fallback_ = why;
        return true;
    }

    std::span<const Attempt> all_;
    std::size_t at_ = 0;
    Fallback fallback_ = Fallback::none;
    bool doubtful_ = false;  // a version was passed over by hung_up() only
    bool is_there_ = false;  // it has answered one: whom it hangs up on now it does not know
};

}  // namespace sluice::mqtt
