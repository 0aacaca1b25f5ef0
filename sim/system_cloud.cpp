#include "sim/system_cloud.hpp"

#include <algorithm>

namespace sluice::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What a kill -9 takes away.
struct CloudMachine::Process {
    Process(cloud::Admission& admission, cloud::ReceptionPort& port, cloud::EventStore& store)
        : reception({}, admission, gateways, port), writer(store) {}
    cloud::Gateways gateways;
    std::map<std::uint64_t, base::Bytes> outputs;  // of open connections
    std::set<std::uint64_t> closing;
    cloud::Reception reception;
    cloud::StoreWriter writer;
    std::vector<cloud::Delivery> waiting;
    bool write_scheduled = false;
    std::optional<Scheduler::Time> tick_at;
};

CloudMachine::CloudMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network)
    : plan_(plan),
      defect_(defect),
      scheduler_(scheduler),
      network_(network),
      random_(plan.seed ^ 0xc10d ^ (std::uint64_t{plan.salt} << 48)) {
    scheduler_.add_clock(clock_);
}

CloudMachine::~CloudMachine() = default;

void CloudMachine::boot() {
    if (process_) return;
    ++life_;
    process_ = std::make_unique<Process>(admission_, static_cast<cloud::ReceptionPort&>(*this), defect_store_);
    network_.set_server(this);
}

void CloudMachine::kill() {
    if (!process_) return;
    ++life_;
    refused_ += process_->reception.counts().refused;
    taken_over_ += process_->reception.hub_counters().connections_taken_over;
    process_.reset();
    store_.crash();
    network_.set_server(nullptr);
    network_.die(*this, random_.chance(1, 2));
    scheduler_.after(milliseconds(random_.below(static_cast<std::uint64_t>(plan_.cloud_pause_max.count()))), [this, life = life_] {
        if (life == life_) boot();
    });
}

void CloudMachine::fail_store() { store_.fail_at(1 + random_.below(30), base::Errc::disk_full, random_.chance(1, 2)); }

std::uint64_t CloudMachine::taken_over() const {
    return taken_over_ + (process_ ? process_->reception.hub_counters().connections_taken_over : 0);
}

void CloudMachine::back_up() { backup_ = store_.committed(); }

void CloudMachine::restore() {
    kill();
    for (const auto& [key, stream] : store_.committed().streams) {
        const auto old = backup_.streams.find(key);
        const auto from = old == backup_.streams.end() ? 1 : old->second.next.value();
        if (from < stream.next.value()) undone_[key].push_back({.first = from, .last = stream.next.value() - 1});
    }
    store_.restore(backup_);
}

void CloudMachine::calm() {
    store_.fail_at(UINT64_MAX / 2, base::Errc::io);
    boot();
}

void CloudMachine::on_link_open(LinkId link) {
    if (!process_) return;
    const auto id = connection_of(link);
    process_->outputs[id.value()];
    process_->reception.on_connected(id, {.listener = 0, .loopback = true, .encrypted = false}, clock_.now());
    after_step();
}

std::size_t CloudMachine::on_link_bytes(LinkId link, base::ByteView bytes) {
    if (!process_ || !process_->outputs.contains(connection_of(link).value())) return bytes.size();
    const auto used = process_->reception.on_bytes(connection_of(link), bytes, clock_.now(), clock_.wall().time);
    after_step();
    return used;
}

void CloudMachine::on_link_closed(LinkId link) {
    if (!process_) return;
    process_->outputs.erase(connection_of(link).value());
    process_->reception.on_closed(connection_of(link), clock_.now(), clock_.wall().time);
    after_step();
}

base::Bytes* CloudMachine::output(hub::ConnectionId to) {
    const auto found = process_->outputs.find(to.value());
    return found == process_->outputs.end() ? nullptr : &found->second;
}

std::size_t CloudMachine::queued_bytes(hub::ConnectionId of) const {
    (void)of;  // the network takes everything at once
    return 0;
}

void CloudMachine::close(hub::ConnectionId connection) { process_->closing.insert(connection.value()); }

void CloudMachine::submit(cloud::Delivery&& delivery) {
    process_->waiting.push_back(std::move(delivery));
    if (process_->write_scheduled) return;
    process_->write_scheduled = true;
    scheduler_.after(milliseconds(random_.below(static_cast<std::uint64_t>(plan_.store_delay_max.count()) + 1)), [this, life = life_] {
        if (life == life_ && process_) write();
    });
}

/// What the store's thread does: one transaction for all that waits, then the word back to the reception.
void CloudMachine::write() {
    process_->write_scheduled = false;
    if (process_->waiting.empty()) return;
    if (defect_ == Defect::cloud_reorders) std::reverse(process_->waiting.begin(), process_->waiting.end());
    const auto written = process_->writer.write(process_->waiting);
    if (!written && defect_ != Defect::cloud_ignores_store_errors) {
        process_->write_scheduled = true;
        scheduler_.after(seconds(1), [this, life = life_] {
            if (life == life_ && process_) write();
        });
        return;
    }
    if (written) counts_ += *written;
    std::uint64_t ticket = 0;
    for (const auto& delivery : process_->waiting) ticket = std::max(ticket, delivery.ticket);
    process_->waiting.clear();
    scheduler_.after(milliseconds(random_.below(5)), [this, life = life_, ticket] {
        if (life != life_ || !process_) return;
        process_->reception.on_durable(ticket);
        after_step();
    });
}

void CloudMachine::after_step() {
    process_->reception.end_of_turn(clock_.now());
    if (defect_ == Defect::cloud_acks_before_commit && !process_->waiting.empty())
        process_->reception.on_durable(process_->waiting.back().ticket);
    flush();
    const auto next = process_->reception.next_deadline();
    if (!next) return;
    const auto at = scheduler_.now() + std::max(*next - clock_.now(), Scheduler::Time(0));
    if (process_->tick_at && *process_->tick_at <= at) return;
    process_->tick_at = at;
    scheduler_.after(at - scheduler_.now(), [this, life = life_, at] {
        if (life != life_ || !process_ || process_->tick_at != at) return;
        process_->tick_at.reset();
        process_->reception.on_tick(clock_.now(), clock_.wall().time);
        after_step();
    });
}

void CloudMachine::flush() {
    for (auto& [id, bytes] : process_->outputs) {
        if (bytes.empty()) continue;
        network_.send(link_of(hub::ConnectionId(id)), Network::server, bytes);
        bytes.clear();
    }
    for (const auto id : process_->closing) {
        process_->outputs.erase(id);
        network_.close(link_of(hub::ConnectionId(id)), Network::server);
    }
    process_->closing.clear();
}

}  // namespace sluice::sim
