// One cloud as the backbone has it: the connection, the uplink that uses it, and what the log is told about both.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "env/entropy.hpp"
#include "env/posix/event_loop.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/cloud_connection.hpp"
#include "gateway/spool_source.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// Owned by the backbone's thread.
class CloudPort {
public:
    struct Options {
        std::string id;   ///< `main`, or its name among `uplinks`
        std::string url;  ///< for people
        CloudConnector connect;
        uplink::Options uplink;
        std::unique_ptr<uplink::Dialect> dialect;
    };
    /// Behind all tasks of the loop whose output it sends. `spool` and `status` outlive it.
    CloudPort(Options options, posix::EventLoop& loop, spool::Spool& spool, uplink::StatusSource& status, env::Entropy& entropy);

    void start(base::Monotonic now) { uplink_->start(now); }
    /// True: something happened that people may see.
    [[nodiscard]] bool on_turn(base::Monotonic now);
    void on_events(base::Monotonic now) { uplink_->on_events(now); }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    /// Says goodbye; what is queued still leaves.
    void stop(base::Monotonic now);
    /// Nothing is open (any more).
    [[nodiscard]] bool is_closed() const { return link_->is_closed(); }

    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] const uplink::Stats& stats() const { return uplink_->stats(); }

private:
    [[nodiscard]] bool is_main() const { return id_ == config::kMainUplink; }
    void report(base::Monotonic now);
    void report_too_large(base::Monotonic now);
    void report_standing();

    std::string id_;
    std::string url_;
    std::string title_;  // in the log
    SpoolSource source_;
    std::unique_ptr<CloudConnection> link_;
    std::unique_ptr<uplink::Uplink> uplink_;
    bool stopping_ = false;
    bool up_ = false;
    std::uint64_t failures_ = 0;
    uplink::Trouble trouble_ = uplink::Trouble::none;
    base::Monotonic reported_at_{};
    std::uint64_t too_large_ = 0;  // events dropped, as last told
    base::Monotonic too_large_at_{};
    std::vector<uplink::HardEvent> standing_;  // as last told
};

}  // namespace sluice::gateway
