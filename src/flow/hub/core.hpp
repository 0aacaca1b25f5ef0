// The inside of a Hub. Its parts: sessions (session_table), filters (subscriptions), retained messages (retained), the way out (deliverer),
// the way to other shards (shard_links), waiting acknowledgements (ack_queue), timers. This class is the way in: connect.cpp, publish.cpp,
// subscribe.cpp, shards.cpp, each for its packets; hub.cpp for dispatch and time.
#pragma once

#include <optional>
#include <vector>

#include "codec/mqtt/framing.hpp"
#include "codec/mqtt/packets.hpp"
#include "flow/hub/ack_queue.hpp"
#include "flow/hub/deliverer.hpp"
#include "flow/hub/hub.hpp"
#include "flow/hub/memory_guard.hpp"
#include "flow/hub/parted_paces.hpp"
#include "flow/hub/recorder.hpp"
#include "flow/hub/shard_links.hpp"
#include "flow/hub/timers.hpp"
#include "flow/hub/turn_work.hpp"

namespace sluice::hub {

class Hub::Core {
public:
    Core(const Options& options, Port& port);

    // As in Hub.
    void on_connected(ConnectionId who, const Peer& peer, base::Monotonic now);
    void on_peer(ConnectionId who, const Peer& peer);
    std::size_t on_bytes(ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall);
    void on_bytes_soon(ConnectionId who) const;
    void on_closed(ConnectionId who, base::Monotonic now, base::WallTime wall);
    void on_authenticated(ConnectionId who, const Admission& admission);
    void on_durable(Ticket ticket);
    void on_shard_message(data::ShardIndex from, const ShardMessage& message, base::Monotonic now, base::WallTime wall);
    void publish(const Publication& publication, base::Monotonic now);
    void on_tick(base::Monotonic now, base::WallTime wall);
    void on_input_held(base::Monotonic now) { held_ = now; }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    void end_of_turn(base::Monotonic now);
    [[nodiscard]] bool wants_input() const;
    void forget_permissions();
    SessionIndex clients(SessionIndex from, std::size_t places, ClientVisitor& visitor) const;
    void review_permissions(Authenticator* authenticator);
    void set_limits(const Limits& limits);
    [[nodiscard]] std::size_t memory_room() const { return memory_.room(); }
    [[nodiscard]] std::optional<Waiting> waiting(std::string_view client) const;
    bool disconnect(std::string_view client, mqtt::ReasonCode reason, base::Monotonic now, base::WallTime wall);
    void shut_down();
    [[nodiscard]] const Counters& counters();
    void open_journal(Journal& journal, const JournalStart& start) { recorder_.open(journal, start); }
    void restore(const SavedSession& saved, base::Monotonic now);
    void restore_retained(const MessageRow& saved, base::Monotonic now);

private:
    /// The moment of the call under way.
    struct Moment {
        base::Monotonic now;
        base::WallTime wall;
    };
    // hub.cpp: dispatch, connections, time.
    Connection* find(ConnectionId who);
    base::Bytes* answer(ConnectionId to);
    /// False: it is not done yet and is to be presented again in another turn.
    [[nodiscard]] bool on_packet(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment);
    void on_unframed(Connection& from, const mqtt::Framed& framed, const Moment& moment);
    void on_ping(Connection& from, base::ByteView body, const Moment& moment);
    void on_disconnect(Connection& from, base::ByteView body, const Moment& moment);
    /// The peer broke the rules: tells it why, where its version can, and closes. `verdict` may have words for the reason string.
    void refuse(Connection& connection, mqtt::Verdict verdict, const Moment& moment);
    /// Forgets the connection and settles its session; the will is published later or now unless it was withdrawn.
    void end_connection(Connection& connection, bool withdraw_will, const Moment& moment);
    void close(Connection& connection, bool withdraw_will, const Moment& moment);
    void send_disconnect(const Connection& to, mqtt::ReasonCode reason, std::string_view words = {});
    /// A reason string for those who asked for them, if a packet of `bytes` so far still fits with it. Valid until the next call.
    mqtt::Properties reason_string(const Connection& to, std::string_view words, std::size_t bytes);
    [[nodiscard]] base::Monotonic deadline(const Connection& connection) const;
    void arm(Connection& connection);
    void arm(SessionIndex index);
    void arm_retained(NodeIndex node, RetainStamp stamp, base::Monotonic expires);
    void push_timer(const Timer& timer);
    [[nodiscard]] bool counts(const Timer& timer) const;
    void on_timer(const Timer& timer, const Moment& moment);
    void on_connection_timer(Connection& connection, const Moment& moment);
    void on_session_timer(SessionIndex index, const Moment& moment);

    // pressure.cpp: what clients send faster than they may, what takes more memory than there is.
    /// False: not now. The connection is held back and its packet presented again.
    [[nodiscard]] bool in_pace(Connection& from, std::size_t bytes, const Moment& moment);
    void on_pace_timer(Connection& connection);
    [[nodiscard]] const Pace* pace(const Connection& connection) const;
    void begin_paces_anew();
    [[nodiscard]] bool has_time(const Connection& from, std::uint8_t first) const;
    [[nodiscard]] bool others_behind() const;
    void wait_for_turn(Connection& from);
    void wait_for_output(const Connection& from);
    void let_next_come();
    [[nodiscard]] std::size_t structure_bytes() const;
    /// Is there room for so many bytes more of what the mark is for?
    [[nodiscard]] bool affords(std::size_t bytes, MemoryGuard::Mark mark);

    // connect.cpp: CONNECT, sessions, wills.
    void on_connect(Connection& from, base::ByteView body, const Moment& moment);
    void refuse_connect(Connection& connection, mqtt::Verdict verdict);
    void end_refused(Connection& connection);
    [[nodiscard]] static mqtt::Verdict acceptable(const Connection& from, const mqtt::Connect& packet, std::string_view client);
    [[nodiscard]] mqtt::Verdict acceptable(const mqtt::Will& will) const;
    [[nodiscard]] std::optional<Admission> admit(const Connection& from, const mqtt::Connect& packet, std::string_view client);
    [[nodiscard]] std::string assign_client_id();
    /// kNoSession: no room, `why` says for what.
    SessionIndex open_session(std::string_view client, bool clean_start, bool& present, mqtt::Verdict& why, const Moment& moment);
    void set_up(Connection& from, SessionIndex index, const mqtt::Connect& packet, const Moment& moment);
    void set_up_receiver(Session& session, const mqtt::Connect& packet);
    void set_up_bridge(Session& session, const mqtt::Connect& packet);
    /// What a CONNACK has to say, of which `optional` may be left out.
    struct Welcome {
        base::Bytes needed;
        base::Bytes optional;
    };
    /// `assigned`: the client id that we made; empty: it brought its own.
    [[nodiscard]] Welcome welcome(const mqtt::Connect& packet, std::string_view assigned) const;
    void send_connack(const Connection& to, const Welcome& words, bool present);
    [[nodiscard]] std::uint16_t keep_alive(const mqtt::Connect& packet) const;
    void end_session(SessionIndex index, const Moment& moment);
    void publish_will(SessionIndex index, const Moment& moment);
    void work_off_endings();
    [[nodiscard]] std::uint32_t session_life(const mqtt::Connect& packet) const;

    // permissions.cpp: waiting for an answer, whose session it is, what a change of permissions ends.
    [[nodiscard]] std::size_t keep_waiting(Connection& from, base::ByteView bytes);
    [[nodiscard]] mqtt::ReasonCode claim(std::string_view client, Principal principal, const Moment& moment);
    [[nodiscard]] bool may_leave_will(std::string_view client, Principal principal, const mqtt::Connect& packet);
    void review_some(const Moment& moment);
    void review(SessionIndex index, const Moment& moment);

    // publish.cpp: PUBLISH and its acknowledgements.
    void on_publish(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment);
    mqtt::Verdict take_properties(Connection& from, mqtt::Publish& packet, Passing& passing, base::Monotonic now);
    mqtt::Verdict resolve_alias(Connection& from, mqtt::Publish& packet);
    Inbox& inbox(Session& session);
    void on_publish_once(Connection& from, const mqtt::Publish& packet, const Passing& passing, bool permitted, const Moment& moment);
    void on_pubrel(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment);
    void on_subscriber_ack(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment);
    [[nodiscard]] bool may_publish(Connection& from, std::string_view topic);
    [[nodiscard]] bool topic_fits(std::string_view topic) const;
    void refuse_topic(Connection& from, const mqtt::Publish& packet, const Moment& moment);
    [[nodiscard]] bool has_been_here(const mqtt::Properties& properties) const;
    void on_loop(Connection& from, const mqtt::Publish& packet);
    [[nodiscard]] bool window_full(const Connection& from, const Session& session) const;
    struct Taken {
        Ticket ticket = 0;
        bool matched = false;  ///< some subscription wants it, or downstream keeps something of it
    };
    Taken take_in(SessionIndex from, const Passing& passing, bool acknowledged, const Moment& moment);
    void acknowledge(Connection& to, PendingAck ack);
    void send_ack(const PendingAck& ack, mqtt::Version version);

    // subscribe.cpp
    [[nodiscard]] bool on_subscribe(Connection& from, base::ByteView body, const Moment& moment);
    void await_changes(const Connection& from, PendingSuback& suback);
    void go_on_later(Connection& from, PartlyDone&& work);
    void keep_only(SessionIndex index, const mqtt::Subscribe& packet);
    [[nodiscard]] bool on_unsubscribe(Connection& from, base::ByteView body, const Moment& moment);
    mqtt::ReasonCode subscribe(SessionIndex index, const mqtt::Subscription& wanted, std::uint32_t identifier, PendingSuback& pending);
    mqtt::ReasonCode unsubscribe(SessionIndex index, std::string_view filter);
    void remove_subscription(SessionIndex index, Subscribed subscribed);
    void tell_interest(const Session& session, const Subscriptions::Added& added, SubscriptionOptions options, std::string_view filter);
    void tell_members(GroupIndex group);
    void finish_when_durable(PendingSuback&& pending, const Moment& moment);
    void finish_subscribe(const PendingSuback& pending, const Moment& moment);
    /// False: larger than the client takes; it is closed, as it would wait for ever.
    bool send_suback(Connection& to, mqtt::PacketType type, mqtt::PacketId id, base::ByteView codes, const Moment& moment);

    // shards.cpp: routing, here and elsewhere.
    /// True: some subscription, here or elsewhere, wants it.
    bool spread(const Passing& passing, SessionIndex publisher, base::Monotonic now);
    /// False: refused, what was retained stays.
    bool retain(const Passing& passing, RetainStamp stamp, bool may_grow, base::Monotonic now);
    [[nodiscard]] bool affords_retained(const Passing& passing);
    /// How a publication to a group came here.
    struct GroupTrip {
        bool from_elsewhere = false;
        std::uint32_t hops = 0;  ///< shards that had no member to give it to
    };
    void deliver_to_group(GroupIndex index, const Passing& passing, const GroupTrip& trip, base::Monotonic now);
    [[nodiscard]] static std::uint32_t shard_of_member(const Group& group, std::uint32_t turn);
    [[nodiscard]] std::uint32_t next_shard_with_members(const Group& group) const;
    void send_to_group_at(std::uint32_t shard, const Group& group, const Passing& passing, const GroupTrip& trip);
    void on_publication(const Record& record, base::Monotonic now);
    void on_passed(const Moment& moment);
    [[nodiscard]] RetainStamp next_stamp(base::Monotonic now);

    // restore.cpp: what an earlier process left.
    void restore_subscription(SessionIndex index, const SubscriptionRow& row);

    Options options_;
    Port& port_;
    Counters counters_;
    MemoryGuard memory_;          // before what gives back what it took
    std::uint64_t secret_;        // of the tables whose keys strangers choose
    std::size_t will_bytes_ = 0;  // of all sessions: before them, as they give theirs back
    SessionTable sessions_;
    Subscriptions subscriptions_;
    RetainedStore retained_;
    ShardLinks links_;
    Recorder recorder_;
    base::Monotonic held_{};  // when input was last held back
    Deliverer deliverer_;
    AckQueue acks_;
    Timers timers_;
    std::vector<Connection> connections_;  // by slot
    Ring<PendingSuback> subacks_;
    Ring<PendingSuback> kept_subacks_;  // all shards know the filters; they are not durable yet
    std::size_t filters_pending_ = 0;
    Ticket durable_ = 0;
    std::uint64_t retain_time_ = 0;
    std::uint64_t assigned_ids_ = 0;
    /// A session that has ended, as far as anybody can see: what is left of it are its filters in the tree.
    struct Ending {
        SessionIndex index = kNoSession;
        std::vector<Subscribed> subscriptions;
    };
    TurnWork work_;
    Ring<Ending> endings_;
    Ring<ConnectionId> line_;                // whose work waits for its turn
    std::vector<ConnectionId> full_;         // whose messages are for so many that those of this turn must leave first
    SessionIndex review_next_ = kNoSession;  // kNoSession: no review is under way
    std::uint32_t packet_bytes_max_;
    bool paced_ = false;  // how fast clients may publish is limited
    PartedPaces parted_;
    base::Monotonic turn_{};             // when the last turn ended
    base::WallTime wall_{};              // about then, as on_bytes and on_tick were told
    base::Bytes properties_;             // of the publish under way
    base::Bytes scratch_;                // of the answer under way
    base::Bytes words_;                  // its reason string
    std::vector<std::uint32_t> shards_;  // that want the publication under way
    std::vector<GroupIndex> groups_;     // the same
};

}  // namespace sluice::hub
