#include "cloud/api.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "cloud/metrics.hpp"
#include "codec/json/writer.hpp"

namespace sluice::cloud {

using posix::HttpRequest;
using posix::HttpResponse;

namespace {

/// One page of events as JSON.
class Page final : public EventVisitor {
public:
    Page() { base::append(out_, std::string_view(R"({"events":[)")); }
    bool event(const StoredEvent& event) override {
        if (next_ != 0) out_.push_back(',');
        number(R"({"id":)", event.id);
        text(R"(,"gateway":)", event.gateway);
        number(R"(,"epoch":)", event.epoch);
        text(R"(,"class":)", event.class_name);
        text(R"(,"rule":)", event.rule);
        number(R"(,"seq":)", event.sequence);
        number(R"(,"ts":)", event.ts_ms);
        base::append(out_, std::string_view(R"(,"data":)"));
        json::append_on_one_line(out_, event.json);
        out_.push_back('}');
        next_ = event.id;
        return out_.size() < kPageBytesMax;
    }
    std::string finish() {
        base::append(out_, std::string_view("],\"next\":"));
        if (next_ == 0) {
            base::append(out_, std::string_view("null"));
        } else {
            json::append_integer(out_, next_);
        }
        out_.push_back('}');
        return std::string(base::as_text(out_));
    }

private:
    void number(std::string_view label, std::int64_t value) {
        base::append(out_, label);
        json::append_integer(out_, value);
    }
    void text(std::string_view label, std::string_view value) {
        base::append(out_, label);
        json::append_string(out_, value);
    }
    base::Bytes out_;
    std::int64_t next_ = 0;
};

/// Reads a query; the first thing wrong with it becomes the answer.
class Query {
public:
    explicit Query(const HttpRequest& request, std::initializer_list<std::string_view> known) : request_(request) {
        for (const auto& [name, value] : request.query)
            if (std::find(known.begin(), known.end(), name) == known.end())
                fail(fmt::format("unknown parameter '{}'; known are {}", name, fmt::join(known, ", ")));
    }
    /// An empty value is none: `?gateway=&class=alert` asks for all gateways.
    std::optional<std::string> text(const std::string& name) const {
        const auto found = request_.query.find(name);
        if (found == request_.query.end() || found->second.empty()) return std::nullopt;
        return found->second;
    }
    std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
        const auto value = text(name);
        if (!value) return otherwise;
        std::int64_t number = 0;
        const auto* const end = value->data() + value->size();
        const auto [stop, failed] = std::from_chars(value->data(), end, number);
        if (failed != std::errc() || stop != end || number < least || number > most)
            fail(fmt::format("'{}' must be an integer from {} to {}", name, least, most));
        return number;
    }
    [[nodiscard]] EventFilter filter() const { return {.gateway = text("gateway"), .class_name = text("class"), .rule = text("rule")}; }
    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

private:
    void fail(std::string message) {
        if (!problem_) problem_ = std::move(message);
    }
    const HttpRequest& request_;
    std::optional<std::string> problem_;
};

HttpResponse store_problem(const base::Error& error) {
    return HttpResponse::problem(500, "the store cannot be read: " + base::describe(error));
}

}  // namespace

HttpResponse ApiAnswers::answer(const HttpRequest& request) {
    if (request.path == "/api/v1/events") return events(request);
    if (request.path == "/api/v1/events/count") return count(request);
    if (request.path == "/api/v1/gateways") return gateways();
    return HttpResponse::problem(404, "nothing here; see /api/v1/events, /api/v1/events/count, /api/v1/gateways, /healthz, /metrics");
}

HttpResponse ApiAnswers::events(const HttpRequest& request) {
    Query query(request, {"gateway", "class", "rule", "after", "limit"});
    const auto after = query.integer("after", 0, 0, INT64_MAX);
    const auto limit = query.integer("limit", kPageEventsDefault, 1, kPageEventsMax);
    if (query.problem()) return HttpResponse::problem(400, *query.problem());
    Page page;
    if (auto read = query_.events(query.filter(), after, static_cast<std::size_t>(limit), page); !read) return store_problem(read.error());
    HttpResponse response;
    response.body = page.finish();
    return response;
}

HttpResponse ApiAnswers::count(const HttpRequest& request) {
    // The query string of a page works here, too; a count has no pages, so its limit is only checked.
    Query query(request, {"gateway", "class", "rule", "after", "limit"});
    const auto after = query.integer("after", 0, 0, INT64_MAX);
    (void)query.integer("limit", kPageEventsDefault, 1, kPageEventsMax);
    if (query.problem()) return HttpResponse::problem(400, *query.problem());
    const auto count = query_.count(query.filter(), after);
    if (!count) return store_problem(count.error());
    HttpResponse response;
    response.body = fmt::format(R"({{"count":{}}})", *count);
    return response;
}

HttpResponse ApiAnswers::gateways() {
    std::string body = "[";
    for (const auto& row : gateways_.list()) {
        if (body.size() > 1) body += ',';
        // Ids are [A-Za-z0-9_-], ledgers are JSON that we have serialised: nothing to escape.
        fmt::format_to(std::back_inserter(body), R"({{"id":"{}","online":{},"last_seen":{},"ledger":{}}})", row.id, row.online,
                       base::to_ms(row.last_seen), row.ledger.empty() ? "null" : row.ledger);
    }
    HttpResponse response;
    response.body = body + "]";
    return response;
}

base::Result<std::unique_ptr<Api>> Api::start(const std::string& host, std::uint16_t port, const env::Clock& clock) {
    std::unique_ptr<Api> api(new Api(clock));
    posix::HttpServer::Options options;
    options.host = host;
    options.port = port;
    Api& self = *api;
    auto server = posix::HttpServer::start(
        options, [&self](const HttpRequest& request) { return self.handle(request); }, [] {});
    if (!server) return server.error();
    api->server_ = std::move(*server);
    return api;
}

Api::~Api() = default;

void Api::ready(std::unique_ptr<EventQuery> query, const Gateways& gateways, const Front& front, const StoreThread& store) {
    const std::lock_guard guard(lock_);
    query_ = std::move(query);
    answers_ = std::make_unique<ApiAnswers>(*query_, gateways);
    gateways_ = &gateways;
    front_ = &front;
    store_ = &store;
}

void Api::not_ready() {
    const std::lock_guard guard(lock_);
    answers_.reset();
    query_.reset();
}

HttpResponse Api::handle(const HttpRequest& request) {
    if (request.method != "GET") return HttpResponse::problem(405, "only GET is supported here");
    const std::lock_guard guard(lock_);
    if (answers_ == nullptr) return HttpResponse::problem(503, "starting or stopping");
    HttpResponse response;
    if (request.path == "/healthz") {
        response.content_type = "text/plain";
        response.body = "ok";
        return response;
    }
    if (request.path == "/metrics") {
        response.content_type = "text/plain; version=0.0.4";
        const double uptime_s = std::chrono::duration<double>(clock_.now() - started_).count();
        response.body = metrics_text(front_->gauges(), store_->view(), gateways_->online(), uptime_s);
        return response;
    }
    return answers_->answer(request);
}

}  // namespace sluice::cloud
