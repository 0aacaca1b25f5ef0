#include "cli/replay.hpp"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/address_options.hpp"
#include "cli/mqtt_link.hpp"
#include "cli/pacer.hpp"
#include "cli/row_source.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kQueuedBytesMax = 256 * 1024;  // output that the socket has not taken: past this no further row is read
constexpr seconds kPatience{60};                     // for a lost connection
constexpr seconds kSettleMax{30};                    // for the last acknowledgements
constexpr seconds kProgressEvery{2};

struct ReplayOptions {
    std::string file;
    AddressOptions to{.flag = "--to"};
    std::string topic;
    std::string speed = "1";
    std::string time_column;
    int qos = 1;
    bool json = false;
};

/// "max": nothing; else a positive number. False for anything else.
bool parse_speed(std::string_view text, std::optional<double>& speed) {
    speed.reset();
    if (text == "max") return true;
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    speed = value;
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && std::isfinite(value) && value > 0;
}

/// One run of the command.
class Replay final : private MqttLinkUser {
public:
    Replay(const ReplayOptions& options, RowSource& rows, std::optional<double> speed, MqttLinkOptions link)
        : options_(options),
          qos_(static_cast<mqtt::Qos>(options.qos)),
          rows_(rows),
          pacer_(speed),
          loop_(clock_, std::chrono::microseconds(0)),
          signals_(loop_),
          link_(loop_, std::move(link), *this) {}

    int run() {
        fetch();
        link_.open();
        next_progress_ = clock_.now() + kProgressEvery;
        while (phase_ != Phase::done && !link_.failure() && !signals_.impatient()) {
            loop_.run_once(wake_at());
            if (signals_.requested() && phase_ == Phase::sending) stop();
            if (signals_.requested() && !link_.up()) break;
            if (link_.up()) send_due();
            if (settle_until_ && clock_.now() > *settle_until_) break;
            progress();
        }
        link_.close();
        const auto leave_by = clock_.now() + seconds(1);
        while (!link_.closed() && clock_.now() < leave_by) loop_.run_once(leave_by);
        return report();
    }

private:
    enum class Phase { sending, settling, done };  // settling: everything is sent, the answers are not all there

    /// A row on its way: kept until the server has it.
    struct Sent {
        mqtt::PacketId id = 0;  ///< under which it was sent last
        RowSource::Row row;
        bool answered = false;
    };

    void on_up() override {
        if (!started_) {
            started_ = clock_.now();
            pacer_.start(*started_);
            if (has_next_) due_ = pacer_.due(next_.time, timed());
        } else {
            fmt::print(stderr, "{}replay: connected again\n", clear_line());
        }
        if (phase_ == Phase::settling) settle_until_ = clock_.now() + kSettleMax;
    }

    void on_down(const std::string& why) override {
        fmt::print(stderr, "{}replay: {}; trying again for {} s\n", clear_line(), why, kPatience.count());
        for (std::size_t i = 0; i < unsent_from_; ++i) resent_ += on_the_way_[i].answered ? 0U : 1U;
        unsent_from_ = 0;
        asked_ = false;
        settle_until_.reset();
        if (qos_ == mqtt::Qos::at_most_once) lost_possible_ = true;
    }

    void on_message(const mqtt::Publish&) override {}

    void on_acked(mqtt::PacketId id, base::ByteView codes) override {
        // Answers come in order from nearly every server: the first is nearly always the right one.
        for (auto& each : on_the_way_) {
            if (each.id != id || each.answered) continue;
            each.answered = true;
            const auto code = codes.empty() ? mqtt::ReasonCode::success : static_cast<mqtt::ReasonCode>(codes[0]);
            if (mqtt::is_error(code)) {
                ++refused_;
                refusal_ = code;
            } else {
                ++acknowledged_;
            }
            break;
        }
        while (!on_the_way_.empty() && on_the_way_.front().answered) {
            on_the_way_.pop_front();
            if (unsent_from_ != 0) --unsent_from_;
        }
    }

    void on_pong() override {
        if (phase_ == Phase::settling && on_the_way_.empty()) phase_ = Phase::done;
    }

    [[nodiscard]] bool timed() const { return !rows_.time_column().empty(); }

    void fetch() {
        const auto step = rows_.next(next_);
        has_next_ = step == RowSource::Step::row;
        failed_row_ = step == RowSource::Step::failed;
        if (has_next_ && started_) due_ = pacer_.due(next_.time, timed());
    }

    /// No further rows; what is on the way may still arrive.
    void stop() {
        stopped_ = has_next_;
        has_next_ = false;
    }

    void send_due() {
        while (unsent_from_ < on_the_way_.size()) {
            auto& each = on_the_way_[unsent_from_];
            if (!each.answered && !send(each.row, each.id)) return;
            ++unsent_from_;
        }
        while (phase_ == Phase::sending && has_next_ && loop_.clock().now() >= due_ && link_.queued_bytes() < kQueuedBytesMax) {
            mqtt::PacketId id = 0;
            if (!send(next_, id)) return;
            ++sent_;
            if (id != 0) {
                on_the_way_.push_back({.id = id, .row = std::move(next_)});
                ++unsent_from_;
                next_ = {};
            }
            fetch();
        }
        if (phase_ == Phase::sending && !has_next_) {
            phase_ = Phase::settling;
            settle_until_ = clock_.now() + kSettleMax;
        }
        if (phase_ == Phase::settling && on_the_way_.empty() && !asked_) {
            link_.ping();  // the answer means that everything has been read, also at QoS 0
            asked_ = true;
        }
    }

    /// False: not now (window full), or never (problem_ is set and the replay is over).
    bool send(const RowSource::Row& row, mqtt::PacketId& id) {
        if (qos_ != mqtt::Qos::at_most_once && link_.window_free() == 0) return false;
        const auto sent = link_.publish({.topic = row.topic, .payload = row.payload, .qos = qos_});
        if (sent) {
            id = *sent;
            return true;
        }
        if (sent.error().code == base::Errc::limit || sent.error().code == base::Errc::closed) return false;
        problem_ = sent.error().code == base::Errc::too_large
                       ? fmt::format("a message of {} bytes is more than {} takes", row.payload.size(), link_.address())
                       : fmt::format("{} does not take QoS {}; try --qos 0", link_.address(), options_.qos);
        phase_ = Phase::done;
        return false;
    }

    [[nodiscard]] base::Monotonic wake_at() const {
        auto at = next_progress_;
        const bool waiting_for_time = link_.up() && phase_ == Phase::sending && has_next_ && link_.window_free() != 0;
        if (waiting_for_time && link_.queued_bytes() < kQueuedBytesMax) at = std::min(at, due_);
        return at;
    }

    [[nodiscard]] const char* clear_line() const { return terminal_ && shown_ ? "\r\x1b[K" : ""; }

    void progress() {
        const auto now = clock_.now();
        if (now < next_progress_ || phase_ == Phase::done) return;
        next_progress_ = now + (terminal_ ? seconds(1) : kProgressEvery);
        std::string text = fmt::format("replay: {} rows sent", sent_);
        if (qos_ != mqtt::Qos::at_most_once) text += fmt::format(", {} acknowledged", acknowledged_);
        const auto wait = std::chrono::duration_cast<seconds>(due_ - now);
        if (has_next_ && wait > seconds(1)) text += fmt::format(", the next in {} s (--speed max does not wait)", wait.count());
        fmt::print(stderr, "{}{}{}", clear_line(), text, terminal_ ? "" : "\n");
        std::fflush(stderr);
        shown_ = true;
    }

    [[nodiscard]] std::string failure() const {
        if (link_.failure()) return *link_.failure();
        if (!problem_.empty()) return problem_;
        if (stopped_ || signals_.requested()) return "stopped before the end of the file";
        if (failed_row_) return rows_.problem();
        if (phase_ != Phase::done) return fmt::format("{} has not answered for {} s", link_.address(), kSettleMax.count());
        if (refused_ != 0) return fmt::format("{} refused {} rows: {}", link_.address(), refused_, mqtt::name(refusal_));
        if (lost_possible_) return "the connection was lost on the way: at QoS 0 rows may be missing";
        return {};
    }

    int report() {
        fmt::print(stderr, "{}", clear_line());
        const double elapsed = started_ ? static_cast<double>((clock_.now() - *started_).count()) / 1e9 : 0;
        const auto why = failure();
        if (options_.json) {
            fmt::print(R"({{"rows":{},"acknowledged":{},"refused":{},"resent":{},"untimed":{},"seconds":{:.3f}}})"
                       "\n",
                       sent_, acknowledged_, refused_, resent_, rows_.untimed(), elapsed);
        } else if (started_) {
            fmt::print("{} rows of {} in {:.1f} s ({:.0f}/s){}\n", sent_, options_.file, elapsed,
                       elapsed > 0 ? static_cast<double>(sent_) / elapsed : 0.0,
                       qos_ == mqtt::Qos::at_most_once ? "" : fmt::format(", {} acknowledged", acknowledged_));
        }
        if (rows_.untimed() != 0)
            fmt::print(stderr, "replay: note: {} rows had no time in \"{}\" and were sent with the row before them\n", rows_.untimed(),
                       rows_.time_column());
        if (resent_ != 0)
            fmt::print(stderr, "replay: note: the connection was lost and {} rows were sent again: they may have arrived twice\n", resent_);
        if (why.empty()) return kExitGood;
        fmt::print(stderr, "replay: error: {}\n", why);
        return kExitFailed;
    }

    const ReplayOptions& options_;
    const mqtt::Qos qos_;
    RowSource& rows_;
    Pacer pacer_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    MqttLink link_;

    Phase phase_ = Phase::sending;
    RowSource::Row next_;
    base::Monotonic due_{};
    std::deque<Sent> on_the_way_;  // in the order of the file; QoS 1 only
    std::size_t unsent_from_ = 0;  // entries from here on are to be sent (again)
    std::optional<base::Monotonic> started_;
    std::optional<base::Monotonic> settle_until_;
    base::Monotonic next_progress_{};
    std::string problem_;
    mqtt::ReasonCode refusal_ = mqtt::ReasonCode::success;
    std::uint64_t sent_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t resent_ = 0;
    bool has_next_ = false;
    bool failed_row_ = false;
    bool stopped_ = false;
    bool asked_ = false;
    bool lost_possible_ = false;
    bool shown_ = false;
    const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
};

int usage(const std::string& why) {
    fmt::print(stderr, "replay: error: {}\n", why);
    return kExitUsage;
}

int run(const ReplayOptions& options) {
    std::string problem;
    MqttLinkOptions link{.to = {}, .client_id = make_client_id("replay"), .patience = kPatience};
    if (!make_endpoint(options.to, link.to, problem)) return usage(problem);
    std::optional<double> speed;
    if (!parse_speed(options.speed, speed)) return usage(fmt::format("--speed {}: expected a number above 0, or max", options.speed));
    RowSource rows;
    if (!rows.open({.file = options.file, .topic = options.topic, .time_column = options.time_column})) return usage(rows.problem());
    return Replay(options, rows, speed, std::move(link)).run();
}

}  // namespace

void add_replay(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<ReplayOptions>();
    CLI::App* command = app.add_subcommand("replay", "Publishes the rows of a CSV file as JSON messages");
    command->add_option("FILE", options->file, "a CSV file with a header; , or ; between fields")->required();
    add_address_options(*command, options->to);
    command->add_option("--topic", options->topic, "where to; {column} stands for that column's value")->required();
    command
        ->add_option("--speed", options->speed,
                     "1: as the rows were measured (one a second without a time column), 60: sixty times as fast, max: no waiting")
        ->capture_default_str();
    command->add_option("--time-column", options->time_column,
                        "column with the time of each row; default: timestamp, ts, datetime or time");
    command->add_option("--qos", options->qos, "1: every row is acknowledged; 0: sent once, without acknowledgement")
        ->check(CLI::Range(0, 1))
        ->capture_default_str();
    command->add_flag("--json", options->json, "summary as JSON");
    command->footer(
        "Each row becomes one JSON object with all its columns: a field that is a number as a whole stays one with its digits, an empty\n"
        "field is null, anything else is text. Times: 2014-01-31 10:15:00 and the like (UTC unless they say otherwise), or seconds,\n"
        "milliseconds, … since 1970.\n\n"
        "Examples:\n"
        "  sluice replay machine_temperature.csv --topic sensors/machine/temperature --speed max\n"
        "  sluice replay plant.csv --to mqtt://plant-7:1883 --topic 'sensors/{device}/vibration' --speed 60\n"
        "  sluice replay plant.csv --to mqtts://plant-7:8883 --ca ca.crt --topic plant/7\n"
        "  sluice replay valve.csv --topic valve/1 --time-column datetime --qos 0");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
