#include "cloud/wiring.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cloud/sqlite_store.hpp"
#include "env/posix/signals_blocked.hpp"
#include "gateway/connection_layers.hpp"

namespace sluice::cloud {

namespace {

std::vector<Token> tokens_of(const config::CloudConfig& config) {
    std::vector<Token> tokens;
    tokens.reserve(config.auth.tokens.size());
    for (const auto& row : config.auth.tokens) tokens.push_back({row.gateway, row.token});
    return tokens;
}

Front::Options front_options(const config::CloudConfig& config) {
    Front::Options out;
    out.hub.connections_max = config.limits.connections;
    out.hub.connect_timeout = std::chrono::ceil<std::chrono::seconds>(config.limits.connect_timeout);
    out.hub.keep_alive_max = std::chrono::floor<std::chrono::seconds>(config.limits.keep_alive_max);
    out.hub.payload_bytes_max = config.limits.payload;
    out.hub.receive_maximum = static_cast<std::uint16_t>(std::min<std::uint32_t>(config.limits.in_flight, 65'535));
    // Gateways keep their events themselves: sessions end with their connections, nothing is retained or queued here.
    out.hub.sessions_max = config.limits.connections;
    out.hub.retained_messages_max = 0;
    out.store_queue_bytes_max = config.limits.store_queue_bytes;
    return out;
}

std::string data_message(const std::string& path, const base::Error& error) {
    switch (error.code) {
        case base::Errc::in_use:
            return fmt::format("{} is in use by another cloud", path);
        case base::Errc::permission:
            return fmt::format("{} cannot be used: expected a folder that this user may write", path);
        case base::Errc::version:
            return fmt::format("{}/events.db was made by another program or a newer Sluice; use that one, or move the file away", path);
        case base::Errc::corrupt:
            return fmt::format(
                "{}/events.db is damaged or no database; restore it from a backup, or move it away to begin with an empty one", path);
        default:
            return fmt::format("{} cannot be used: {}", path, base::describe(error));
    }
}

}  // namespace

Cloud::Cloud(const config::CloudConfig& config, World world)
    : written_(config), config_(config), world_(world), admission_(tokens_of(config), config.auth.anonymous) {}

std::unique_ptr<Cloud> Cloud::start(const config::CloudConfig& config, World world, config::StartError& error) {
    std::unique_ptr<Cloud> cloud(new Cloud(config, world));
    if (!cloud->open_listeners(error) || !cloud->open_data(error)) return nullptr;
    cloud->run();
    return cloud;
}

bool Cloud::open_listeners(config::StartError& error) {
    front_ = std::make_unique<Front>(front_options(config_), world_.clock, admission_, gateways_);
    for (std::size_t i = 0; i < config_.listen.mqtt.size(); ++i) {
        auto& each = config_.listen.mqtt[i];
        const std::string key = fmt::format("listen.mqtt[{}]", i);
        std::shared_ptr<const posix::TlsContext> tls;
        if (each.is_tls()) {
            config::Problems problems;
            tls = gateway::make_tls_context(each, key, world_.files, problems);
            if (tls == nullptr) {
                error = config::first_error(problems);
                return false;
            }
        }
        const auto port = front_->listen(each, std::move(tls));
        if (!port) {
            error = {each.at, key, config::listen_message(each.text(), port.error())};
            return false;
        }
        each.port = *port;
    }
    if (!config_.listen.http) return true;
    const auto& http = *config_.listen.http;
    auto api = Api::start(http.host, http.port, world_.clock);
    if (!api) {
        error = {http.at, "listen.http", config::listen_message(fmt::format("{}:{}", http.host, http.port), api.error())};
        return false;
    }
    api_ = std::move(*api);
    return true;
}

bool Cloud::open_data(config::StartError& error) {
    const std::string& path = config_.cloud.data.value;
    const auto fail = [&](const base::Error& why) {
        error = {config_.cloud.data.at, "cloud.data", data_message(path, why)};
        return false;
    };
    if (auto made = world_.files.make_directory(path); !made) return fail(made.error());
    // Two writers would each trust their own memory of what is stored.
    auto pid_file = posix::PidFile::take(path + "/" + std::string(kPidFile));
    if (!pid_file) return fail(pid_file.error());
    pid_file_ = std::move(*pid_file);
    const auto database = path + "/events.db";
    // SQLite makes files that everybody may read; one that exists keeps its mode, and its log gets the same.
    if (const auto made = world_.files.open(database, env::OpenMode::create_new); !made && made.error().code != base::Errc::exists)
        return fail(made.error());
    auto store = SqliteStore::open(database);
    if (!store) return fail(store.error());
    auto query = EventQuery::open(database);
    if (!query) return fail(query.error());
    auto known = (*query)->gateways();
    if (!known) return fail(known.error());
    for (auto& row : *known)
        gateways_.restore({.id = row.id, .online = false, .last_seen = base::from_ms(row.last_seen_ms), .ledger = std::move(row.ledger)});
    store_ = std::make_unique<StoreThread>(world_.clock, std::move(*store));
    query_ = std::move(*query);
    return true;
}

void Cloud::run() {
    {
        const posix::SignalsBlocked for_new_threads;
        store_->start(front_->loop());
        front_->start(*store_);
    }
    if (auto announced = pid_file_->announce(); !announced) spdlog::warn("{} not written: {}", kPidFile, base::describe(announced.error()));
    for (const auto& each : config_.listen.mqtt) spdlog::info("listening for gateways on {}", each.text());
    if (api_) {
        api_->ready(std::move(query_), gateways_, *front_, *store_);
        spdlog::info("API and metrics on http://{}:{}/", config_.listen.http->host, api_->port());
    }
    spdlog::info("cloud {} runs", config_.cloud.id);
}

std::vector<std::string> Cloud::reload(const config::CloudConfig& config) {
    std::vector<bool> taken(config.listen.mqtt.size(), false);
    for (std::size_t i = 0; i < config_.listen.mqtt.size(); ++i) {
        const config::MqttListener& running = config_.listen.mqtt[i];
        // As it was written: with port 0 the one that is really used stands nowhere, and several may be written alike.
        const auto is_it = [&](const config::MqttListener& each) {
            return !taken[static_cast<std::size_t>(&each - config.listen.mqtt.data())] && each.text() == written_.listen.mqtt[i].text();
        };
        const auto now = std::find_if(config.listen.mqtt.begin(), config.listen.mqtt.end(), is_it);
        if (now == config.listen.mqtt.end()) continue;
        taken[static_cast<std::size_t>(now - config.listen.mqtt.begin())] = true;
        if (!running.is_tls()) continue;
        config::Problems problems;
        auto tls =
            gateway::make_tls_context(*now, fmt::format("listen.mqtt[{}]", now - config.listen.mqtt.begin()), world_.files, problems);
        for (const auto& each : problems) spdlog::warn("reload: {}", config::format(config_.file, each));
        if (tls == nullptr) {
            spdlog::error("reload: {} goes on with the certificates it had", running.text());
            continue;
        }
        front_->replace_tls(i, std::move(tls));
        spdlog::info("reload: certificates of {} in force for new connections", running.text());
    }
    const auto addresses = [](const config::Listen& listen) {
        std::vector<std::string> out;
        out.reserve(listen.mqtt.size());
        for (const auto& each : listen.mqtt) out.push_back(each.text());
        return out;
    };
    std::vector<std::string> needs_restart;
    const auto compare = [&needs_restart](bool same, const char* key) {
        if (!same) needs_restart.emplace_back(key);
    };
    compare(config.cloud == written_.cloud, "cloud");
    compare(addresses(config.listen) == addresses(written_.listen) && config.listen.http == written_.listen.http, "listen");
    compare(config.auth == written_.auth, "auth");
    compare(config.limits == written_.limits, "limits");
    return needs_restart;
}

void Cloud::stop() {
    if (api_) api_->not_ready();
    front_->stop();
    if (store_) store_->stop();
}

Cloud::~Cloud() { stop(); }

}  // namespace sluice::cloud
