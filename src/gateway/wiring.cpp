#include "gateway/wiring.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "env/posix/machine.hpp"
#include "env/posix/signals_blocked.hpp"
#include "gateway/limits.hpp"
#include "gateway/source_address.hpp"
#include "gateway/spool_wiring.hpp"
#include "gateway/uplink_wiring.hpp"

namespace sluice::gateway {
namespace {

constexpr std::size_t kShardMailboxSlots = 1024;
constexpr std::size_t kBackboneMailboxSlots = 256;
constexpr std::size_t kSessionMailboxSlots = 256;
constexpr std::size_t kCommandSlots = 16;
constexpr std::size_t kQuestionSlots = 16;
constexpr std::size_t kShardsMax = 64;

/// How long a loop may nap to take more messages in one turn: it spares wake-ups and costs as much latency.
std::chrono::microseconds nap_of(config::Latency latency) {
    switch (latency) {
        case config::Latency::low:
            return std::chrono::microseconds(0);
        case config::Latency::balanced:
            return std::chrono::microseconds(2000);
        case config::Latency::eco:
            return std::chrono::microseconds(10'000);
    }
    return std::chrono::microseconds(0);
}

/// How long an event may wait for its commit while nobody waits for it and it is no alert: fewer and larger writes.
std::chrono::milliseconds commit_delay_of(config::Latency latency) {
    switch (latency) {
        case config::Latency::low:
            return std::chrono::milliseconds(20);
        case config::Latency::balanced:
            return std::chrono::milliseconds(100);
        case config::Latency::eco:
            return std::chrono::milliseconds(500);
    }
    return std::chrono::milliseconds(20);
}

/// What lies between two commits where somebody waits. A sync takes about 0.15 ms of CPU time, however fast the disk is, and wears flash
/// out.
std::chrono::milliseconds commit_spacing_of(config::Latency latency) {
    switch (latency) {
        case config::Latency::low:
            return std::chrono::milliseconds(1);
        case config::Latency::balanced:
            return std::chrono::milliseconds(5);
        case config::Latency::eco:
            return std::chrono::milliseconds(20);
    }
    return std::chrono::milliseconds(1);
}

std::uint16_t shard_count(const config::GatewayConfig& config) {
    const std::size_t wanted = config.gateway.shards != 0 ? config.gateway.shards : std::max(1U, std::thread::hardware_concurrency());
    return static_cast<std::uint16_t>(std::min(wanted, kShardsMax));
}

std::uint64_t random_number(env::Entropy& entropy) {
    base::Byte bytes[8];
    entropy.fill(bytes);
    return base::load_le<std::uint64_t>(bytes);
}

std::vector<bool> urgent_classes(const config::GatewayConfig& config) {
    std::vector<bool> out;
    out.reserve(config.uplink.classes.size());
    for (const auto& each : config.uplink.classes) out.push_back(each.priority == 0);
    return out;
}

Backbone::Options backbone_options(const config::GatewayConfig& config) {
    Backbone::Options out;
    out.commit_delay = commit_delay_of(config.gateway.latency);
    out.commit_spacing = commit_spacing_of(config.gateway.latency);
    out.urgent_classes = urgent_classes(config);
    out.streams = make_streams(config);
    return out;
}

/// Events for an uplink that the configuration had once: nobody fetches them.
void warn_of_orphans(const spool::Spool& spool, const config::GatewayConfig& config) {
    if (!config.uplink.configured() && config.uplinks.empty()) return;  // all of it waits for a cloud that is still to come
    for (const auto& row : spool.stats().classes) {
        const auto owner = split_stream(row.name).second;
        const bool there = owner == config::kMainUplink ? config.uplink.configured()
                                                        : std::any_of(config.uplinks.begin(), config.uplinks.end(),
                                                                      [&](const auto& each) { return each.id == owner; });
        if (row.waiting == 0 || there) continue;
        spdlog::warn(
            "spool: {} events of `{}` wait for an uplink that is not configured any more: they stay until room is needed; "
            "`sluice spool export` saves them",
            row.waiting, row.name);
    }
}

std::string data_message(const std::string& path, const base::Error& error) {
    switch (error.code) {
        case base::Errc::wrong_key:
            return fmt::format(
                "the spool in {} was written with another key than those in {}/keys (`sluice key list` says which); put it back, or move "
                "the "
                "spool "
                "away",
                path, path);
        case base::Errc::in_use:
            return fmt::format("{} is in use by another gateway", path);
        case base::Errc::not_found:
            return fmt::format("{} does not exist and cannot be made there; expected a folder that this user may make or write", path);
        case base::Errc::permission:
            return fmt::format("{} cannot be used: {}; expected a folder that this user may write, and a key file with mode 0600", path,
                               base::describe(error));
        default:
            return fmt::format("{} cannot be used: {}", path, base::describe(error));
    }
}

}  // namespace

/// One MQTT listener. It runs on shard 0's loop; connections find their shard when their CONNECT has come.
class Gateway::Acceptor final : public posix::TcpListener::Sink, public posix::TurnTask {
public:
    Acceptor(Gateway& gateway, std::uint16_t index, const config::MqttListener& config, std::shared_ptr<const posix::TlsContext> tls)
        : layers(config, std::move(tls)), gateway_(gateway), index_(index), proxied_(config.proxy_protocol) {}
    void on_accept(posix::DetachedConnection&& connection) override {
        ShardGauges& gauges = gateway_.shards_[0]->gauges();
        const base::Monotonic now = gateway_.shards_[0]->loop().now();
        const ConnectRates rates = gateway_.connect_rates();
        // Of a proxy all connections come from one address, and so do those of this machine.
        const bool own_address = !proxied_ && !connection.peer.loopback();
        if (!gateway_.gate_.admit(own_address ? std::optional(source_address(connection.peer)) : std::nullopt, now, rates))
            return refuse(connection, gauges.over_rate);
        if (gateway_.gate_.open_at(rates) > now) pause();
        if (gateway_.connections_.fetch_add(1, std::memory_order_relaxed) >= gateway_.connections_max_.load(std::memory_order_relaxed)) {
            gateway_.connections_.fetch_sub(1, std::memory_order_relaxed);
            return refuse(connection, gauges.over_limit);
        }
        if (!layers.equip(connection)) {
            gateway_.connections_.fetch_sub(1, std::memory_order_relaxed);
            ::close(connection.fd);
            return;
        }
        if (layers.has_tls()) return gateway_.shards_[0]->adopt_somewhere(std::move(connection), index_);
        gateway_.shards_[0]->adopt(std::move(connection), index_);
    }
    void on_refused() override { gateway_.shards_[0]->gauges().over_limit.fetch_add(1, std::memory_order_relaxed); }
    void on_turn(base::Monotonic now) override {
        if (!paused_ || gateway_.gate_.open_at(gateway_.connect_rates()) > now) return;
        paused_ = false;
        listener->pause(false);
    }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override {
        if (!paused_) return std::nullopt;
        return gateway_.gate_.open_at(gateway_.connect_rates());
    }
    ConnectionLayers layers;
    std::unique_ptr<posix::TcpListener> listener;

private:
    static void refuse(const posix::DetachedConnection& connection, std::atomic<std::uint64_t>& counter) {
        counter.fetch_add(1, std::memory_order_relaxed);
        ::close(connection.fd);
    }
    void pause() {
        paused_ = true;
        listener->pause(true);
        gateway_.shards_[0]->gauges().accept_pauses.fetch_add(1, std::memory_order_relaxed);
    }
    Gateway& gateway_;
    std::uint16_t index_;
    bool proxied_;
    bool paused_ = false;
};

Gateway::Gateway(const config::GatewayConfig& config, World world, rules::Catalog catalog)
    : config_(config),
      world_(world),
      rule_book_(config_, std::move(catalog)),
      gate_(random_number(world.entropy)),
      tables_(world.files),
      access_(world.clock, world.entropy),
      bridges_(world.files, world.clock, world.entropy) {
    set_accept_limits(config.limits);
}

void Gateway::set_accept_limits(const config::Limits& limits) {
    connections_max_ = connections_max(limits);
    connect_rate_ = limits.connect_rate;
    connect_rate_address_ = limits.connect_rate_address;
}

ConnectRates Gateway::connect_rates() const {
    return {connect_rate_.load(std::memory_order_relaxed), connect_rate_address_.load(std::memory_order_relaxed)};
}

std::unique_ptr<Gateway> Gateway::start(const config::GatewayConfig& config, World world, config::StartError& error) {
    posix::return_large_blocks();
    config::Problems problems;
    const LoadedCatalog loaded = load_catalog(config, world.files, problems);
    std::unique_ptr<Gateway> gateway(new Gateway(config, world, loaded.catalog));
    if (!config::is_valid(problems) || !loaded.complete() || gateway->rule_book_.ruleset() == nullptr) {
        error = {{}, "tables", "a table's file has just changed: `sluice check` says what is wrong with it"};
        return nullptr;
    }
    if (!gateway->open_listeners(error) || !gateway->open_data(error)) return nullptr;
    gateway->connect_threads();
    gateway->watch_tables(loaded);
    gateway->run_threads();
    return gateway;
}

bool Gateway::open_listeners(config::StartError& error) {
    const std::uint16_t shards = shard_count(config_);
    for (std::uint16_t i = 0; i < shards; ++i) {
        Shard::Options options;
        options.index = data::ShardIndex(i);
        options.shards = shards;
        options.nap = nap_of(config_.gateway.latency);
        options.hub = hub_limits(config_.limits, posix::machine_memory());
        options.rules.shard = i;
        options.rules.shards = shards;
        set_rule_limits(options.rules, config_.limits, shards);
        options.gateway = config_.gateway.id;
        if (i == 0) options.sys_interval = config_.gateway.sys_interval;
        options.urgent_classes = urgent_classes(config_);
        options.save_interval = config_.state.checkpoint;
        options.journal = config_.state.journal;
        for (const auto& each : config_.listen.mqtt) options.encrypted_listeners.push_back(each.is_tls());
        options.seed = random_number(world_.entropy);
        options.rules.hash_seed = options.seed;
        shards_.push_back(std::make_unique<Shard>(options, world_.clock, rule_book_.ruleset()));
    }
    for (std::size_t i = 0; i < config_.listen.mqtt.size(); ++i) {
        const auto& each = config_.listen.mqtt[i];
        config::Problems problems;
        std::shared_ptr<const posix::TlsContext> tls;
        if (each.is_tls()) tls = make_tls_context(each, fmt::format("listen.mqtt[{}]", i), world_.files, problems);
        if (each.is_tls() && tls == nullptr) {
            error = config::first_error(problems);
            return false;
        }
        auto acceptor = std::make_unique<Acceptor>(*this, static_cast<std::uint16_t>(i), each, std::move(tls));
        auto listener = each.scheme == config::Scheme::unix_socket
                            ? posix::TcpListener::open_unix(shards_[0]->loop(), *acceptor, each.socket, each.mode)
                            : posix::TcpListener::open(shards_[0]->loop(), *acceptor, each.host, each.port);
        if (!listener) {
            error = {each.at, fmt::format("listen.mqtt[{}]", i), config::listen_message(each.text(), listener.error())};
            return false;
        }
        acceptor->listener = std::move(*listener);
        shards_[0]->loop().add_task(*acceptor);
        acceptors_.push_back(std::move(acceptor));
    }
    if (config_.listen.http) {
        auto api = Api::start(config_, world_.clock);
        if (!api) {
            const auto& http = *config_.listen.http;
            error = {http.at, "listen.http", config::listen_message(fmt::format("{}:{}", http.host, http.port), api.error())};
            return false;
        }
        api_ = std::move(*api);
    }
    return true;
}

bool Gateway::open_data(config::StartError& error) {
    const std::string& path = config_.gateway.data.value;
    const auto fail = [&](const base::Error& why) {
        error = {config_.gateway.data.at, "gateway.data", data_message(path, why)};
        return false;
    };
    if (auto made = world_.files.make_directory(path); !made) return fail(made.error());
    auto pid_file = posix::PidFile::take(path + "/" + std::string(kPidFile));
    if (!pid_file) return fail(pid_file.error());
    pid_file_ = std::move(*pid_file);
    const auto keys = open_keys(error);
    if (!keys) return false;
    key_desk_ = std::make_unique<KeyDesk>(*keys);
    spool_sealer_ = std::make_unique<SpoolSealer>(*keys);
    state_sealer_ = std::make_unique<identity::DocumentSealer>(*keys, identity::kRuleStatePurpose, world_.entropy);
    report_missing_keys(*spool_sealer_);
    auto spool = spool::Spool::open({world_.files, world_.clock, world_.entropy, *spool_sealer_}, spool_options(config_));
    if (!spool && spool.error().code == base::Errc::limit) {
        auto look = spool_options(config_);
        look.classes.clear();
        look.read_only = true;
        const auto seen = spool::Spool::open({world_.files, world_.clock, world_.entropy, *spool_sealer_}, look);
        if (!seen) return fail(spool.error());
        error = {config_.gateway.data.at, "gateway.data", too_many_classes((*seen)->stats(), config_, look.directory)};
        return false;
    }
    if (!spool) return fail(spool.error());
    state_ = std::make_unique<StateStore>(world_.files, *state_sealer_, path + "/state");
    if (auto opened = state_->open(); !opened) return fail(opened.error());

    // Events are told apart in the cloud by the gateway's id: under another one what waits would be stored a second time.
    if (const auto owner = state_->owner(); !owner.empty() && owner != config_.gateway.id) {
        error = {
            config_.gateway.data.at, "gateway.data",
            fmt::format("{} belongs to gateway `{}`, not to `{}`; give each gateway a folder of its own", path, owner, config_.gateway.id)};
        return false;
    }
    if (auto owned = state_->set_owner(config_.gateway.id); !owned) return fail(owned.error());
    if ((*spool)->stats().manifest_rebuilt) {
        spdlog::error("spool: both manifests were unreadable; positions come from the segments, the ledger's history begins anew");
    }
    if (rule_book_.open(std::make_unique<RuleOverlayStore>(world_.files, world_.entropy, *keys, path))) {
        for (const auto& shard : shards_) shard->use_rules(rule_book_.ruleset());
    }
    if (!open_rule_state(**spool, error)) return false;
    // Before the sessions come back: each belongs to somebody.
    auto access = take_access();
    for (std::size_t i = 0; i < shards_.size(); ++i) shards_[i]->use_access(std::move(access[i]));
    if (!open_sessions(*keys, commit_delay_of(config_.gateway.latency), error)) return false;
    Backbone::OnAlert on_alert;
    if (api_) on_alert = [api = api_.get()](const data::Event& event) { api->on_alert(event); };
    auto options = backbone_options(config_);
    config::Problems problems;
    auto clouds = make_clouds(config_, (*spool)->classes(), world_.files, world_.clock, problems);
    if (!clouds || !config::is_valid(problems)) {
        error = config::first_error(problems);
        return false;
    }
    options.clouds = std::move(*clouds);
    for (const auto& each : problems) spdlog::warn("{}", config::format(config_.file, each));
    warn_of_orphans(**spool, config_);
    backbone_ = std::make_unique<Backbone>(
        std::move(options), world_.clock, world_.entropy, std::move(*spool),
        Backbone::RuleState{*state_, std::move(journal_), config_.state.journal, recovered_.shift, recovered_.readings},
        Backbone::Keys{*key_desk_, *spool_sealer_, *state_sealer_}, std::move(on_alert));
    key_watch_ = std::make_unique<KeyWatch>(world_.files, path, *key_desk_, [this](const auto& ring) { return reseal_rules(ring); });
    return true;
}

/// Mailboxes: from each shard to each other, to the backbone, and from here to each shard.
void Gateway::connect_threads() {
    const std::size_t count = shards_.size();
    std::vector<Shard::Links> links(count);
    std::vector<Backbone::ShardLink> backbone_links;
    std::vector<SessionThread::ShardLink> session_links;
    for (std::size_t i = 0; i < count; ++i) {
        links[i].to_peers.resize(count);
        links[i].from_peers.resize(count);
        links[i].connections = &connections_;
        links[i].bridges = &bridges_.board();
        links[i].tables = &tables_;
    }
    for (std::size_t from = 0; from < count; ++from) {
        for (std::size_t to = 0; to < count; ++to) {
            if (from == to) continue;
            links[from].peer_gauges.push_back(&shards_[to]->gauges());
            between_shards_.push_back(std::make_unique<posix::Mailbox<ShardMail>>(kShardMailboxSlots, shards_[to]->loop()));
            links[from].to_peers[to] = between_shards_.back().get();
            links[to].from_peers[from] = between_shards_.back().get();
        }
        to_backbone_.push_back(std::make_unique<posix::Mailbox<BackboneMail>>(kBackboneMailboxSlots, backbone_->loop()));
        links[from].to_backbone = to_backbone_.back().get();
        to_sessions_.push_back(std::make_unique<posix::Mailbox<SessionMail>>(kSessionMailboxSlots, sessions_->loop()));
        links[from].to_sessions = to_sessions_.back().get();
        session_links.push_back({to_sessions_.back().get(), &shards_[from]->gauges(), &shards_[from]->loop()});
        commands_.push_back(std::make_unique<posix::Mailbox<Command>>(kCommandSlots, shards_[from]->loop()));
        links[from].commands = commands_.back().get();
        questions_.push_back(std::make_unique<ClientQueryBox>(kQuestionSlots, shards_[from]->loop()));
        links[from].questions = questions_.back().get();
        rule_questions_.push_back(std::make_unique<RuleQueryBox>(kQuestionSlots, shards_[from]->loop()));
        links[from].rule_questions = rule_questions_.back().get();
        backbone_links.push_back({to_backbone_.back().get(), &shards_[from]->gauges(), &shards_[from]->loop()});
    }
    bridges_.board().use(shards_[0]->loop());
    for (std::size_t i = 0; i < count; ++i) shards_[i]->wire(std::move(links[i]));
    backbone_->wire(std::move(backbone_links));
    sessions_->wire(std::move(session_links));
}

void Gateway::watch_tables(const LoadedCatalog& loaded) {
    std::vector<posix::EventLoop*> loops;
    loops.reserve(shards_.size());
    for (const auto& shard : shards_) loops.push_back(&shard->loop());
    tables_.wake(std::move(loops));
    tables_.use(config_, loaded);
}

std::vector<ShardAccess> Gateway::take_access() {
    std::vector<posix::EventLoop*> loops;
    loops.reserve(shards_.size());
    for (const auto& shard : shards_) loops.push_back(&shard->loop());
    return access_.take(config_.auth, config_.listen, config_.limits.connect_timeout, loops);
}

void Gateway::run_threads() {
    // Without it only `sluice reload` does not find us.
    if (auto announced = pid_file_->announce(); !announced) spdlog::warn("{} not written: {}", kPidFile, base::describe(announced.error()));
    {
        const posix::SignalsBlocked for_new_threads;
        backbone_thread_ = std::thread([this] { backbone_->run(); });
        sessions_thread_ = std::thread([this] { sessions_->run(); });
        for (const auto& shard : shards_) threads_.emplace_back([&each = *shard] { each.run(); });
    }
    for (std::size_t i = 0; i < acceptors_.size(); ++i) {
        config::MqttListener bound = config_.listen.mqtt[i];
        bound.port = acceptors_[i]->listener->port();
        spdlog::info("listening on {}", bound.text());
    }
    bridges_.start(config_, left_over_bridges_);
    key_watch_->start({&backbone_->loop(), &sessions_->loop()});
    if (api_) {
        std::vector<ShardGauges*> gauges;
        gauges.reserve(shards_.size());
        for (const auto& shard : shards_) gauges.push_back(&shard->gauges());
        std::vector<ClientQueryBox*> questions;
        questions.reserve(questions_.size());
        for (const auto& box : questions_) questions.push_back(box.get());
        std::vector<RuleQueryBox*> rule_questions;
        rule_questions.reserve(rule_questions_.size());
        for (const auto& box : rule_questions_) rule_questions.push_back(box.get());
        api_->ready(*backbone_, sessions_->gauges(), std::move(gauges), std::move(questions), access_.gauges(), bridges_.board(), tables_,
                    *key_desk_, *this, std::move(rule_questions));
        spdlog::info("page, API and metrics on http://{}:{}/", config_.listen.http->host, api_->port());
    }
    spdlog::info("gateway {} runs: {} shards, {} rules", config_.gateway.id, shards_.size(), rule_book_.ruleset()->routes.size());
}

/// New certificates, keys and revocation lists for the listeners that the new configuration still has. One that cannot be used keeps what
/// it had. True: some listener asks for certificates otherwise than before, which is a matter of access, too.
bool Gateway::reload_certificates(const config::Listen& listen) {
    bool rules_changed = false;
    for (std::size_t i = 0; i < acceptors_.size(); ++i) {
        config::MqttListener& running = config_.listen.mqtt[i];
        const auto now = std::find_if(listen.mqtt.begin(), listen.mqtt.end(),
                                      [&running](const auto& each) { return each.is_tls() && each.text() == running.text(); });
        if (!running.is_tls() || now == listen.mqtt.end()) continue;
        config::Problems problems;
        auto tls = make_tls_context(*now, fmt::format("listen.mqtt[{}]", now - listen.mqtt.begin()), world_.files, problems);
        for (const auto& each : problems) spdlog::warn("reload: {}", config::format(config_.file, each));
        if (tls == nullptr) {
            spdlog::error("reload: {} goes on with the certificates it had", running.text());
            continue;
        }
        acceptors_[i]->layers.replace(std::move(tls));
        rules_changed = rules_changed || running.ca != now->ca || running.require_client_cert != now->require_client_cert;
        running.cert = now->cert;
        running.key = now->key;
        running.ca = now->ca;
        running.crl = now->crl;
        running.sni = now->sni;
        running.identity = now->identity;
        running.require_client_cert = now->require_client_cert;
        spdlog::info("reload: certificates of {} in force for new connections", running.text());
    }
    return rules_changed;
}

/// Who may do what, at once and before anything else: a user who was taken out must not wait for the rules.
void Gateway::reload_access(const config::GatewayConfig& config, bool listeners_changed, std::vector<std::string>& needs_restart) {
    if (config.auth == config_.auth && !listeners_changed) return;
    // The new file has listeners on this machine only, but those that run are still the old ones.
    const bool reachable = std::any_of(config_.listen.mqtt.begin(), config_.listen.mqtt.end(),
                                       [](const auto& one) { return !one.is_local() && !one.require_client_cert; });
    if (!config.auth.configured && reachable) {
        needs_restart.emplace_back("auth");
        return;
    }
    config_.auth = config.auth;
    auto access = take_access();
    for (std::size_t i = 0; i < commands_.size(); ++i) {
        Command command{Command::Kind::swap_access, nullptr, std::move(access[i])};
        // A full box leaves the value untouched. NOLINTNEXTLINE(bugprone-use-after-move)
        while (!commands_[i]->push(std::move(command))) std::this_thread::yield();
    }
}

void Gateway::reload_limits(const config::Limits& limits) {
    if (limits == config_.limits) return;
    config_.limits = limits;
    set_accept_limits(limits);
    auto told = std::make_shared<ShardLimits>();
    told->hub = hub_limits(limits, posix::machine_memory());
    set_rule_limits(told->rules, limits, static_cast<std::uint16_t>(shards_.size()));
    for (const auto& box : commands_) {
        while (!box->push({.kind = Command::Kind::set_limits, .rules = nullptr, .limits = told})) std::this_thread::yield();
    }
}

bool Gateway::reload(const config::GatewayConfig& config, std::vector<std::string>& needs_restart) {
    const std::lock_guard guard(control_lock_);
    const bool listeners_changed = reload_certificates(config.listen);
    const auto compare = [&needs_restart](bool same, const char* key) {
        if (!same) needs_restart.emplace_back(key);
    };
    compare(config.gateway == config_.gateway, "gateway");
    compare(config.listen == config_.listen, "listen");
    reload_access(config, listeners_changed, needs_restart);
    reload_limits(config.limits);
    if (config.gateway == config_.gateway) {
        bridges_.reload(config);
        config_.bridges = config.bridges;
    } else {
        compare(config.bridges == config_.bridges, "bridges");
    }
    compare(config.uplink == config_.uplink, "uplink");
    compare(config.uplinks == config_.uplinks, "uplinks");
    compare(config.spool == config_.spool, "spool");
    compare(config.state == config_.state, "state");
    compare(config.cost == config_.cost, "cost");
    // Events carry the index of their class: rules may only change with the classes that the spool was opened with.
    if (config.uplink.classes != config_.uplink.classes) return true;

    config::Problems problems;
    const LoadedCatalog loaded = load_catalog(config, world_.files, problems);
    auto taken = RuleOutcome::Status::wrong;
    if (config::is_valid(problems) && loaded.complete())
        taken = rule_book_.take_file(config, loaded.catalog, [&](const auto& rules) {
            // Before the new rules: each shard takes the tables with them.
            return force_rules(rules, [&] {
                config_.tables = config.tables;
                config_.machine_classes = config.machine_classes;
                tables_.use(config_, loaded);
            });
        });
    if (taken == RuleOutcome::Status::wrong)
        spdlog::error("reload: a table's file has just changed: `sluice check` says what is wrong with it");
    if (taken == RuleOutcome::Status::busy) spdlog::error("reload: storage does not answer");
    return taken == RuleOutcome::Status::done;
}

void Gateway::stop() {
    if (std::exchange(stopped_, true)) return;
    if (api_) api_->not_ready();
    key_watch_->stop();
    tables_.stop();
    bridges_.stop();  // while the hub still answers
    tell_shards(Command::Kind::stop, nullptr);
    for (auto& thread : threads_) thread.join();
    access_.stop();
    acceptors_.clear();
    backbone_->stop();
    sessions_->stop();
    sessions_thread_.join();
    backbone_thread_.join();
}

Gateway::~Gateway() {
    if (backbone_thread_.joinable()) stop();
}

}  // namespace sluice::gateway
