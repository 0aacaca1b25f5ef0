// A gateway, put together: the architecture diagram in code.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "gateway/access_control.hpp"
#include "gateway/api.hpp"
#include "gateway/backbone.hpp"
#include "gateway/bridges.hpp"
#include "gateway/connect_gate.hpp"
#include "gateway/connection_layers.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/key_watch.hpp"
#include "gateway/rule_control.hpp"
#include "gateway/session_thread.hpp"
#include "gateway/shard.hpp"
#include "gateway/spool_sealer.hpp"
#include "gateway/state_recovery.hpp"
#include "gateway/state_store.hpp"
#include "gateway/table_watch.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/start_error.hpp"
#include "manage/identity/document_sealer.hpp"

namespace sluice::gateway {

/// In the data folder: the process that runs on it, for `sluice reload`.
inline constexpr std::string_view kPidFile = "gateway.pid";

/// The outside world that a gateway lives in.
struct World {
    env::FileSystem& files;
    const env::Clock& clock;
    env::Entropy& entropy;
};

/// Runs from a successful start() to stop(). Called by one thread; the work happens on the threads it starts.
class Gateway final : private RuleControl {
public:
    /// Takes the listeners first, so that a port in use leaves the data untouched. `error` says what went wrong when the result is null.
    static std::unique_ptr<Gateway> start(const config::GatewayConfig& config, World world, config::StartError& error);
    ~Gateway() override;
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// New rules, tables, certificates, users, access lists and limits at once, without dropping a connection (but of those who are no
    /// longer welcome); rules whose SQL is unchanged keep their state. Other sections need a restart: their keys are returned. False: could
    /// not be done now (storage does not answer, a table has just become unusable), which is logged; the rules are the old ones.
    bool reload(const config::GatewayConfig& config, std::vector<std::string>& needs_restart);

    /// Clean: everything taken is stored, rule state saved, clients and cloud told.
    void stop();

private:
    class Acceptor;
    Gateway(const config::GatewayConfig& config, World world, rules::Catalog catalog);
    bool open_listeners(config::StartError& error);
    bool open_data(config::StartError& error);
    [[nodiscard]] std::optional<identity::KeyRing> open_keys(config::StartError& error);
    void report_missing_keys(const spool::Sealer& sealer) const;
    [[nodiscard]] bool reseal_rules(const identity::KeyRing& keys);
    bool open_rule_state(spool::Spool& events, config::StartError& error);
    bool open_sessions(const identity::KeyRing& keys, std::chrono::milliseconds commit_delay, config::StartError& error);
    void connect_threads();
    void watch_tables(const LoadedCatalog& loaded);
    void run_threads();
    [[nodiscard]] bool reload_certificates(const config::Listen& listen);
    [[nodiscard]] std::vector<ShardAccess> take_access();
    void reload_access(const config::GatewayConfig& config, bool listeners_changed, std::vector<std::string>& needs_restart);
    void reload_limits(const config::Limits& limits);
    void set_accept_limits(const config::Limits& limits);
    [[nodiscard]] ConnectRates connect_rates() const;
    // RuleControl: the API's thread
    RuleOutcome change(const RuleOrder& order) override;
    std::shared_ptr<const Ruleset> ruleset() override;
    RuleListing list(std::string_view search) override;
    std::optional<RuleListing> find(const std::string& id) override;
    void tell_shards(Command::Kind kind, const std::shared_ptr<const Ruleset>& rules);
    /// `meanwhile`: while nothing is evaluated.
    [[nodiscard]] bool force_rules(const std::shared_ptr<const Ruleset>& rules, const std::function<void()>& meanwhile = {});

    config::GatewayConfig config_;
    World world_;
    std::mutex control_lock_;  // who changes configuration or rules, or sends commands to the shards
    RuleBook rule_book_;       // of config_
    std::atomic<std::uint32_t> connections_{0};
    std::atomic<std::uint32_t> connections_max_{0};
    std::atomic<std::uint32_t> connect_rate_{0};
    std::atomic<std::uint32_t> connect_rate_address_{0};
    ConnectGate gate_;  // of shard 0's thread

    TableWatch tables_;

    std::optional<posix::PidFile> pid_file_;

    // In the order in which data flows; destroyed the other way round.
    std::unique_ptr<KeyDesk> key_desk_;
    std::unique_ptr<SpoolSealer> spool_sealer_;
    std::unique_ptr<identity::DocumentSealer> state_sealer_;
    std::unique_ptr<StateStore> state_;
    std::unique_ptr<StateJournal> journal_;  // until the backbone takes it
    RecoveredState recovered_;
    std::unique_ptr<KeyWatch> key_watch_;
    std::unique_ptr<Api> api_;
    std::unique_ptr<Backbone> backbone_;
    std::unique_ptr<SessionThread> sessions_;
    std::vector<std::unique_ptr<Shard>> shards_;
    AccessControl access_;
    Bridges bridges_;
    std::vector<std::string> left_over_bridges_;  // names of those whose sessions the last run left
    std::vector<std::unique_ptr<posix::Mailbox<ShardMail>>> between_shards_;
    std::vector<std::unique_ptr<posix::Mailbox<BackboneMail>>> to_backbone_;
    std::vector<std::unique_ptr<posix::Mailbox<SessionMail>>> to_sessions_;
    std::vector<std::unique_ptr<posix::Mailbox<Command>>> commands_;
    std::vector<std::unique_ptr<ClientQueryBox>> questions_;
    std::vector<std::unique_ptr<RuleQueryBox>> rule_questions_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    std::vector<std::thread> threads_;
    std::thread backbone_thread_;
    std::thread sessions_thread_;
    bool stopped_ = false;
};

}  // namespace sluice::gateway
