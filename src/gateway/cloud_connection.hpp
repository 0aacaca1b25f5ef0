// The connection to a cloud as the backbone holds it: a carrier for the uplink, and its turns in the loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "env/posix/event_loop.hpp"
#include "flow/uplink/carrier.hpp"

namespace sluice::gateway {

/// One thread, that of the loop.
class CloudConnection {
public:
    virtual ~CloudConnection() = default;
    [[nodiscard]] virtual uplink::Carrier& carrier() = 0;
    /// Before the loop runs, behind all tasks whose output it sends.
    virtual void attach() = 0;
    virtual void on_turn(base::Monotonic now) = 0;
    [[nodiscard]] virtual std::optional<base::Monotonic> next_deadline() const = 0;
    /// From here on nothing is told to the uplink; what is queued still leaves.
    virtual void say_goodbye() = 0;
    /// Nothing is open (any more).
    [[nodiscard]] virtual bool is_closed() const = 0;
    /// Why the last attempt came to nothing, or the connection ended, in words; empty: nothing more is known.
    [[nodiscard]] virtual const std::string& failure() const = 0;
    /// Something happened since the last call.
    [[nodiscard]] virtual bool take_news() = 0;
};

using CloudConnector = std::function<std::unique_ptr<CloudConnection>(posix::EventLoop& loop)>;

}  // namespace sluice::gateway
