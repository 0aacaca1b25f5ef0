// A plant's sensors as MQTT clients, each with its own connection, all on one event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/load/histogram.hpp"
#include "cli/load/target.hpp"
#include "cli/plant/plant.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::load {

struct FleetOptions {
    Endpoint to;
    plant::Options plant;      ///< plant.sensors is also the number of connections
    std::uint8_t qos = 0;      ///< 0 or 1
    std::uint32_t window = 0;  ///< QoS 1: unacknowledged publications of one connection; 0: chosen from schedule and connections
    /// Without a schedule: readings of one write to a connection, which follows when its socket has taken the one before; 0: as many as
    /// fit.
    std::uint32_t batch = 0;
    std::string client_prefix{};  ///< of the client ids, before the sensors' names: two fleets at one broker must differ
    std::uint16_t keep_alive_seconds = 300;
};

/// What start() begins.
struct Schedule {
    /// Readings a second of all sensors together, due whether or not the other side keeps up (open loop); 0: as many as it takes.
    double rate = 0;
    /// Readings of each sensor; 0: until stop(). Only with a rate.
    std::uint32_t readings = 0;
};

/// Connections being made at a time: well under the listen queue of any broker, so that the ramp itself loses no packet.
inline constexpr std::uint32_t kConnectingMax = 100;
/// Output of one connection that its socket has not taken: past this the connection waits, its readings keep their intended times.
inline constexpr std::size_t kQueuedBytesMax = 64 * 1024;

/// Nap of a generator's loop with a schedule. A loop that waits for sockets is woken by each answer, and the sender pays for that (5 µs and
/// more on some machines); its time limits are whole milliseconds. Naps are shorter, and answers that come meanwhile wake nobody.
inline constexpr std::chrono::microseconds kScheduleNap{250};

struct FleetCounters {
    std::uint64_t sent = 0;  ///< readings; resent ones once
    std::uint64_t acknowledged = 0;
    std::uint64_t resent = 0;
    std::uint64_t spikes = 0;
    std::uint64_t bytes = 0;        ///< MQTT bytes of publications
    std::uint64_t connections = 0;  ///< signed in now
    std::uint64_t reconnects = 0;   ///< connections lost after they stood
    std::uint64_t tls_resumed = 0;  ///< TLS handshakes that took up an earlier session
    std::uint64_t unexpected = 0;   ///< packets from the other side that are malformed or that nobody asked for
};

/// Add it to the loop with Fleet(loop, …); it adds its own connections behind itself. One thread.
///
/// Order of a run: connect() … ready() … start() … finished() or stop() … barrier() … barrier_passed() … disconnect().
/// The schedule: reading k (from 0) of sensor i is due (k·N + i) / rate after the start, N being the number of sensors; `ts` is that
/// moment.
class Fleet final : public posix::TurnTask, private posix::TcpHandler {
public:
    Fleet(posix::EventLoop& loop, const FleetOptions& options);

    /// Begins to connect all sensors.
    void connect();
    [[nodiscard]] bool ready() const { return counters_.connections == clients_.size(); }
    /// Set when the other side could not be reached, or refused to let a sensor in; nothing more happens then.
    [[nodiscard]] const std::optional<base::Error>& failure() const { return failure_; }
    /// What TLS or WebSocket last had against a connection; empty: nothing.
    [[nodiscard]] const std::string& layer_failure() const { return layer_failure_; }

    /// Begins to publish. `wall` is now; payloads' `ts` count from it.
    void start(const Schedule& schedule, base::WallTime wall);
    /// No reading becomes due any more.
    void stop();
    /// All readings are sent (and acknowledged, QoS 1) after stop() or a complete schedule.
    [[nodiscard]] bool finished() const;

    /// Sends a PINGREQ on each connection: its answer proves that the other side has read everything before it.
    void barrier();
    [[nodiscard]] bool barrier_passed() const { return barrier_open_ == 0; }
    void disconnect();

    [[nodiscard]] const FleetCounters& counters() const { return counters_; }
    /// QoS 1: from the intended time (with a rate) or from the sending (without) to the PUBACK.
    [[nodiscard]] const Histogram& ack_latency() const { return ack_latency_; }
    /// With a rate: how late readings were handed to the socket. Large values mean that the generator, not the other side, was slow.
    [[nodiscard]] const Histogram& send_delay() const { return send_delay_; }
    void clear_measurements();
    void clear_measurements_of_acks() { ack_latency_.clear(); }

    /// Readings handed to the connection, by sensor: what plant::expected_alerts wants to know.
    [[nodiscard]] std::vector<std::uint32_t> published() const;
    /// When a reading of the present schedule (with a rate) was due, from its sensor and sequence number; nothing for earlier readings.
    [[nodiscard]] std::optional<base::Monotonic> intended(std::uint32_t sensor, std::uint64_t sequence) const;
    [[nodiscard]] const FleetOptions& options() const { return options_; }

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    enum class State : std::uint8_t { away, connecting, greeting, up };
    struct InFlight {
        plant::Sample sample;
        std::int64_t ts;
        base::Monotonic since;
        std::uint16_t packet_id;
    };
    struct Client {
        posix::TcpId connection = 0;
        std::uint32_t sent = 0;  ///< readings
        std::uint16_t packet_id = 0;
        State state = State::away;
        bool behind = false;   ///< is in behind_
        bool barrier = false;  ///< a PINGRESP is awaited
        std::uint32_t acknowledged_head = 0;
        std::vector<InFlight> in_flight;  ///< QoS 1, oldest first, from acknowledged_head
        [[nodiscard]] std::size_t unacknowledged() const { return in_flight.size() - acknowledged_head; }
    };

    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;

    void connect_more(base::Monotonic now);
    void lost(std::uint32_t sensor, base::Monotonic now, const base::Error& why);
    void welcomed(std::uint32_t sensor);
    void acknowledged(std::uint32_t sensor, std::uint16_t packet_id);
    void fail(const base::Error& why);

    void publish_due(base::Monotonic now);
    void publish_all_that_fits(base::Monotonic now);
    [[nodiscard]] std::uint32_t fitting(const Client& client) const;
    [[nodiscard]] bool has_room(const Client& client) const;
    [[nodiscard]] bool scheduled() const { return schedule_.rate > 0; }
    [[nodiscard]] base::Monotonic due_at(std::uint64_t number) const;
    [[nodiscard]] std::uint64_t due_of(std::uint32_t sensor) const;
    void publish_next(std::uint32_t sensor, base::Monotonic now);
    void write(Client& client, const plant::Sample& sample, std::int64_t ts, std::uint16_t packet_id, bool duplicate);
    void fall_behind(std::uint32_t sensor);

    posix::EventLoop& loop_;
    FleetOptions options_;
    plant::Plant plant_;
    posix::TcpConnections connections_;
    std::vector<Client> clients_;
    std::vector<std::uint32_t> sensor_of_;  // by slot of the connection
    std::deque<std::uint32_t> to_connect_;
    std::vector<std::uint32_t> behind_;
    std::uint32_t connecting_ = 0;
    std::uint32_t barrier_open_ = 0;
    std::size_t fill_bytes_ = 0;
    std::uint32_t window_ = 0;
    Schedule schedule_;
    base::Monotonic retry_at_{};
    std::chrono::milliseconds retry_delay_;
    bool ever_connected_ = false;
    bool running_ = false;
    bool blocked_ = false;  ///< without a schedule: the last turn could not publish anything
    bool leaving_ = false;
    std::optional<base::Error> failure_;
    std::string layer_failure_;
    base::Monotonic started_{};
    std::int64_t started_ms_ = 0;
    std::uint64_t due_ = 0;     // readings of all sensors that are due in this schedule
    std::uint64_t limit_ = 0;   // of due_
    std::uint64_t before_ = 0;  // readings of each sensor before this schedule
    std::string topics_;        // all topic names back to back, of equal length
    std::size_t topic_bytes_ = 0;
    FleetCounters counters_;
    Histogram ack_latency_;
    Histogram send_delay_;
};

}  // namespace sluice::load
