// What a gateway remembers beside the spool: the rules' keyed state and the ledger's totals. Sealed files in `<data>/state`, each replaced
// as a whole: docs/formats/gateway_state.md. Losing them costs a warm-up, never an event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "gateway/document_keys.hpp"
#include "gateway/turn_journal.hpp"
#include "manage/identity/document_sealer.hpp"

namespace sluice::gateway {

/// Totals over the life of the data directory that only the gateway itself can know.
struct LedgerTotals {
    std::uint64_t readings_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_up = 0;
};

/// What stands before a shard's saved state.
struct CheckpointHead {
    JournalMoment at;            ///< when the state was such
    std::uint64_t position = 0;  ///< of the first journal record that is not in it; 0: there was no journal
    rules::Origin origin;
};

struct SavedRules {
    std::optional<CheckpointHead> head;  ///< none: written by an older version
    base::Bytes state;
};

/// One thread (the backbone; the wiring before it starts). Blocks on the disk.
class StateStore {
public:
    StateStore(env::FileSystem& files, identity::DocumentSealer& sealer, std::string directory);

    /// Makes the folder. Errors: permission, disk_full, io.
    base::Status open();

    /// Rule state of the last number of shards of which each has saved. Unreadable files are counted in `unreadable`.
    [[nodiscard]] std::vector<SavedRules> load_rule_state(std::size_t& unreadable);
    /// Zeroes where nothing was saved.
    [[nodiscard]] LedgerTotals load_totals();

    /// The next slice of one shard's state. The last one puts the whole in place of what was there; until then the old file stays.
    void add_rule_state(unsigned shard, bool first, base::ByteView slice);
    base::Result<std::size_t> save_rule_state(const CheckpointHead& head);
    base::Status save_totals(const LedgerTotals& totals);
    /// Id of the gateway that this folder belongs to; empty where none has been written (or it cannot be read).
    [[nodiscard]] std::string owner();
    /// Writes it once.
    base::Status set_owner(std::string_view id);

    /// Was the last run ended cleanly? Takes the mark away: until mark_clean() this run counts as interrupted.
    [[nodiscard]] bool take_clean_mark();
    base::Status mark_clean();
    /// Seals again with the newest key what no save replaces by itself. Errors: permission, disk_full, io.
    base::Status reseal();
    /// Which key each file needs, durably. Errors: permission, io.
    [[nodiscard]] base::Result<std::vector<DocumentKey>> keys();

    /// Files of other numbers of shards; call it when each shard of this run has saved.
    base::Status forget_other_shards(unsigned shards);

private:
    base::Status replace(const std::string& name, base::ByteView plain);
    base::Result<base::Bytes> load(const std::string& name);

    env::FileSystem& files_;
    identity::DocumentSealer& sealer_;
    std::string directory_;
    std::vector<base::Bytes> partial_;  // by shard: slices gathered so far
};

}  // namespace sluice::gateway
