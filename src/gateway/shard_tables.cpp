// New content of reference tables, between two readings.
#include "gateway/shard.hpp"
#include "gateway/table_watch.hpp"

namespace sluice::gateway {

bool Shard::tables_wait() const { return links_.tables->edition() != tables_edition_; }

void Shard::take_tables() {
    if (!tables_wait()) return;
    tables_edition_ = links_.tables->edition();
    engine_->use_tables(links_.tables->tables());
}

}  // namespace sluice::gateway
