// One publisher and many subscribers of its topic, each with its own connection, all on one event loop: who gets what, once and in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/load/histogram.hpp"
#include "cli/load/target.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::load {

struct FanOutOptions {
    Endpoint to{};
    std::uint32_t subscribers = 1000;
    std::uint8_t qos = 0;  ///< of the publications and of the subscriptions, 0 or 1
    /// Messages that not every subscriber has yet, at most: below what any broker queues for a subscriber, so that none is dropped.
    std::uint32_t window = 64;
};

/// Payload of each message: its number in 16 hexadecimal digits, filled up to about what a reading has.
inline constexpr std::size_t kFanOutPayloadBytes = 100;

struct FanOutCounters {
    std::uint64_t published = 0;
    std::uint64_t acknowledged = 0;  ///< of these, QoS 1
    std::uint64_t delivered = 0;     ///< to all subscribers together
    std::uint64_t complete = 0;      ///< messages that every subscriber has
};

/// Add it to the loop with FanOut(loop, …); it adds its own connections behind itself. One thread.
///
/// Order of a run: connect() … ready() … start() … stop() … finished() … disconnect().
class FanOut final : public posix::TurnTask, private posix::TcpHandler {
public:
    FanOut(posix::EventLoop& loop, const FanOutOptions& options);

    void connect();
    [[nodiscard]] bool ready() const { return ready_ == clients_.size(); }
    /// A connection that was refused or lost; `corrupt`: a message was lost, came twice or out of order. Nothing more happens then.
    [[nodiscard]] const std::optional<base::Error>& failure() const { return failure_; }

    /// Messages a second, on a schedule that waits only for the window; 0: as many as the window allows.
    void start(double rate);
    void stop() { running_ = false; }
    /// After stop(): every subscriber has everything, and the publisher every acknowledgement.
    [[nodiscard]] bool finished() const;
    void disconnect();

    [[nodiscard]] const FanOutCounters& counters() const { return counters_; }
    /// From the moment a message was due (with a rate) or published to its arrival at the last of the subscribers.
    [[nodiscard]] const Histogram& latency() const { return latency_; }
    void clear_measurements() { latency_.clear(); }

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    struct Client {
        posix::TcpId connection = 0;
        std::uint64_t next = 0;  ///< number of the message that it gets next
    };
    struct Pending {
        base::Monotonic since;
        std::uint32_t missing;  ///< subscribers that do not have it
    };

    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    void fail(const base::Error& why);
    void connect_more();
    void arrived(Client& client, std::string_view payload);
    void publish(base::Monotonic since);
    [[nodiscard]] bool has_room() const { return counters_.published - counters_.complete < pending_.size(); }
    [[nodiscard]] base::Monotonic due_at(std::uint64_t number) const;
    [[nodiscard]] bool is_publisher(std::uint32_t client) const { return client + 1 == clients_.size(); }

    posix::EventLoop& loop_;
    FanOutOptions options_;
    posix::TcpConnections connections_;
    std::vector<Client> clients_;           // the last one publishes
    std::vector<std::uint32_t> client_of_;  // by slot of the connection
    std::uint32_t asked_ = 0;               // clients whose connection was begun
    std::uint32_t ready_ = 0;
    std::vector<Pending> pending_;  // ring, by number
    std::string payload_;
    double rate_ = 0;
    base::Monotonic started_{};
    std::uint64_t before_ = 0;  // published before started_
    bool running_ = false;
    bool leaving_ = false;
    std::optional<base::Error> failure_;
    FanOutCounters counters_;
    Histogram latency_;
};

}  // namespace sluice::load
