// What `sluice top` shows: from two looks at a gateway to a screen full of text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace sluice::cli {

struct TopClient {
    std::string client;
    std::string address;
    std::string protocol;
    bool online = false;
    double connected_s = 0;
    std::uint64_t messages_in = 0, messages_out = 0, subscriptions = 0, in_flight = 0, queued = 0, queued_bytes = 0;
    double in_per_s = 0, out_per_s = 0;  ///< since the look before; 0 where there is none
};

/// One look.
struct TopSample {
    base::Monotonic at{};
    std::string id;
    double uptime_s = 0;
    double readings_per_s = 0;
    bool uplink_connected = false;
    std::string uplink_url;
    std::uint64_t spool_events = 0, spool_bytes = 0;
    std::uint64_t readings_in = 0, created = 0, delivered = 0, dropped = 0;  ///< of the ledger
    std::uint64_t sessions = 0;                                              ///< that fit the search
    std::vector<TopClient> clients;
};

/// From the bodies of /api/v1/status and /api/v1/clients. Nothing: not what a gateway answers.
[[nodiscard]] std::optional<TopSample> read_top_sample(std::string_view status, std::string_view clients, base::Monotonic at);

/// Fills in the clients' rates. A client that has connected anew meanwhile has none yet.
void set_rates(TopSample& now, const TopSample& before);

enum class TopOrder : std::uint8_t { rate, queue, name, newest };
[[nodiscard]] std::string_view name(TopOrder order);
[[nodiscard]] std::optional<TopOrder> parse_top_order(std::string_view name);

/// Lines of at most `columns` characters, at most `lines` of them, each ended with a line break.
struct TopView {
    TopOrder order = TopOrder::rate;
    std::size_t columns = 100;
    std::size_t lines = 24;
};
[[nodiscard]] std::string top_frame(TopSample sample, const TopView& view);
/// One line: {"id", …, "clients":[…]}.
[[nodiscard]] std::string top_json(const TopSample& sample);

}  // namespace sluice::cli
