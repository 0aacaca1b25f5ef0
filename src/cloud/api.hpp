// The cloud's HTTP API: events, counts, gateways, health, metrics (DESIGN: "Topics and HTTP"; docs/cloud.md for users).
#pragma once

#include <memory>
#include <string>

#include "cloud/event_query.hpp"
#include "cloud/front.hpp"
#include "cloud/gateways.hpp"
#include "cloud/store_thread.hpp"
#include "env/clock.hpp"
#include "env/posix/http_server.hpp"

namespace sluice::cloud {

inline constexpr std::size_t kPageEventsDefault = 100;
inline constexpr std::size_t kPageEventsMax = 10'000;
/// A page of large events ends early, with `next` set: the answer stays within this much memory (and one event).
inline constexpr std::size_t kPageBytesMax = 16 * 1024 * 1024;

/// The answers, apart from the server: also used by tests. One thread.
class ApiAnswers {
public:
    ApiAnswers(EventQuery& query, const Gateways& gateways) : query_(query), gateways_(gateways) {}

    /// `/api/v1/…`; 404 for other paths.
    [[nodiscard]] posix::HttpResponse answer(const posix::HttpRequest& request);

private:
    posix::HttpResponse events(const posix::HttpRequest& request);
    posix::HttpResponse count(const posix::HttpRequest& request);
    posix::HttpResponse gateways();
    EventQuery& query_;
    const Gateways& gateways_;
};

/// start() binds the port and answers 503 until ready() is called.
class Api {
public:
    /// Errors: in_use, permission, not_found (address), io.
    static base::Result<std::unique_ptr<Api>> start(const std::string& host, std::uint16_t port, const env::Clock& clock);
    ~Api();

    void ready(std::unique_ptr<EventQuery> query, const Gateways& gateways, const Front& front, const StoreThread& store);
    /// Before the others go: 503 again.
    void not_ready();
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }

private:
    explicit Api(const env::Clock& clock) : clock_(clock), started_(clock.now()) {}
    posix::HttpResponse handle(const posix::HttpRequest& request);

    const env::Clock& clock_;
    base::Monotonic started_;
    std::mutex lock_;  // handle() holds it while it looks at the others
    std::unique_ptr<EventQuery> query_;
    std::unique_ptr<ApiAnswers> answers_;
    const Gateways* gateways_ = nullptr;
    const Front* front_ = nullptr;
    const StoreThread* store_ = nullptr;
    std::unique_ptr<posix::HttpServer> server_;
};

}  // namespace sluice::cloud
