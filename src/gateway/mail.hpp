// The values that the gateway's threads send each other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "data/reading.hpp"
#include "env/posix/tcp.hpp"
#include "flow/hub/counters.hpp"
#include "flow/hub/shard_messages.hpp"
#include "flow/rules/engine.hpp"
#include "gateway/limits.hpp"
#include "gateway/ruleset.hpp"
#include "gateway/sign_in_mail.hpp"
#include "gateway/turn_journal.hpp"

namespace sluice::gateway {

/// Readings whose key another shard owns; one batch a turn and destination. Coded by reading_batch.hpp.
struct ForwardBatch {
    data::ShardIndex from;
    std::uint64_t turn = 0;  ///< of the sender; goes back in ForwardDone
    bool awaited = false;    ///< a client waits for an acknowledgement
    base::Bytes readings;
};

/// Everything that a ForwardBatch caused is durable.
struct ForwardDone {
    std::uint64_t turn = 0;
};

/// A connection goes to the shard of its client id, or (not `placed`) to one that does its handshake first.
struct Handover {
    posix::DetachedConnection connection;
    std::uint16_t listener = 0;
    bool placed = true;
};

struct HubMail {
    data::ShardIndex from;
    hub::ShardMessage message;
};

using ShardMail = std::variant<std::monostate, Handover, HubMail, ForwardBatch, ForwardDone>;

/// From the controlling thread to a shard.
struct Command {
    enum class Kind : std::uint8_t {
        quiesce,      ///< stop reading sockets, wait until nothing of ours is under way elsewhere, then report quiet
        swap_rules,   ///< take over `rules`, keeping the state of what did not change, and read on
        stop,         ///< quiesce, say goodbye, save state, end
        swap_access,  ///< `access` from now on, also for those who are in
        set_limits,   ///< `limits` from now on; those of rules with the next swap_rules
    } kind = Kind::quiesce;
    std::shared_ptr<const Ruleset> rules;
    ShardAccess access{};
    std::shared_ptr<const ShardLimits> limits{};
};

/// Events of one turn of a shard, in order, coded by event_batch.hpp; and what the turn did to the state of rules, by turn_journal.hpp.
struct EventBatch {
    std::uint64_t turn = 0;
    bool urgent = false;  ///< somebody waits for it, or it holds an alert: commit now
    base::Bytes events;
    std::vector<base::Bytes> state{};
};

/// A slice of a shard's saved rule state, as it was when the first one was made.
struct StateChunk {
    bool first = false;
    bool last = false;
    JournalMoment at{};
    base::Bytes bytes;
};

/// What a shard's hub recorded in a turn (hub::Journal::take()).
struct SessionMail {
    std::uint64_t turn = 0;  ///< durable with it: what turns up to this one recorded
    bool urgent = false;     ///< somebody waits for it
    base::Bytes changes;
};

using BackboneMail = std::variant<std::monostate, EventBatch, StateChunk>;

/// What a shard tells the other threads: written by the shard once a turn, read by anybody.
struct ShardGauges {
    static constexpr std::size_t kHubCounters = hub::kCounterTable.size();
    std::array<std::atomic<std::uint64_t>, kHubCounters> hub{};  ///< in the order of hub::kCounterTable
    std::atomic<std::uint64_t> readings{0}, matched{0}, malformed{0}, forwarded{0}, keys{0}, state_bytes{0};
    std::atomic<std::uint64_t> bad_value{0}, late{0}, state_full{0}, rule_rows{0}, recorded{0};
    std::atomic<std::uint64_t> keys_forgotten{0}, windows_forgotten{0};
    std::atomic<std::uint64_t> bytes_read{0}, bytes_written{0};  ///< of MQTT clients' sockets
    std::atomic<std::uint64_t> over_limit{0};     ///< connections closed at once: limits.connections, or descriptors, were used up
    std::atomic<std::uint64_t> over_rate{0};      ///< the same: their address had had its share, limits.connect_rate_address
    std::atomic<std::uint64_t> accept_pauses{0};  ///< times that nobody was accepted for a while: limits.connect_rate
    std::atomic<std::uint64_t> closed_memory{0};  ///< connections closed because of the memory that their buffers took: limits.memory
    std::atomic<std::uint64_t> paused_turns{0};   ///< turns in which sockets were not read because something downstream was full
    std::atomic<std::uint64_t> tls_handshakes{0}, tls_resumed{0}, tls_failed{0}, websocket_failed{0}, proxy_failed{0};
    std::atomic<std::uint64_t> unfit_names{0};  ///< questions to the access list with a name that does not fit its pattern
    std::atomic<std::uint64_t> loops{0};        ///< chains of rules that were cut at kRuleChainMax
    /// Up to which turn of this shard events are durable: written by the backbone.
    std::atomic<std::uint64_t> durable_turn{0};
    /// The same for what its hub recorded: written by the session thread.
    std::atomic<std::uint64_t> session_turn{0};
    /// Bytes of what its hub recorded and is not committed: added by the shard, taken off by the session thread.
    std::atomic<std::uint64_t> session_bytes{0};
    std::atomic<std::uint32_t> rules_edition{0};  ///< how often new rules were taken over
    std::atomic<bool> quiet{false};
    /// The journal has grown: save soon. Set by the backbone, taken by the shard.
    std::atomic<bool> save_wanted{false};

    /// The place of a hub's counter.
    [[nodiscard]] static constexpr std::size_t place_of(std::uint64_t hub::Counters::*which) {
        std::size_t i = 0;
        while (hub::kCounterTable[i].value != which) ++i;
        return i;
    }
    /// `hub_counter(&hub::Counters::readings_in)`
    [[nodiscard]] std::uint64_t hub_counter(std::uint64_t hub::Counters::*which) const {
        return hub[place_of(which)].load(std::memory_order_relaxed);
    }
};

}  // namespace sluice::gateway
