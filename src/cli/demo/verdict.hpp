// The facts of a demo's run and what they prove.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cli/demo/cloud_book.hpp"
#include "cli/load/alert_book.hpp"

namespace sluice::demo {

/// One class in the gateway's ledger.
struct ClassLedger {
    std::uint64_t created = 0;
    std::uint64_t delivered = 0;
    std::uint64_t waiting = 0;
    std::uint64_t dropped = 0;  ///< for all reasons
};

/// From GET /api/v1/status of the gateway.
struct GatewayStatus {
    std::uint64_t readings_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_up = 0;
    std::uint64_t messages_up = 0;  ///< batches to the cloud, resent ones too
    bool uplink_connected = false;
    std::map<std::string, ClassLedger, std::less<>> classes;
    [[nodiscard]] std::uint64_t created() const;
    [[nodiscard]] std::uint64_t delivered() const;
    [[nodiscard]] std::uint64_t waiting() const;
};
/// Errors: malformed.
[[nodiscard]] base::Result<GatewayStatus> read_status(std::string_view body);

struct Facts {
    std::uint64_t sensors = 0;
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t reconnects = 0;  ///< of sensors
    double readings_per_second = 0;
    load::AlertBook::Comparison local;  ///< alerts that a subscriber of the gateway received
    load::AlertBook::Comparison cloud;  ///< alerts that the cloud stored
    std::uint64_t missed_spikes = 0;    ///< that the reference would not alert: a defect of the plant
    CloudBook::Contents contents;
    std::map<std::string, ClassBook, std::less<>> stored;
    GatewayStatus status;            ///< at the end
    std::uint64_t links_broken = 0;  ///< connections to the cloud that stood when the line was cut
    std::uint64_t links_refused = 0;
    double cut_seconds = 0;
    std::uint64_t waiting_most = 0;  ///< events in the spool at the worst moment seen
};

struct Check {
    std::string name;  ///< what must be true
    bool good = false;
    std::string detail;  ///< the numbers
};

[[nodiscard]] std::vector<Check> judge(const Facts& facts);
[[nodiscard]] bool all_good(const std::vector<Check>& checks);

struct Cost {
    double sent_all = 0;        ///< each reading a message to the cloud
    double sent = 0;            ///< each delivered event a message, as if there were no batches
    double batched = 0;         ///< what went up: batches are messages
    double sent_all_month = 0;  ///< the three at the run's rate, 30 days
    double sent_month = 0;
    double batched_month = 0;
};
[[nodiscard]] Cost cost_of(const Facts& facts, double price_per_million);

/// Ledger, cost and checks for people.
[[nodiscard]] std::string report_text(const Facts& facts, const std::vector<Check>& checks, double price_per_million);
[[nodiscard]] std::string report_json(const Facts& facts, const std::vector<Check>& checks, double price_per_million);

}  // namespace sluice::demo
