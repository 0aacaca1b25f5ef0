#include "gateway/api.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

#include "codec/json/writer.hpp"
#include "embed/assets.hpp"
#include "gateway/descriptors.hpp"
#include "gateway/metrics.hpp"
#include "gateway/status.hpp"

namespace sluice::gateway {
namespace {

std::string json_text(std::string_view text) {
    base::Bytes out;
    json::append_string(out, text);
    return std::string(base::as_text(out));
}

}  // namespace

Api::Api(const config::GatewayConfig& config, const env::Clock& clock)
    : id_(config.gateway.id),
      uplink_url_(config.uplink.url),
      price_per_million_(config.cost.price_per_million),
      clock_(clock),
      started_(clock.now()),
      local_(config.listen.http->is_local()),
      rate_at_(started_) {}

Api::~Api() = default;

base::Result<std::unique_ptr<Api>> Api::start(const config::GatewayConfig& config, const env::Clock& clock) {
    std::unique_ptr<Api> api(new Api(config, clock));
    posix::HttpServer::Options options;
    options.host = config.listen.http->host;
    options.port = config.listen.http->port;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        options.connections_max = std::min<std::size_t>(options.connections_max, http_descriptors(limit.rlim_cur));
    Api& self = *api;
    auto server = posix::HttpServer::start(
        options, [&self](const posix::HttpRequest& request) { return self.handle(request); }, [&self] { self.tick(); });
    if (!server) return server.error();
    const std::lock_guard guard(api->ready_lock_);  // the server's thread runs already
    api->server_ = std::move(*server);
    return api;
}

void Api::ready(const Backbone& backbone, const SessionGauges& sessions, std::vector<ShardGauges*> shards,
                std::vector<ClientQueryBox*> questions, const SignInGauges& sign_ins, const BridgeBoard& bridges, const TableWatch& tables,
                const KeyDesk& keys, RuleControl& rules, std::vector<RuleQueryBox*> rule_questions) {
    const std::lock_guard guard(ready_lock_);
    sign_ins_ = &sign_ins;
    bridges_ = &bridges;
    tables_ = &tables;
    keys_ = &keys;
    backbone_ = &backbone;
    sessions_ = &sessions;
    shards_ = std::move(shards);
    clients_.emplace(std::move(questions), local_);
    rules_.emplace(rules, std::move(rule_questions), local_);
    ready_.store(true, std::memory_order_release);
}

void Api::not_ready() {
    const std::lock_guard guard(ready_lock_);
    ready_.store(false, std::memory_order_release);
    backbone_ = nullptr;
    shards_.clear();
    clients_.reset();
    rules_.reset();
}

double Api::uptime_s() const { return std::chrono::duration<double>(clock_.now() - started_).count(); }

std::string Api::status() const {
    const BackboneView view = backbone_->view();
    StatusInput input;
    input.id = id_;
    input.uptime_s = uptime_s();
    input.uplink_url = uplink_url_;
    input.price_per_million = price_per_million_;
    input.readings_per_s = readings_per_s_;
    for (const ShardGauges* shard : shards_) {
        input.connections += shard->hub_counter(&hub::Counters::connections);
        input.queue_full += shard->hub_counter(&hub::Counters::dropped_queue_full);
        input.denied += shard->hub_counter(&hub::Counters::publishes_denied);
        input.malformed += shard->malformed.load(std::memory_order_relaxed);
        input.bad_value += shard->bad_value.load(std::memory_order_relaxed);
        input.late += shard->late.load(std::memory_order_relaxed);
        input.state_full += shard->state_full.load(std::memory_order_relaxed);
    }
    return status_json(input, view, bridges_->list(), keys_->view());
}

posix::HttpResponse Api::handle(const posix::HttpRequest& request) {
    using posix::HttpResponse;
    const bool about_clients = ClientsApi::handles(request.path);
    const bool about_rules = RulesApi::handles(request.path);
    if (request.method != "GET" && !about_clients && !about_rules) return HttpResponse::problem(405, "only GET is supported here");
    const std::lock_guard guard(ready_lock_);
    const bool is_api = request.path == "/healthz" || request.path == "/metrics" || request.path.starts_with("/api/");
    if (is_api && backbone_ == nullptr) return HttpResponse::problem(503, "starting or stopping");
    HttpResponse out;
    if (request.path == "/healthz") {
        out.content_type = "text/plain";
        out.body = "ok";
    } else if (request.path == "/metrics") {
        out.content_type = "text/plain; version=0.0.4";
        out.body = metrics_text(backbone_->view(), *sessions_, shards_, *sign_ins_, bridges_->list(), tables_->gauges(), keys_->view(),
                                uptime_s()) +
                   rule_metrics_text(rules_->figures());
    } else if (request.path == "/api/v1/status") {
        out.body = status();
    } else if (request.path == "/api/v1/live") {
        out.event_stream = true;
    } else if (about_clients) {
        return clients_->answer(request);
    } else if (about_rules) {
        return rules_->answer(request);
    } else if (const auto* asset = web::find_asset(request.path)) {
        out.content_type = std::string(asset->content_type);
        out.body = asset->body;
        out.headers.emplace_back("Cache-Control", asset->cache);
        out.headers.emplace_back("Content-Security-Policy", web::kContentSecurityPolicy);
    } else {
        return HttpResponse::problem(
            404, "nothing here; see /, /healthz, /metrics, /api/v1/status, /api/v1/live, /api/v1/clients, /api/v1/rules");
    }
    return out;
}

void Api::tick() {
    alerts_this_second_.store(0, std::memory_order_relaxed);
    const std::lock_guard guard(ready_lock_);
    if (backbone_ == nullptr) return;
    const auto now = clock_.now();
    std::uint64_t readings = 0;
    for (const ShardGauges* shard : shards_) readings += shard->hub_counter(&hub::Counters::readings_in);
    const double seconds = std::chrono::duration<double>(now - rate_at_).count();
    if (seconds > 0.1) readings_per_s_ = static_cast<double>(readings - rate_readings_) / seconds;
    rate_at_ = now;
    rate_readings_ = readings;
    if (server_ != nullptr && server_->has_stream_readers()) server_->broadcast("status", status());
}

void Api::on_alert(const data::Event& event) {
    if (!ready_.load(std::memory_order_acquire) || !server_->has_stream_readers()) return;
    if (alerts_this_second_.fetch_add(1, std::memory_order_relaxed) >= kAlertsPerSecond) return;
    base::Bytes line;  // an event stream's data ends at a line break
    json::append_on_one_line(line, base::as_text(event.json));
    server_->broadcast(
        "alert", fmt::format(R"({{"rule":{},"ts":{},"data":{}}})", json_text(event.rule), base::to_ms(event.made), base::as_text(line)));
}

}  // namespace sluice::gateway
