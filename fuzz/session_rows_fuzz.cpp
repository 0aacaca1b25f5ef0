// links: sluice_flow_hub
// Any bytes as rows of the sessions' database: what reads writes the same bytes again; what a hub restores from them keeps its counts true,
// and after all sessions have ended nothing is left. Input: rows, each a kind, a session, a number and a size (one byte each), then so many
// bytes.
#include <algorithm>
#include <cstdlib>

#include "flow/hub/hub.hpp"
#include "flow/hub/saved_state.hpp"

namespace {

using namespace sluice;

void require(bool condition) {
    if (!condition) std::abort();
}

class NullPort final : public hub::Port {
public:
    base::Bytes* output(hub::ConnectionId) override { return nullptr; }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId) const override { return 0; }
    void close(hub::ConnectionId) override {}
    hub::Ticket accept(const data::Reading&, bool) override { return 0; }
    bool to_shard(data::ShardIndex, hub::ShardMessage&&) override { return true; }
};

class NullJournal final : public hub::Journal {
public:
    hub::Ticket ticket() override { return 1; }
    void take(base::Bytes&&, bool, unsigned) override {}
    std::uint64_t owe(data::ShardIndex, std::uint64_t, bool, unsigned) override { return 1; }
};

template <class Row>
void same_again(const base::Result<Row>& row, base::ByteView bytes) {
    if (!row) return;
    base::Bytes again;
    append_row(again, *row);
    if constexpr (std::is_same_v<Row, hub::DeliveryRow>) append_row(again, row->message);
    require(std::ranges::equal(again, bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::ByteView input(data, size);
    hub::SavedState saved;
    for (std::size_t at = 0; at + 4 <= size;) {
        const auto kind = static_cast<hub::RowKind>(input[at]);
        const std::size_t length = std::min<std::size_t>(input[at + 3], size - at - 4);
        const auto body = input.subspan(at + 4, length);
        same_again(hub::read_session_row(body), body);
        same_again(hub::read_subscription_row(body), body);
        same_again(hub::read_message_row(body), body);
        same_again(hub::read_delivery_row(body), body);
        same_again(hub::read_inflight_row(body), body);
        (void)saved.add(kind, input[at + 1], input[at + 2], {body.begin(), body.end()});
        at += 4 + length;
    }
    saved.finish();
    NullPort port;
    NullJournal journal;
    base::Monotonic now{std::chrono::seconds(1000)};
    hub::Options options;
    options.limits.sessions_max = 4;
    options.limits.queue_messages_max = 3;
    options.limits.subscriptions_per_session_max = 3;
    options.limits.retained_messages_max = 3;
    hub::Hub hub(options, port);
    hub.open_journal(journal, {.clock = {now, 1'000'000}, .stopped = 1'000'000, .next_id = saved.greatest_id() + 1});
    for (const auto& message : saved.retained()) hub.restore_retained(message, now);
    for (const auto& session : saved.sessions()) hub.restore(session, now);
    hub.end_of_turn(now);
    require(hub.counters().sessions <= 4 && hub.counters().retained_messages <= 3);
    now += std::chrono::hours(24 * 366 * 100);
    hub.on_tick(now, {});
    hub.end_of_turn(now);
    const auto& counters = hub.counters();
    require(counters.sessions == 0 && counters.subscriptions == 0 && counters.messages_waiting == 0 && counters.waiting_bytes == 0);
    return 0;
}
