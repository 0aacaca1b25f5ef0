// What makes sessions and retained messages survive the process: the hub says what changed, the runtime makes it durable and says when.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/rows.hpp"

namespace sluice::hub {

/// Names a kept session in the journal; never 0. Not used again while rows of it may exist.
using KeptId = std::uint64_t;

/// Implemented by the gateway's shard and by tests. Called only from inside a call of the hub, on its thread.
class Journal {
public:
    virtual ~Journal() = default;

    /// What waits for everything that was recorded and published this turn gets this ticket: Hub::on_durable() with it when the records of
    /// this turn are durable and all fences of this turn are answered. Tickets are those of Port::accept().
    [[nodiscard]] virtual Ticket ticket() = 0;

    /// The changes of this turn, in order (journal_batch.hpp), at its end. `awaited`: ticket() was given out. `fences`: how many fences
    /// with this turn's ticket went to other shards, each to be answered to this one.
    virtual void take(base::Bytes&& changes, bool awaited, unsigned fences) = 0;

    /// Another shard's fence has come: its `number` is to be answered when what was recorded here so far is durable (`recorded`: there is
    /// something) and `nested` fences, sent on from here, are answered. Returns the number for these.
    virtual std::uint64_t owe(data::ShardIndex to, std::uint64_t number, bool recorded, unsigned nested) = 0;

    /// So much waits to be written that clients who cause much of it should wait, before everybody has to.
    [[nodiscard]] virtual bool behind() const { return false; }
};

struct JournalStart {
    AgeClock clock{};
    Age stopped = 1;     ///< when the earlier process had ended, at the latest: its connections count from there
    KeptId next_id = 1;  ///< the first that this hub may give; it goes on in steps of the number of shards
};

/// A session with what waits for it, as it was found on disk. Views are valid during the call.
struct SavedSession {
    struct Delivery {
        std::uint64_t number = 0;  ///< order within the session
        bool has_message = false;  ///< false: released, only its packet id is left
        DeliveryRow row{};
        InflightRow sent{};  ///< packet_id 0: not sent
    };
    KeptId id = 0;
    SessionRow session{};
    std::vector<SubscriptionRow> subscriptions{};
    std::vector<Delivery> deliveries{};  ///< by number
};

}  // namespace sluice::hub
