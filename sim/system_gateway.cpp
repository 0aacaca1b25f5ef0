#include "sim/system_gateway.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "data/reading.hpp"
#include "flow/uplink/sluice_dialect.hpp"

namespace sluice::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// SimClock's default.
constexpr std::int64_t kWallAtStartMs = 1'700'000'000'000;

/// More than a run has events.
constexpr std::uint64_t kIdsPerGateway = 1'000'000'000;

std::uint64_t seed_of(const SystemPlan& plan, std::uint32_t number) {
    return plan.seed ^ (std::uint64_t{number} << 40) ^ (std::uint64_t{plan.salt} << 48);
}

identity::MasterKey key_of(std::uint64_t seed) {
    SimEntropy entropy(seed);
    identity::Secret secret;
    entropy.fill(secret.writable());
    return identity::MasterKey(secret);
}

}  // namespace

/// What a kill -9 takes away.
struct GatewayMachine::Process {
    std::unique_ptr<spool::Spool> spool;
    std::unique_ptr<RuleState> rule_state;  ///< nullptr: no rule has state
    base::Monotonic save_at{};
    std::unique_ptr<WatchedSource> source;
    std::unique_ptr<uplink::MqttCarrier> carrier;
    std::unique_ptr<uplink::Uplink> uplink;
    std::optional<LinkId> link;
    std::optional<base::Monotonic> commit_at;
    base::Monotonic maintain_at{};
    std::optional<Scheduler::Time> turn_at;  ///< the earliest turn that is scheduled
    SpoolWatch watch;
    bool busy = false;                          ///< in a slow commit
    std::deque<std::function<void()>> mailbox;  ///< what came meanwhile
};

GatewayMachine::GatewayMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network, std::uint32_t number)
    : plan_(plan),
      defect_(defect),
      scheduler_(scheduler),
      network_(network),
      random_(seed_of(plan, number) ^ 0x6a7e),
      entropy_(seed_of(plan, number) ^ 0xe27),
      disk_(seed_of(plan, number) ^ 0xd15c),
      sealer_(key_of(seed_of(plan, number))),
      defect_files_(disk_, defect),
      wall_clock_only_(clock_),
      stubborn_entropy_(entropy_),
      journal_(number * kIdsPerGateway) {
    scheduler_.add_clock(clock_);
    disk_.set_faults(plan.disk);
    disk_.set_bytes_max(plan.disk_bytes_max);
}

GatewayMachine::~GatewayMachine() = default;

spool::Options GatewayMachine::spool_options() const {
    spool::Options options;
    options.directory = "/data/spool";
    options.bytes_max = plan_.spool_bytes_max;
    options.compress = plan_.seed % 2 == 0;  // random text shrinks to 60 %: fewer of these fill their spools
    for (std::size_t i = 0; i < kClasses; ++i) {
        const auto priority = defect_ == Defect::drop_highest_class ? kClasses - 1 - i : i;
        options.classes.push_back(
            {.name = kClassNames[i], .priority = static_cast<std::uint32_t>(priority), .time_to_live = plan_.time_to_live});
    }
    return options;
}

uplink::Options GatewayMachine::uplink_options() const {
    uplink::Options options;
    options.in_flight = plan_.in_flight;
    options.batch_events_max = plan_.batch_events_max;
    options.drain_rate = plan_.drain_rate;
    options.status_interval = plan_.status_every;
    options.retry_max = plan_.retry_max;
    if (defect_ == Defect::never_gives_up) {
        constexpr std::chrono::hours kNever{24 * 365 * 10};
        options.ack_timeout = kNever;
    }
    for (std::size_t i = 0; i < kClasses; ++i) {
        const auto priority = defect_ == Defect::backlog_before_alerts ? kClasses - 1 - i : i;
        options.classes.push_back({data::ClassIndex(static_cast<std::uint8_t>(i)), kClassNames[i], static_cast<std::uint8_t>(priority)});
    }
    return options;
}

base::Result<std::unique_ptr<spool::Spool>> GatewayMachine::open_spool() {
    spool::Sealer& honest = sealer_;
    const env::Clock& clock = clock_;
    env::Entropy& entropy = entropy_;
    return spool::Spool::open({.files = defect_files_,
                               .clock = defect_ == Defect::ttl_by_wall_clock ? wall_clock_only_ : clock,
                               .entropy = defect_ == Defect::epoch_reused ? stubborn_entropy_ : entropy,
                               .sealer = defect_ == Defect::tags_unchecked ? credulous_sealer_ : honest},
                              spool_options());
}

base::Result<std::unique_ptr<RuleState>> GatewayMachine::open_rule_state(spool::Spool& events) {
    if (defect_ == Defect::takes_readings_before_settled) {
        Journal::Entry entry;
        entry.id = journal_.next_id();
        const auto json = fmt::format("{{\"id\":{}}}", entry.id);
        entry.event_class = data::ClassIndex(static_cast<std::uint8_t>(random_.below(kClasses)));
        entry.epoch = events.epoch();
        entry.fingerprint = base::hash64(json);
        entry.taken_at = scheduler_.now();
        const auto sequence = events.append({entry.event_class, "rule", clock_.wall().time, base::as_bytes(json)});
        if (sequence) entry.sequence = *sequence;
        if (sequence) journal_.taken(entry);
    }
    auto state = RuleState::open({defect_files_, clock_, entropy_, sealer_}, defect_, checkpoint_, events);
    if (state) look_for_events(events);
    return state;
}

/// Which numbers events have got whose gateway died before its spool had them.
void GatewayMachine::look_for_events(spool::Spool& events) {
    class Finder final : public spool::EventVisitor {
    public:
        explicit Finder(Journal& journal) : journal_(journal) {}
        void on_event(data::Sequence sequence, const data::Event& event) override {
            constexpr std::string_view kBefore = "{\"id\":";
            journal_.found(std::stoull(std::string(base::as_text(event.json).substr(kBefore.size()))), sequence);
        }

    private:
        Journal& journal_;
    };
    Finder finder(journal_);
    for (std::size_t i = 0; i < kClasses; ++i) {
        const data::ClassIndex index(static_cast<std::uint8_t>(i));
        for (auto at = events.first_waiting(index); at < events.durable_end(index);) {
            const auto found = events.read(index, at, {}, finder);
            if (!found || found->next <= at) break;
            at = found->next;
        }
    }
    if (!disk_.power_is_off()) journal_.numbered();
}

void GatewayMachine::boot() {
    if (process_) return;
    ++life_;
    if (plan_.medium_lies() && random_.chance(1, 2)) disk_.forget_cache();
    // A start brings what is missing into the spool, and may die in that as well.
    if (plan_.rule_state != 0 && plan_.gateway_deaths != 0 && !calm_ && random_.chance(1, 4)) disk_.crash_at(1 + random_.below(40));
    auto process = std::make_unique<Process>();
    auto spool = open_spool();
    if (spool && plan_.rule_state != 0) {
        process->spool = std::move(*spool);
        auto rule_state = open_rule_state(*process->spool);
        if (rule_state) {
            process->rule_state = std::move(*rule_state);
            spool = std::move(process->spool);
        } else {
            spool = rule_state.error();
        }
    }
    if (!spool || disk_.power_is_off()) {
        const bool explained = disk_.power_is_off() || (!calm_ && (plan_.may_fail() || plan_.disk_outages != 0));
        if (!explained)
            complain(Checker::opens, fmt::format("the spool does not open: {} ({}:{})", base::describe(spool.error()),
                                                 spool.error().where.file, spool.error().where.line));
        process.reset();
        Scheduler::Time pause = seconds(1);
        if (disk_.power_is_off()) {
            pause = std::min<Scheduler::Time>(pause, plan_.gateway_pause_max);
            spool = base::Error{base::Errc::closed};
            journal_.lose_pending();
            disk_.crash();
        } else if (defect_ == Defect::wiped_when_unreadable) {
            disk_.replace_medium();
        }
        scheduler_.after(pause, [this, life = life_] {
            if (life == life_) boot();
        });
        return;
    }
    ++boots_;
    process->spool = std::move(*spool);
    if (!epoch_) epoch_ = process->spool->epoch();
    if (process->spool->epoch() != *epoch_) {
        // Where both manifests have rotted and no segment is left to ask, a new epoch is what keeps numbers from coming twice.
        if (!plan_.medium_lies()) complain(Checker::epoch, "the epoch changed though the data directory was not lost");
        epoch_ = process->spool->epoch();
    }
    process->source = std::make_unique<WatchedSource>(*process->spool, defect_, scheduler_, told_);
    const auto options = uplink_options();
    process->carrier = std::make_unique<uplink::MqttCarrier>(
        carrier_options(options), [] { return uplink::sluice_sign_in(kId, ""); }, static_cast<uplink::Transport&>(*this));
    process->uplink = std::make_unique<uplink::Uplink>(options, std::make_unique<uplink::SluiceDialect>(kId), *process->carrier,
                                                       *process->source, static_cast<uplink::StatusSource&>(*this), entropy_);
    process->maintain_at = clock_.now() + plan_.maintain_every;
    process->save_at = clock_.now() + plan_.checkpoint_every;
    if (journal_.pending() != 0) process->commit_at = clock_.now();
    process_ = std::move(process);
    process_->uplink->start(clock_.now());
    after_step();
}

uplink::MqttCarrier::Options GatewayMachine::carrier_options(const uplink::Options& options) const {
    return {.keep_alive = defect_ == Defect::never_gives_up ? milliseconds(0) : plan_.keep_alive,
            .answer_timeout = options.ack_timeout,
            .in_flight = static_cast<std::uint16_t>(options.in_flight + 1)};
}

void GatewayMachine::complain(Checker checker, std::string text) {
    if (!verdict_.broken()) verdict_ = {checker, std::move(text)};
}

void GatewayMachine::when_free(std::function<void()> action) {
    if (process_->busy) {
        process_->mailbox.push_back(std::move(action));
    } else {
        action();
    }
}

/// The disk is slow: for a while this thread does nothing else.
void GatewayMachine::be_busy() {
    process_->busy = true;
    const auto pause = milliseconds(random_.below(static_cast<std::uint64_t>(plan_.disk_slow_max.count()) + 1));
    scheduler_.after(pause, [this, life = life_] {
        if (life != life_ || !process_) return;
        process_->busy = false;
        tell_committed();
        after_step();
        work_off();
    });
}

void GatewayMachine::work_off() {
    while (process_ && !process_->busy && !process_->mailbox.empty()) {
        const auto action = std::move(process_->mailbox.front());
        process_->mailbox.pop_front();
        action();
    }
}

void GatewayMachine::produce() {
    if (process_) when_free([this] { take_event(); });
}

/// Defect::drop_newest: the spool is almost full, so new events go.
bool GatewayMachine::refuses_new_events() {
    if (defect_ != Defect::drop_newest) return false;
    const auto stats = process_->spool->stats();
    return stats.bytes_used > stats.bytes_max / 2;
}

void GatewayMachine::take_event() {
    Journal::Entry entry;
    entry.id = journal_.next_id();
    entry.event_class = data::ClassIndex(static_cast<std::uint8_t>(random_.below(kClasses)));
    auto json = fmt::format("{{\"id\":{},\"pad\":\"", entry.id);
    for (auto size = random_.below(plan_.event_bytes_max); size != 0; --size) json.push_back(static_cast<char>('a' + random_.below(26)));
    json += "\"}";
    if (refuses_new_events()) {
        process_->spool->count_dropped(entry.event_class, base::DropReason::spool_full);
        return after_step();
    }
    const data::Event event{.event_class = entry.event_class, .rule = "rule", .made = clock_.wall().time, .json = base::as_bytes(json)};
    const auto sequence = process_->spool->append(event);
    if (sequence) {
        entry.epoch = process_->spool->epoch();
        entry.sequence = *sequence;
        entry.fingerprint = base::hash64(json);
        entry.taken_at = scheduler_.now();
        if (process_->rule_state) {
            process_->rule_state->note(*process_->spool, *sequence, event);
            entry.moves_state = random_.chance(plan_.rule_state, 10);
            if (entry.moves_state) process_->rule_state->take(entry.id);
        }
        journal_.taken(entry);
        if (defect_ == Defect::ack_before_fsync) journal_.ack_pending();
        if (!process_->commit_at) {
            const auto delay = milliseconds(random_.below(static_cast<std::uint64_t>(plan_.commit_delay_max.count()) + 1));
            process_->commit_at = clock_.now() + delay;
        }
    }
    after_step();
}

base::Status GatewayMachine::write() {
    if (!process_->rule_state) return process_->spool->commit();
    return process_->rule_state->commit(*process_->spool, [this] {
        if (!disk_.power_is_off()) journal_.ack_pending();
    });
}

/// A checkpoint is written after the commit of what is in it.
void GatewayMachine::save_rule_state() {
    process_->save_at = clock_.now() + plan_.checkpoint_every;
    if (process_->commit_at) commit();
    if (!process_->commit_at && !disk_.power_is_off()) process_->rule_state->save(checkpoint_);
}

void GatewayMachine::commit() {
    process_->commit_at.reset();
    if (const auto done = write(); !done) {
        if (defect_ == Defect::ack_after_failed_commit && !disk_.power_is_off()) journal_.ack_pending();
        process_->commit_at = clock_.now() + milliseconds(100);  // nothing is acknowledged; try again
        return;
    }
    if (disk_.power_is_off()) return;  // it died before it could tell anyone
    journal_.numbered();
    if (plan_.disk_slow_max.count() != 0) return be_busy();
    tell_committed();
}

void GatewayMachine::tell_committed() {
    journal_.ack_pending();
    process_->uplink->on_events(clock_.now());
}

void GatewayMachine::turn() {
    const auto now = clock_.now();
    if (process_->commit_at && now >= *process_->commit_at) {
        commit();
        if (process_->busy) return after_step();
    }
    if (process_->rule_state && now >= process_->save_at) {
        save_rule_state();
        if (process_->busy) return after_step();
    }
    if (now >= process_->maintain_at) {
        process_->maintain_at = now + plan_.maintain_every;
        (void)process_->spool->maintain();  // fails only for a while: it is tried again every second
        if (process_->rule_state) (void)process_->rule_state->maintain();
        process_->uplink->on_events(now);  // time to live may have made gaps
    }
    if (const auto at = process_->uplink->next_deadline(); at && now >= *at) process_->uplink->on_tick(now);
    after_step();
}

/// After everything that the process has done: did the power go meanwhile, and when is there more to do?
void GatewayMachine::after_step() {
    if (!process_) return;
    if (disk_.power_is_off()) return end_process(true);
    check();
    if (!process_->busy) schedule_turn();
}

void GatewayMachine::schedule_turn() {
    auto next = process_->maintain_at;
    if (process_->rule_state) next = std::min(next, process_->save_at);
    if (process_->commit_at) next = std::min(next, *process_->commit_at);
    if (const auto at = process_->uplink->next_deadline()) next = std::min(next, *at);
    const auto at = scheduler_.now() + std::max(next - clock_.now(), Scheduler::Time(0));
    if (process_->turn_at && *process_->turn_at <= at) return;
    process_->turn_at = at;
    scheduler_.after(at - scheduler_.now(), [this, life = life_, at] {
        if (life != life_ || !process_ || process_->turn_at != at) return;
        process_->turn_at.reset();
        when_free([this] { turn(); });
    });
}

void GatewayMachine::end_process(bool power) {
    if (!process_) return;
    ++life_;
    journal_.lose_pending();
    process_.reset();
    network_.die(*this, !power || random_.chance(1, 2));
    const auto pause = milliseconds(random_.below(static_cast<std::uint64_t>(plan_.gateway_pause_max.count())));
    if (power) {
        disk_.crash();
        clock_.reboot(Scheduler::Time(0));  // the scheduler moves both clocks on through the pause
    } else {
        disk_.kill_process();
    }
    scheduler_.after(pause, [this, life = life_] {
        if (life == life_) boot();
    });
}

void GatewayMachine::kill() { end_process(false); }
void GatewayMachine::cut_power() { end_process(true); }
void GatewayMachine::die_in_operation(std::uint64_t n) {
    if (process_) disk_.crash_at(n);
}

void GatewayMachine::stop_cleanly() {
    if (!process_) return;
    auto done = write();
    if (process_->rule_state && done) done = process_->rule_state->close();
    if (auto closed = process_->spool->close(); !closed) done = closed;
    if (done && !disk_.power_is_off()) journal_.ack_pending();
    if (disk_.power_is_off()) return end_process(true);
    process_->uplink->stop(clock_.now());
    end_process(false);
}

void GatewayMachine::jump_clock() {
    constexpr std::uint64_t kYearMs = std::uint64_t{365} * 24 * 3600 * 1000;
    const auto wall = base::from_ms(static_cast<std::int64_t>(random_.below(60 * kYearMs)));
    const bool synchronised = random_.chance(1, 2);
    clock_lied_ = clock_lied_ || synchronised;
    clock_.set_wall(wall, synchronised);
}

/// What clocks do in the field. Only steps as small as a time server makes claim to be right.
void GatewayMachine::trick_clock() {
    constexpr std::chrono::hours kYear{24 * 365};
    const auto now = clock_.wall().time;
    switch (random_.below(7)) {
        case 0:
            return clock_.set_wall(base::from_ms(0), false);  // no battery: 1970
        case 1:
            return clock_.set_wall(now - 50 * kYear, false);
        case 2:
            clock_lied_ = true;
            return clock_.set_wall(now + std::chrono::hours(1), true);  // someone sets local time
        case 3:
            clock_lied_ = true;
            return clock_.set_wall(now - std::chrono::hours(1), true);
        case 4:
            return clock_.set_wall(now - seconds(1), false);  // a leap second
        case 5:
            return clock_.set_wall(now + kYear, false);
        default:  // a time server is found: right again, to the nanosecond
            return clock_.set_wall(base::from_ms(kWallAtStartMs) + scheduler_.now(), true);
    }
}

void GatewayMachine::rot_disk() { disk_.rot(); }

void GatewayMachine::lose_disk() {
    if (!process_) return;
    end_process(true);
    disk_.replace_medium();
    checkpoint_ = {};
    journal_.excuse_all();
    epoch_.reset();
}

void GatewayMachine::set_disk_dead(bool dead) { disk_.set_dead(dead); }

void GatewayMachine::calm() {
    calm_ = true;
    // What a medium has done with earlier writes stays as it is.
    disk_.set_faults({});
    disk_.set_dead(false);
    disk_.crash_at(UINT64_MAX / 2);
    boot();
}

bool GatewayMachine::drained() const {
    if (!process_ || process_->busy || journal_.pending() != 0) return false;
    for (std::size_t i = 0; i < kClasses; ++i) {
        const data::ClassIndex index(static_cast<std::uint8_t>(i));
        if (process_->spool->first_waiting(index) != process_->spool->durable_end(index)) return false;
    }
    return true;
}

std::string GatewayMachine::describe() const {
    if (!process_) return "the gateway is down";
    const auto& uplink = process_->uplink->stats();
    const auto spool = process_->spool->stats();
    auto text = fmt::format(
        "uplink {}, {} in flight, {} source errors, refusal {:#x}; spool {} of {} bytes, degraded {}; {} readings not acknowledged",
        uplink.connected ? "connected" : "not connected", uplink.in_flight, uplink.source_errors, uplink.refusal, spool.bytes_used,
        spool.bytes_max, spool.degraded, journal_.pending());
    for (std::size_t i = 0; i < kClasses; ++i) {
        const data::ClassIndex index(static_cast<std::uint8_t>(i));
        text += fmt::format("; {}: acknowledged below {}, durable below {}, last {}", kClassNames[i],
                            process_->spool->first_waiting(index).value(), process_->spool->durable_end(index).value(),
                            spool.classes[i].last.value());
    }
    return text;
}

spool::Stats GatewayMachine::stats() const { return process_ ? process_->spool->stats() : spool::Stats{}; }

void GatewayMachine::check() {
    if (verdict_.broken()) return;
    verdict_ = process_->watch.look(process_->spool->stats());
    if (!verdict_.broken()) verdict_ = process_->source->verdict();
    if (!verdict_.broken() && process_->rule_state) verdict_ = process_->rule_state->verdict();
}

const std::set<std::uint64_t>* GatewayMachine::counted() const {
    return process_ && process_->rule_state ? &process_->rule_state->readings() : nullptr;
}

void GatewayMachine::on_link_open(LinkId link) {
    if (!process_ || process_->link != link) return;
    when_free([this, link] {
        if (process_->link != link) return;
        process_->carrier->on_connected(clock_.now());
        after_step();
    });
}

std::size_t GatewayMachine::on_link_bytes(LinkId link, base::ByteView bytes) {
    if (!process_ || process_->link != link) return bytes.size();
    if (process_->busy) {  // the network keeps them, and shows them again with what comes next
        process_->mailbox.emplace_back([this, link] { network_.show_again(link, Network::client); });
        return 0;
    }
    const auto used = process_->carrier->on_bytes(bytes, clock_.now());
    after_step();
    return used;
}

void GatewayMachine::on_link_closed(LinkId link) {
    if (!process_ || process_->link != link) return;
    when_free([this, link] {
        if (process_->link != link) return;
        ++interruptions_;
        process_->link.reset();
        process_->carrier->on_closed(clock_.now());
        after_step();
    });
}

void GatewayMachine::open() { process_->link = network_.connect(*this); }

void GatewayMachine::send(base::ByteView bytes) {
    // What is sent after the power has gone was never sent.
    if (process_->link && !disk_.power_is_off()) network_.send(*process_->link, Network::client, bytes);
}

void GatewayMachine::close(bool flush) {
    (void)flush;
    if (!process_->link) return;
    network_.close(*process_->link, Network::client);
    process_->link.reset();
}

/// As the gateway's status has it: {"events":{class:{"created","delivered","waiting","dropped":{reason:n}}}}.
void GatewayMachine::append_ledger(base::Bytes& out) { base::append(out, ledger_json(process_->spool->stats(), defect_)); }

std::string ledger_json(const spool::Stats& stats, Defect defect) {
    std::string text = "{\"events\":{";
    for (const auto& row : stats.classes) {
        if (&row != &stats.classes.front()) text += ',';
        text += fmt::format("\"{}\":{{\"created\":{},\"delivered\":{},\"waiting\":{},\"dropped\":{{", row.name, row.created, row.delivered,
                            row.waiting);
        bool first = true;
        for (const auto& info : base::kDropReasonTable) {
            const auto count = row.dropped[static_cast<std::size_t>(info.reason)];
            if (count == 0 || (defect == Defect::ledger_forgets_reason && info.reason == base::DropReason::corrupt)) continue;
            text += fmt::format("{}\"{}\":{}", first ? "" : ",", info.name, count);
            first = false;
        }
        text += "}}";
    }
    return text + "}}";
}

}  // namespace sluice::sim
