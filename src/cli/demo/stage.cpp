#include "cli/demo/stage.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/demo/cloud_book.hpp"
#include "cli/demo/verdict.hpp"
#include "cli/exit.hpp"
#include "cli/load/fleet.hpp"
#include "cli/load/resources.hpp"
#include "cli/load/subscriber.hpp"
#include "cli/load/target.hpp"
#include "cli/local/http_client.hpp"
#include "cli/local/link.hpp"
#include "cli/local/tiers.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::demo {
namespace {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr double kWarmupRate = 40'000;  // readings a second: the hundred readings that each sensor's rule must see first
constexpr double kSpikesPerSecond = 10;
constexpr double kSpikeProbabilityMax = 0.02;
constexpr double kCutSecondsMax = 10;
constexpr seconds kStandstillMax{30};  // nothing moves for this long: something is wrong
constexpr milliseconds kDoublesWait{500};
constexpr std::uint16_t kMqttPort = 1883;  // the usual ones, where they are free
constexpr std::uint16_t kHttpPort = 8080;
constexpr unsigned kPageEvents = 10'000;
constexpr std::uint32_t kOwnConnections = 64;  // beside those of the sensors

nanoseconds from_seconds(double value) { return nanoseconds(static_cast<std::int64_t>(value * 1e9)); }

class Stage {
public:
    Stage(const StageOptions& options, local::TempFolder folder)
        : options_(options), loop_(clock_, std::chrono::microseconds(0)), signals_(loop_), http_(loop_), folder_(std::move(folder)) {
        began_ = clock_.now();
    }

    int run() {
        if (options_.keep) folder_.keep();
        const bool done = start_tiers() && connect_plant() && warm_up() && publish() && drain() && read_cloud();
        if (!done) {
            fmt::print(stderr, "demo: error: {}\n", trouble_);
            return cli::kExitFailed;
        }
        const auto checks = judge(facts_);
        const auto& price = options_.price_per_million;
        fmt::print("{}", options_.json ? report_json(facts_, checks, price) : report_text(facts_, checks, price));
        std::fflush(stdout);
        if (options_.keep) keep_running();
        return all_good(checks) ? cli::kExitGood : cli::kExitFailed;
    }

private:
    // --- waiting -----------------------------------------------------------------------------------------------------------------

    /// The run ends here; the message is for people.
    bool fail(std::string message) {
        trouble_ = std::move(message);
        return false;
    }

    template <class... Parts>
    void say(fmt::format_string<Parts...> text, Parts&&... parts) const {
        const auto since = std::chrono::duration<double>(clock_.now() - began_).count();
        fmt::print(stderr, "demo {:6.1f} s  {}\n", since, fmt::format(text, std::forward<Parts>(parts)...));
    }

    /// One turn of at most 50 ms. False when something went wrong that may go wrong at any time.
    [[nodiscard]] bool turn() {
        loop_.run_once(loop_.now() + milliseconds(50));
        if (signals_.requested()) return fail("stopped");
        for (auto* tier : {&cloud_, &gateway_}) {
            if (!*tier || !(*tier)->exit_code()) continue;
            return fail(fmt::format("the {} ended with code {}; its last words:\n{}", tier == &cloud_ ? "cloud" : "gateway",
                                    *(*tier)->exit_code(), (*tier)->last_words()));
        }
        if (fleet_ && fleet_->failure()) return fail(load::explain_failure(*fleet_->failure(), target()));
        if (ear_ && ear_->failure()) return fail("the subscriber of alerts: " + load::explain_failure(*ear_->failure(), target()));
        return true;
    }

    /// Turns until it holds. False when a turn goes wrong, or when `progress` has not changed for kStandstillMax.
    template <class Condition, class Progress>
    [[nodiscard]] bool wait(const std::string& what, Condition holds, Progress progress) {
        auto last = progress();
        auto moved = clock_.now();
        while (!holds()) {
            if (!turn()) return false;
            watch_status();
            if (const auto now = progress(); now != last) {
                last = now;
                moved = clock_.now();
            } else if (clock_.now() - moved > kStandstillMax) {
                return fail(fmt::format("{}: nothing has moved for {} s ({})", what, kStandstillMax.count(), status_text()));
            }
        }
        return true;
    }

    [[nodiscard]] load::Target target() const { return {"127.0.0.1", gateway_ports_.mqtt}; }

    /// GET, waited for; nothing when there is no good answer.
    std::optional<std::string> fetch(std::uint16_t port, const std::string& path) {
        const std::string url = fmt::format("http://127.0.0.1:{}{}", port, path);
        std::optional<base::Result<local::HttpAnswer>> answer;
        http_.get(port, path, [&answer](base::Result<local::HttpAnswer> result) { answer = std::move(result); });
        if (!wait(
                "GET " + url, [&answer] { return answer.has_value(); }, [] { return 0; }))
            return std::nullopt;
        if (*answer && (*answer)->status == 200) return std::move((*answer)->body);
        fail(fmt::format("GET {}: {}", url, *answer ? fmt::format("status {}", (*answer)->status) : base::describe(answer->error())));
        return std::nullopt;
    }

    [[nodiscard]] bool wait_until_healthy(const std::string& name, std::uint16_t port) {
        bool asking = false, healthy = false;
        const auto ask = [&] {
            if (healthy || asking) return healthy;
            asking = true;
            http_.get(port, "/healthz", [&](const base::Result<local::HttpAnswer>& result) {
                healthy = result && result->status == 200;
                asking = false;
            });
            return healthy;
        };
        return wait(fmt::format("waiting for the {} at http://127.0.0.1:{}/healthz", name, port), ask, [] { return 0; });
    }

    // --- the acts ------------------------------------------------------------------------------------------------------------------

    [[nodiscard]] bool start_tiers() {
        cloud_ports_ = {local::free_port(loop_), local::free_port(loop_)};
        gateway_ports_ = {local::free_port(loop_, kMqttPort), local::free_port(loop_, kHttpPort)};
        auto cloud = local::Tier::start(folder_.path(), "cloud", local::cloud_config("demo-cloud", cloud_ports_), cloud_ports_);
        if (!cloud) return fail("cannot start the cloud: " + base::describe(cloud.error()));
        cloud_.emplace(std::move(*cloud));
        if (!wait_until_healthy("cloud", cloud_ports_.http)) return false;

        auto link = local::Link::open(loop_, cloud_ports_.mqtt);
        if (!link) return fail("cannot lay the line to the cloud: " + base::describe(link.error()));
        link_ = std::move(*link);

        const auto config = local::gateway_config("demo", gateway_ports_, link_->port(), options_.price_per_million);
        auto gateway = local::Tier::start(folder_.path(), "gateway", config, gateway_ports_);
        if (!gateway) return fail("cannot start the gateway: " + base::describe(gateway.error()));
        gateway_.emplace(std::move(*gateway));
        if (!wait_until_healthy("gateway", gateway_ports_.http)) return false;
        say("page of the gateway:  http://127.0.0.1:{}/", gateway_ports_.http);
        say("events in the cloud:  http://127.0.0.1:{}/api/v1/events?class=alert", cloud_ports_.http);
        say("watch the alerts:     sluice tap --at mqtt://127.0.0.1:{} 'alerts/#'", gateway_ports_.mqtt);
        return true;
    }

    [[nodiscard]] bool connect_plant() {
        load::SubscriberOptions ear{
            .at = {.target = {"127.0.0.1", gateway_ports_.mqtt}}, .client_id = "demo-ear", .filter = "alerts/#", .qos = 1};
        ear_ = std::make_unique<load::Subscriber>(loop_, std::move(ear),
                                                  [this](std::string_view, std::string_view payload, Monotonic) { heard_.note(payload); });
        ear_->connect();
        if (!wait(
                "subscribing to alerts", [this] { return ear_->ready(); }, [this] { return ear_->messages(); }))
            return false;

        load::FleetOptions fleet;
        fleet.to.target = {"127.0.0.1", gateway_ports_.mqtt};
        fleet.plant = {.seed = options_.seed,
                       .sensors = options_.sensors,
                       .spike_probability = std::min(kSpikesPerSecond / options_.rate, kSpikeProbabilityMax)};
        fleet.qos = 1;
        fleet_ = std::make_unique<load::Fleet>(loop_, fleet);
        fleet_->connect();
        if (!wait(
                "connecting the sensors", [this] { return fleet_->ready(); }, [this] { return fleet_->counters().connections; }))
            return false;
        say("{} sensors connected", options_.sensors);
        return true;
    }

    [[nodiscard]] bool warm_up() {
        say("warm-up: {} readings of each sensor, so that the rule knows what is normal", plant::kWarmupReadings);
        fleet_->start({.rate = kWarmupRate, .readings = plant::kWarmupReadings}, clock_.wall().time);
        return wait(
            "warm-up", [this] { return fleet_->finished(); }, [this] { return fleet_->counters().acknowledged; });
    }

    [[nodiscard]] bool publish() {
        const auto readings = static_cast<std::uint32_t>(std::max(1L, std::lround(options_.rate * options_.seconds / options_.sensors)));
        facts_.cut_seconds = std::min(kCutSecondsMax, options_.seconds / 3);
        const auto cut_at = clock_.now() + from_seconds((options_.seconds - facts_.cut_seconds) / 2);
        const auto restore_at = cut_at + from_seconds(facts_.cut_seconds);
        say("publishing {:.0f} readings a second for {:.0f} s; the link to the cloud will be cut for {:.0f} s in the middle", options_.rate,
            options_.seconds, facts_.cut_seconds);
        fleet_->start({.rate = options_.rate, .readings = readings}, clock_.wall().time);
        const auto over = [&] {
            const auto now = clock_.now();
            if (link_->counters().cuts == 0 && now >= cut_at) {
                link_->cut();
                say("--- the link to the cloud is cut ---");
            } else if (!link_->up() && now >= restore_at) {
                link_->restore();
                say("--- the link to the cloud is back ---");
            }
            return fleet_->finished() && now >= restore_at && link_->up();
        };
        if (!wait("publishing", over, [this] { return std::pair(fleet_->counters().acknowledged, link_->up()); })) return false;
        fleet_->barrier();
        return wait(
            "the last readings", [this] { return fleet_->barrier_passed(); }, [this] { return fleet_->counters().acknowledged; });
    }

    [[nodiscard]] bool drain() {
        say("all readings acknowledged; waiting for the spool to drain");
        const auto drained = [this] {
            return status_is_fresh_ && status_.uplink_connected && status_.readings_in >= fleet_->counters().sent &&
                   status_.created() != 0 && status_.waiting() == 0;
        };
        if (!wait("draining the spool", drained, [this] { return std::pair(status_.delivered(), status_.uplink_connected); })) return false;
        // What comes twice comes late: give it the chance to be seen.
        const auto until = clock_.now() + kDoublesWait;
        return wait(
            "listening for doubles", [&] { return clock_.now() >= until; }, [] { return 0; });
    }

    [[nodiscard]] bool read_cloud() {
        say("reading everything back from the cloud");
        const auto status = fetch(gateway_ports_.http, "/api/v1/status");
        if (!status) return false;
        const auto read = read_status(*status);
        if (!read) return fail("the gateway's status is not what it should be: " + *status);
        facts_.status = *read;
        CloudBook book;
        for (std::optional<std::uint64_t> after = 0; after;) {
            const auto page = fetch(cloud_ports_.http, fmt::format("/api/v1/events?gateway=demo&after={}&limit={}", *after, kPageEvents));
            if (!page) return false;
            const auto next = book.add_page(*page);
            if (!next) return fail("the cloud's answer is not what it should be: " + page->substr(0, 200));
            after = *next;
        }
        const auto published = fleet_->published();
        const auto& plant = fleet_->options().plant;
        const auto expected = plant::expected_alerts(plant, published);
        facts_.sensors = options_.sensors;
        facts_.sent = fleet_->counters().sent;
        facts_.acknowledged = fleet_->counters().acknowledged;
        facts_.reconnects = fleet_->counters().reconnects;
        facts_.readings_per_second = options_.rate;
        facts_.missed_spikes = expected.missed_spikes;
        facts_.local = heard_.compare(expected);
        facts_.cloud = book.alerts().compare(expected);
        facts_.contents = book.check_contents(plant, published);
        facts_.stored = book.classes();
        facts_.links_broken = link_->counters().broken;
        facts_.links_refused = link_->counters().refused;
        return true;
    }

    void keep_running() {
        say("still running and publishing; Ctrl-C ends it. Data, logs and configuration stay in {}", folder_.path());
        fleet_->start({.rate = options_.rate, .readings = 0}, clock_.wall().time);
        while (turn()) {
        }
        fmt::print(stderr, "demo: {}\n", trouble_);
    }

    // --- the gateway's own view ------------------------------------------------------------------------------------------------------

    /// Asks for the status each second, or more often while the spool drains, and prints a line.
    void watch_status() {
        const auto now = clock_.now();
        if (asking_ || now < ask_at_ || !gateway_ || !fleet_) return;
        asking_ = true;
        ask_at_ = now + (fleet_->finished() ? milliseconds(200) : milliseconds(1000));
        http_.get(gateway_ports_.http, "/api/v1/status", [this](const base::Result<local::HttpAnswer>& answer) {
            asking_ = false;
            if (!answer || answer->status != 200) return;
            auto read = read_status(answer->body);
            if (!read) return;
            // An answer to a question of before the last reading may be too old to tell that nothing waits.
            status_is_fresh_ = fleet_->finished() && std::exchange(asked_after_end_, fleet_->finished());
            status_ = std::move(*read);
            facts_.waiting_most = std::max(facts_.waiting_most, status_.waiting());
            const auto line_now = clock_.now();
            if (line_now < line_at_) return;
            line_at_ = line_now + milliseconds(990);
            say("{}", status_text());
        });
    }

    [[nodiscard]] std::string status_text() const {
        if (!fleet_) return "not connected yet";
        return fmt::format("{} readings sent, {} acknowledged, {} alerts heard, {} events delivered, {} waiting, link {}",
                           fleet_->counters().sent, fleet_->counters().acknowledged, heard_.count(), status_.delivered(), status_.waiting(),
                           !link_->up()               ? "CUT"
                           : status_.uplink_connected ? "up"
                                                      : "coming back");
    }

    const StageOptions options_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    local::HttpClient http_;
    local::TempFolder folder_;
    local::TierPorts cloud_ports_, gateway_ports_;
    // Ended in reverse: first the sensors, then the gateway, the line, the cloud.
    std::optional<local::Tier> cloud_;
    std::unique_ptr<local::Link> link_;
    std::optional<local::Tier> gateway_;
    std::unique_ptr<load::Subscriber> ear_;
    std::unique_ptr<load::Fleet> fleet_;
    load::AlertBook heard_;
    Facts facts_;
    GatewayStatus status_;
    std::string trouble_;
    Monotonic began_{}, ask_at_{}, line_at_{};
    bool asking_ = false;
    bool asked_after_end_ = false;
    bool status_is_fresh_ = false;
};

}  // namespace

int run(const StageOptions& options) {
    if (!load::allow_connections(options.sensors + kOwnConnections)) {
        fmt::print(stderr,
                   "demo: error: {} sensors need as many open files, but the limit is {}: raise it (ulimit -n) or use fewer --sensors\n",
                   options.sensors, load::open_files_max());
        return cli::kExitFailed;
    }
    auto folder = local::TempFolder::make("sluice-demo");
    if (!folder) {
        fmt::print(stderr, "demo: error: cannot make a folder for the run's data: {} (is $TMPDIR writable?)\n",
                   base::describe(folder.error()));
        return cli::kExitFailed;
    }
    return Stage(options, std::move(*folder)).run();
}

}  // namespace sluice::demo
