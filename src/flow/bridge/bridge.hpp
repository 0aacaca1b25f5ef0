// A bridge between the gateway's hub and another MQTT broker, as a machine without I/O. docs/bridge.md says what it guarantees.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/retry.hpp"
#include "base/time.hpp"
#include "codec/mqtt/packets.hpp"
#include "env/entropy.hpp"
#include "flow/bridge/echoes.hpp"
#include "flow/bridge/flows.hpp"
#include "flow/bridge/leg.hpp"
#include "flow/bridge/topic_map.hpp"
#include "flow/bridge/versions.hpp"

namespace sluice::bridge {

/// The two ends of a bridge.
enum class End : std::uint8_t { local, remote };

/// What the bridge needs of its surroundings. Called on the bridge's thread, from inside its calls.
class Transport {
public:
    virtual ~Transport() = default;
    /// Starts a connection: to the remote broker, or a new one into our hub. Bridge::on_open() or on_closed() tells how it went, not during
    /// this call.
    virtual void open(End end) = 0;
    /// The connection's output buffer; nullptr: it is gone. Used at once.
    [[nodiscard]] virtual base::Bytes* output(End end) = 0;
    /// Ends the connection, or the attempt; `flush`: what was written may leave first. on_closed() is not called for it.
    virtual void close(End end, bool flush) = 0;
};

struct Options {
    std::string name;     ///< [A-Za-z0-9_-]{1,64}
    std::string gateway;  ///< id of ours
    std::string client_id;
    std::optional<std::string> user{};
    std::optional<std::string> password{};
    std::vector<Map> topics;
    Protocol version = Protocol::automatic;
    bool clean_start = false;  ///< true: the remote keeps nothing for us while we are away
    std::chrono::seconds keep_alive{60};
    std::uint64_t queue_messages = 0;         ///< may wait in the hub; 0: as for other clients
    std::uint64_t queue_bytes = 0;            ///< the same
    std::size_t payload_bytes_max = 262'144;  ///< of our hub
    /// Remote filters that an earlier bridge of this name had, in this process; those not in `topics` any more are unsubscribed from.
    std::vector<std::string> former_filters{};
    bool retired = false;  ///< not configured any more: ends its session in the hub, then finished()
    std::chrono::milliseconds retry_min{500};
    std::chrono::milliseconds retry_max{30'000};
    std::chrono::seconds answer_timeout{10};  ///< to connect, for CONNACK, PINGRESP and SUBACK
    std::chrono::seconds ack_timeout{60};     ///< publishes under way to the remote and no acknowledgement: the connection is remade
};

/// Why a message was not passed on.
enum class Drop : std::uint8_t { unmapped, looped, too_large, refused, topic_invalid };
inline constexpr std::array<std::string_view, 5> kDropNames{"unmapped", "looped", "too_large", "refused", "topic_invalid"};

/// Why the bridge is not connected, as far as it is known.
enum class Trouble : std::uint8_t { none, unreachable, no_answer, refused, closed, stalled, same_id, hub };
inline constexpr std::array<std::string_view, 8> kTroubleNames{
    "",       "cannot be reached",    "does not answer",          "refuses us",
    "closed", "acknowledges nothing", "has our own `gateway.id`", "our own hub let go of us"};

struct Stats {
    bool connected = false;  ///< both ends stand, messages pass, and both have acknowledged what we subscribe to
    mqtt::Version version = mqtt::Version::v5;
    bool bridge_bit = false;             ///< 3.1.1, and the remote has taken the bridge bit
    Fallback fallback = Fallback::none;  ///< why it is not the first version of those to be tried
    std::uint64_t connections = 0;       ///< that stood
    std::uint64_t failures = 0;          ///< attempts that failed, and connections that broke
    Trouble trouble = Trouble::none;     ///< the latest
    std::uint8_t reason = 0;             ///< its reason code: of a refusal, of a DISCONNECT, of what broke the rules; 0: none
    std::uint32_t filters_refused = 0;   ///< of this connection, by either side
    std::uint64_t messages_in = 0;       ///< taken by our hub
    std::uint64_t messages_out = 0;      ///< taken by the remote (QoS 0: sent)
    std::uint64_t echoes = 0;            ///< our own messages that a 3.1.1 broker sent back: no loss
    std::array<std::uint64_t, kDropNames.size()> dropped_in{};
    std::array<std::uint64_t, kDropNames.size()> dropped_out{};
};

/// One thread. Times given must not go backwards.
class Bridge final : private LegListener {
public:
    Bridge(Options options, Transport& transport, env::Entropy& entropy);

    void start(base::Monotonic now);
    /// Says goodbye to both sides.
    void stop();

    void on_open(End end, base::Monotonic now);
    std::size_t on_bytes(End end, base::ByteView bytes, base::Monotonic now);
    void on_closed(End end, base::Monotonic now);
    void on_tick(base::Monotonic now);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;

    /// This end's bytes are not to be read for now: the other side takes no more. When it turns false, present again what was left
    /// unconsumed.
    [[nodiscard]] bool holds(End end) const { return held_[index(end)]; }
    /// The runtime does not read this end for now (the other one's output is full): what does not come is not held against it.
    void on_held(End end, base::Monotonic now) {
        leg(end).held(now);
        if (end == End::remote) progress_ = now;
    }

    [[nodiscard]] const Stats& stats() const { return stats_; }
    [[nodiscard]] bool stopped() const { return phase_ == Phase::stopped; }
    /// A retired bridge has done what it had to.
    [[nodiscard]] bool finished() const { return finished_; }
    [[nodiscard]] const TopicMap& topics() const { return topics_; }

    /// What the remote keeps for us while we are away, in seconds.
    static constexpr std::uint32_t kRemoteExpiry = 7 * 24 * 3600;

private:
    enum class Phase : std::uint8_t {
        stopped,
        arming,     ///< in the hub: the session and its subscriptions are made, so that messages wait from now on
        pausing,    ///< until due_
        opening,    ///< to the remote
        greeting,   ///< CONNECT is out there
        attaching,  ///< a connection into the hub, with the windows that the remote has told
        running,
    };
    static constexpr std::size_t index(End end) { return static_cast<std::size_t>(end); }
    static constexpr End other(End end) { return end == End::local ? End::remote : End::local; }
    [[nodiscard]] Leg& leg(End end) { return legs_[index(end)]; }
    [[nodiscard]] const Leg& leg(End end) const { return legs_[index(end)]; }
    [[nodiscard]] End end_of(const Leg& leg) const { return &leg == &legs_[0] ? End::local : End::remote; }
    /// By where messages come from.
    [[nodiscard]] Flows& flows(End from) { return flows_[index(from)]; }
    [[nodiscard]] base::Bytes& out(End end);

    // LegListener
    void on_connack(Leg& leg, const mqtt::Connack& connack) override;
    [[nodiscard]] bool takes_publish(const Leg& leg) override;
    void on_publish(Leg& leg, const mqtt::Publish& packet) override;
    void on_too_large(Leg& leg, const mqtt::Publish& packet) override;
    void on_ack(Leg& leg, mqtt::PacketType type, const mqtt::Ack& packet) override;
    void on_suback(Leg& leg, const mqtt::Suback& packet) override;
    void on_over(Leg& leg, mqtt::ReasonCode why) override;
    void on_silence(Leg& leg) override;

    // bridge.cpp: phases
    void arm(base::Monotonic now);
    void finish_arming();
    void open_remote();
    void greet_hub();
    void greet_remote();
    void attach(const mqtt::Connack& connack);
    void run(bool hub_session_present);
    void stand();
    void subscribe_in_hub(mqtt::RetainHandling retained);
    void subscribe_at_remote();
    void ask_remote_again();
    void lose(Trouble trouble, mqtt::ReasonCode reason = mqtt::ReasonCode::success);
    void note(Trouble trouble, mqtt::ReasonCode reason = mqtt::ReasonCode::success);
    void settle();

    // relay.cpp: messages
    void pass(End from, const mqtt::Publish& packet, const mqtt::Publish& changed);
    void drop(End from, const mqtt::Publish& packet, Drop why);
    void answer(End from, const mqtt::Publish& packet);
    void release(End from, const mqtt::Ack& packet);
    void taken(End by, mqtt::PacketType type, const mqtt::Ack& packet);
    void send_ack(End to, mqtt::PacketType type, mqtt::PacketId id, mqtt::ReasonCode reason = mqtt::ReasonCode::success);
    [[nodiscard]] bool hub_is_full() const { return flows_[index(End::remote)].waiting() >= leg(End::local).receive_maximum(); }
    void count(End from) { ++(from == End::local ? stats_.messages_out : stats_.messages_in); }

    Options options_;
    TopicMap topics_;
    Transport& transport_;
    env::Entropy& entropy_;
    std::string hub_client_id_;
    mqtt::VersionChoice versions_;
    std::array<Leg, 2> legs_;
    std::array<Flows, 2> flows_;
    std::array<bool, 2> held_{};
    Echoes echoes_;
    base::BackOff back_off_;
    Stats stats_;

    Phase phase_ = Phase::stopped;
    base::Monotonic now_{};  // of the call under way
    base::Monotonic due_{};  // end of a phase; while running: of the awaited SUBACKs
    base::Monotonic connected_since_{};
    base::Monotonic progress_{};  // the remote's latest acknowledgement, or when one could not come: nothing was under way, or nothing read
    std::string remote_gateway_;  // the remote is a Sluice with this id
    unsigned subacks_awaited_ = 0;
    bool armed_ = false;
    bool finished_ = false;
    bool remote_present_ = false;      // the remote has kept our session
    bool fresh_ = false;               // our hub knows nothing of what the remote may have of QoS 2: it must forget it
    bool asked_retained_ = false;      // the hub's retained messages have gone over in this process
    bool asked_remote_ = false;        // we have subscribed at the remote in this process
    Trouble noted_ = Trouble::none;    // by note(); what follows from it is done when the leg's call has returned
    mqtt::ReasonCode noted_reason_{};  // with it

    std::string topic_;       // of the message under way
    base::Bytes properties_;  // the same
    base::Bytes nowhere_;     // output of a connection that is gone
};

}  // namespace sluice::bridge
