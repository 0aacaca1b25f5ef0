// What the gateway's HTTP server answers: health, metrics, status, the live stream and the page.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "env/clock.hpp"
#include "env/posix/http_server.hpp"
#include "gateway/backbone.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/clients_api.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/rules_api.hpp"
#include "gateway/session_gauges.hpp"
#include "gateway/table_watch.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// start() binds the port and answers 503 to everything but the page until ready() is called.
class Api {
public:
    /// Errors: in_use, permission, not_found (address), io.
    static base::Result<std::unique_ptr<Api>> start(const config::GatewayConfig& config, const env::Clock& clock);
    ~Api();

    void ready(const Backbone& backbone, const SessionGauges& sessions, std::vector<ShardGauges*> shards,
               std::vector<ClientQueryBox*> questions, const SignInGauges& sign_ins, const BridgeBoard& bridges, const TableWatch& tables,
               const KeyDesk& keys, RuleControl& rules, std::vector<RuleQueryBox*> rule_questions);
    /// Before the backbone goes: answers 503 again.
    void not_ready();
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }

    /// Any thread: an alert for the live page. At most kAlertsPerSecond reach it; all of them reach the cloud.
    void on_alert(const data::Event& event);

    static constexpr std::uint32_t kAlertsPerSecond = 200;

private:
    Api(const config::GatewayConfig& config, const env::Clock& clock);
    posix::HttpResponse handle(const posix::HttpRequest& request);
    void tick();
    [[nodiscard]] std::string status() const;
    [[nodiscard]] double uptime_s() const;

    std::string id_;
    std::string uplink_url_;
    double price_per_million_;
    const env::Clock& clock_;
    base::Monotonic started_;
    std::atomic<bool> ready_{false};
    std::mutex ready_lock_;  // handle() and tick() hold it while they look at the backbone
    const Backbone* backbone_ = nullptr;
    const SessionGauges* sessions_ = nullptr;
    std::vector<ShardGauges*> shards_;
    const SignInGauges* sign_ins_ = nullptr;  // there while backbone_ is
    const BridgeBoard* bridges_ = nullptr;    // the same
    const TableWatch* tables_ = nullptr;      // the same
    const KeyDesk* keys_ = nullptr;           // the same
    std::optional<ClientsApi> clients_;
    std::optional<RulesApi> rules_;
    bool local_;  // reachable from this machine only
    std::atomic<std::uint32_t> alerts_this_second_{0};
    base::Monotonic rate_at_{};
    std::uint64_t rate_readings_ = 0;
    double readings_per_s_ = 0;
    std::unique_ptr<posix::HttpServer> server_;
};

}  // namespace sluice::gateway
