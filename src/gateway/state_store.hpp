// What a gateway remembers beside the spool: the rules' keyed state and the ledger's totals. Sealed files in `<data>/state`, each replaced
// as a whole: docs/formats/gateway_state.md. Losing them costs a warm-up, never an event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "manage/identity/aead.hpp"

namespace sluice::gateway {

/// Totals over the life of the data directory that only the gateway itself can know.
struct LedgerTotals {
    std::uint64_t readings_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_up = 0;
};

/// One thread (the backbone; the wiring before it starts). Blocks on the disk.
class StateStore {
public:
    StateStore(env::FileSystem& files, identity::DocumentSealer& sealer, std::string directory);

    /// Makes the folder. Errors: permission, disk_full, io.
    base::Status open();

    /// Rule state saved by the shards of the last run, however many there were. Unreadable files are counted in `unreadable`.
    [[nodiscard]] std::vector<base::Bytes> load_rule_state(std::size_t& unreadable);
    /// Zeroes where nothing was saved.
    [[nodiscard]] LedgerTotals load_totals();

    /// The next slice of one shard's state. The last one puts the whole in place of what was there; until then the old file stays.
    base::Status save_rule_state(unsigned shard, bool first, bool last, base::ByteView slice);
    base::Status save_totals(const LedgerTotals& totals);
    /// Id of the gateway that this folder belongs to; empty where none has been written (or it cannot be read).
    [[nodiscard]] std::string owner();
    /// Writes it once.
    base::Status set_owner(std::string_view id);

    /// Was the last run ended cleanly? Takes the mark away: until mark_clean() this run counts as interrupted.
    [[nodiscard]] bool take_clean_mark();
    base::Status mark_clean();
    /// Files of shards that there are no more; call it when each shard of this run has saved.
    base::Status forget_shards_from(unsigned shards);

private:
    base::Status replace(const std::string& name, base::ByteView plain);
    base::Result<base::Bytes> load(const std::string& name);

    env::FileSystem& files_;
    identity::DocumentSealer& sealer_;
    std::string directory_;
    std::vector<base::Bytes> partial_;  // by shard: slices gathered so far
};

}  // namespace sluice::gateway
