#include "sim/system_gateway.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "flow/uplink/sluice_dialect.hpp"
#include "gateway/spool_source.hpp"

namespace sluice::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

identity::MasterKey key_of(std::uint64_t seed) {
    SimEntropy entropy(seed);
    identity::Secret secret;
    entropy.fill(secret.writable());
    return identity::MasterKey(secret);
}

}  // namespace

/// The spool as the uplink sees it: the gateway's own adapter, with the defect of this run built in.
class GatewayMachine::Source final : public uplink::EventSource {
public:
    Source(spool::Spool& spool, Defect defect) : spool_(spool), inner_(spool), defect_(defect) {
        for (std::size_t i = 0; i < kClasses; ++i) {
            const auto first = inner_.first_unacknowledged(data::ClassIndex(static_cast<std::uint8_t>(i)));
            shift_[i] = defect == Defect::reuse_sequences ? first.value() - 1 : 0;
        }
    }
    [[nodiscard]] data::Sequence first_unacknowledged(data::ClassIndex c) const override { return out(c, inner_.first_unacknowledged(c)); }
    [[nodiscard]] data::Sequence readable_end(data::ClassIndex c) const override { return out(c, inner_.readable_end(c)); }
    base::Result<Read> read(data::ClassIndex c, data::Sequence from, uplink::ReadLimits limits, uplink::EventVisitor& visitor) override {
        Shifted shifted(*this, c, visitor);
        auto read = inner_.read(c, in(c, from), limits, shifted);
        if (!read) return read.error();
        if (defect_ == Defect::delete_before_ack && read->next.value() > 1) spool_.acknowledge(c, data::Sequence(read->next.value() - 1));
        read->next = out(c, read->next);
        return read;
    }
    void acknowledge(data::ClassIndex c, data::Sequence up_to) override { inner_.acknowledge(c, in(c, up_to)); }

private:
    class Shifted final : public uplink::EventVisitor {
    public:
        Shifted(const Source& source, data::ClassIndex c, uplink::EventVisitor& to) : source_(source), class_(c), to_(to) {}
        void event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override {
            to_.event(source_.out(class_, sequence), rule, ts_ms, json);
        }
        void gap(data::Sequence first, data::Sequence last, base::DropReason reason) override {
            if (source_.defect_ != Defect::drop_silently) to_.gap(source_.out(class_, first), source_.out(class_, last), reason);
        }

    private:
        const Source& source_;
        data::ClassIndex class_;
        uplink::EventVisitor& to_;
    };
    [[nodiscard]] data::Sequence out(data::ClassIndex c, data::Sequence s) const { return data::Sequence(s.value() - shift_[c.value()]); }
    [[nodiscard]] data::Sequence in(data::ClassIndex c, data::Sequence s) const { return data::Sequence(s.value() + shift_[c.value()]); }

    spool::Spool& spool_;
    gateway::SpoolSource inner_;
    Defect defect_;
    std::uint64_t shift_[kClasses] = {};
};

/// What a kill -9 takes away.
struct GatewayMachine::Process {
    std::unique_ptr<spool::Spool> spool;
    std::unique_ptr<Source> source;
    std::unique_ptr<uplink::MqttCarrier> carrier;
    std::unique_ptr<uplink::Uplink> uplink;
    std::optional<LinkId> link;
    std::optional<base::Monotonic> commit_at;
    base::Monotonic maintain_at{};
    std::optional<Scheduler::Time> turn_at;  ///< the earliest turn that is scheduled
};

GatewayMachine::GatewayMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network)
    : plan_(plan),
      defect_(defect),
      scheduler_(scheduler),
      network_(network),
      random_(plan.seed ^ 0x6a7e),
      entropy_(plan.seed ^ 0xe27),
      disk_(plan.seed ^ 0xd15c),
      sealer_(key_of(plan.seed)) {
    scheduler_.add_clock(clock_);
    disk_.set_faults(plan.disk);
    disk_.set_bytes_max(plan.disk_bytes_max);
}

GatewayMachine::~GatewayMachine() = default;

spool::Options GatewayMachine::spool_options() const {
    spool::Options options;
    options.directory = "/data/spool";
    options.bytes_max = plan_.spool_bytes_max;
    for (std::size_t i = 0; i < kClasses; ++i)
        options.classes.push_back({.name = kClassNames[i], .priority = static_cast<std::uint32_t>(i), .time_to_live = plan_.time_to_live});
    return options;
}

void GatewayMachine::boot() {
    if (process_) return;
    ++life_;
    auto process = std::make_unique<Process>();
    auto spool = spool::Spool::open({disk_, clock_, entropy_, sealer_}, spool_options());
    if (!spool || disk_.power_is_off()) {
        const bool explained = disk_.power_is_off() || (!calm_ && (plan_.may_fail() || plan_.disk_outages != 0));
        if (!explained && complaint_.empty())
            complaint_ = fmt::format("the spool does not open: {} ({}:{})", base::describe(spool.error()), spool.error().where.file,
                                     spool.error().where.line);
        if (disk_.power_is_off()) {
            spool = base::Error{base::Errc::closed};
            disk_.crash();
        }
        scheduler_.after(seconds(1), [this, life = life_] {
            if (life == life_) boot();
        });
        return;
    }
    ++boots_;
    process->spool = std::move(*spool);
    if (!epoch_) epoch_ = process->spool->epoch();
    if (process->spool->epoch() != *epoch_ && complaint_.empty()) complaint_ = "the epoch changed without a loss of the data directory";
    process->source = std::make_unique<Source>(*process->spool, defect_);
    uplink::Options options;
    options.in_flight = plan_.in_flight;
    options.batch_events_max = plan_.batch_events_max;
    options.drain_rate = plan_.drain_rate;
    for (std::size_t i = 0; i < kClasses; ++i)
        options.classes.push_back({data::ClassIndex(static_cast<std::uint8_t>(i)), kClassNames[i], static_cast<std::uint8_t>(i)});
    process->carrier = std::make_unique<uplink::MqttCarrier>(
        uplink::MqttCarrier::Options{.answer_timeout = options.ack_timeout, .in_flight = static_cast<std::uint16_t>(options.in_flight + 1)},
        [] { return uplink::sluice_sign_in(kId, ""); }, static_cast<uplink::Transport&>(*this));
    process->uplink = std::make_unique<uplink::Uplink>(options, std::make_unique<uplink::SluiceDialect>(kId), *process->carrier,
                                                       *process->source, static_cast<uplink::StatusSource&>(*this), entropy_);
    process->maintain_at = clock_.now() + seconds(1);
    process_ = std::move(process);
    process_->uplink->start(clock_.now());
    after_step();
}

void GatewayMachine::produce() {
    if (!process_) return;
    Journal::Entry entry;
    entry.id = journal_.next_id();
    entry.event_class = data::ClassIndex(static_cast<std::uint8_t>(random_.below(kClasses)));
    auto json = fmt::format("{{\"id\":{},\"pad\":\"", entry.id);
    for (auto size = random_.below(plan_.event_bytes_max); size != 0; --size) json.push_back(static_cast<char>('a' + random_.below(26)));
    json += "\"}";
    const data::Event event{.event_class = entry.event_class, .rule = "rule", .made = clock_.wall().time, .json = base::as_bytes(json)};
    const auto sequence = process_->spool->append(event);
    if (sequence) {
        entry.epoch = process_->spool->epoch();
        entry.sequence = *sequence;
        journal_.taken(entry);
        if (defect_ == Defect::ack_before_fsync) journal_.ack_pending();
        if (!process_->commit_at) {
            const auto delay = milliseconds(random_.below(static_cast<std::uint64_t>(plan_.commit_delay_max.count()) + 1));
            process_->commit_at = clock_.now() + delay;
        }
    }
    after_step();
}

void GatewayMachine::commit() {
    process_->commit_at.reset();
    if (const auto done = process_->spool->commit(); !done) {
        process_->commit_at = clock_.now() + milliseconds(100);  // nothing is acknowledged; try again
        return;
    }
    if (disk_.power_is_off()) return;  // it died before it could tell anyone
    journal_.ack_pending();
    process_->uplink->on_events(clock_.now());
}

void GatewayMachine::turn() {
    const auto now = clock_.now();
    if (process_->commit_at && now >= *process_->commit_at) commit();
    if (now >= process_->maintain_at) {
        process_->maintain_at = now + seconds(1);
        (void)process_->spool->maintain();  // fails only for a while: it is tried again every second
        process_->uplink->on_events(now);   // time to live may have made gaps
    }
    if (const auto at = process_->uplink->next_deadline(); at && now >= *at) process_->uplink->on_tick(now);
    after_step();
}

/// After everything that the process has done: did the power go meanwhile, and when is there more to do?
void GatewayMachine::after_step() {
    if (!process_) return;
    if (disk_.power_is_off()) return end_process(true);
    check_ledger();
    schedule_turn();
}

void GatewayMachine::schedule_turn() {
    auto next = process_->maintain_at;
    if (process_->commit_at) next = std::min(next, *process_->commit_at);
    if (const auto at = process_->uplink->next_deadline()) next = std::min(next, *at);
    const auto at = scheduler_.now() + std::max(next - clock_.now(), Scheduler::Time(0));
    if (process_->turn_at && *process_->turn_at <= at) return;
    process_->turn_at = at;
    scheduler_.after(at - scheduler_.now(), [this, life = life_, at] {
        if (life != life_ || !process_ || process_->turn_at != at) return;
        process_->turn_at.reset();
        turn();
    });
}

void GatewayMachine::end_process(bool power) {
    if (!process_) return;
    ++life_;
    journal_.lose_pending();
    process_.reset();
    network_.die(*this, !power || random_.chance(1, 2));
    const auto pause = milliseconds(random_.below(3'000));
    if (power) {
        disk_.crash();
        clock_.reboot(pause);
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
    if (const auto done = process_->spool->close(); done && !disk_.power_is_off()) journal_.ack_pending();
    if (disk_.power_is_off()) return end_process(true);
    process_->uplink->stop(clock_.now());
    end_process(false);
}

void GatewayMachine::jump_clock() {
    constexpr std::uint64_t kYearMs = std::uint64_t{365} * 24 * 3600 * 1000;
    const auto wall = base::from_ms(static_cast<std::int64_t>(random_.below(60 * kYearMs)));
    clock_.set_wall(wall, random_.chance(1, 2));
}

void GatewayMachine::set_disk_dead(bool dead) { disk_.set_dead(dead); }

void GatewayMachine::calm() {
    calm_ = true;
    disk_.set_faults({});
    disk_.set_dead(false);
    disk_.crash_at(UINT64_MAX / 2);
    boot();
}

bool GatewayMachine::drained() const {
    if (!process_ || journal_.pending() != 0) return false;
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

/// Promise 3, at every moment: created = delivered + waiting + dropped.
void GatewayMachine::check_ledger() {
    const auto stats = process_->spool->stats();
    for (const auto& row : stats.classes)
        if (row.created != row.delivered + row.waiting + row.dropped_total() && complaint_.empty())
            complaint_ = fmt::format("ledger of {}: created {} is not delivered {} + waiting {} + dropped {}", row.name, row.created,
                                     row.delivered, row.waiting, row.dropped_total());
}

void GatewayMachine::on_link_open(LinkId link) {
    if (!process_ || process_->link != link) return;
    process_->carrier->on_connected(clock_.now());
    after_step();
}

std::size_t GatewayMachine::on_link_bytes(LinkId link, base::ByteView bytes) {
    if (!process_ || process_->link != link) return bytes.size();
    const auto used = process_->carrier->on_bytes(bytes, clock_.now());
    after_step();
    return used;
}

void GatewayMachine::on_link_closed(LinkId link) {
    if (!process_ || process_->link != link) return;
    process_->link.reset();
    process_->carrier->on_closed(clock_.now());
    after_step();
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

void GatewayMachine::append_ledger(base::Bytes& out) { base::append(out, std::string_view("{}")); }

}  // namespace sluice::sim
