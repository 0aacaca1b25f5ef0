#include "sim/network.hpp"

#include <algorithm>

#include "data/reading.hpp"

namespace sluice::sim {

namespace {

/// An attempt that nobody answers is given up by the operating system after minutes; clients have their own, shorter patience.
constexpr std::chrono::minutes kConnectTimeout{2};

}  // namespace

Network::Link* Network::find(LinkId link) {
    const auto found = links_.find(link);
    return found == links_.end() ? nullptr : &found->second;
}

LinkId Network::connect(Endpoint& from) {
    const auto id = next_++;
    auto& link = links_[id];
    link.ends[client] = &from;
    if (random_.below(1000) < faults_.reset_per_mille) link.breaks_after = 1 + random_.below(random_.chance(1, 2) ? 200 : 60'000);
    if (random_.below(1000) < faults_.half_open_per_mille) {
        link.breaks_after = 1 + random_.below(20'000);
        link.silent_instead = true;
    }
    scheduler_.after(latency(), [this, id] {
        auto* found = find(id);
        if (found == nullptr || found->ends[client] == nullptr) return;
        if (names_fail_) return tell_closed(id, client, latency());
        if (cut_) return tell_closed(id, client, kConnectTimeout);
        if (server_ == nullptr) return tell_closed(id, client, latency());
        found->ends[server] = server_;
        server_->on_link_open(id);
        scheduler_.after(latency(), [this, id] {
            auto* opened = find(id);
            if (opened != nullptr && opened->ends[client] != nullptr) opened->ends[client]->on_link_open(id);
        });
    });
    return id;
}

void Network::send(LinkId id, Side from, base::ByteView bytes) {
    auto* link = find(id);
    if (link == nullptr || link->ends[from] == nullptr) return;
    auto& way = link->directions[from];
    while (!bytes.empty()) {
        const auto size = random_.chance(1, 4) ? 1 + random_.below(bytes.size()) : bytes.size();
        way.on_the_way.push_back({.bytes = base::Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)), .end = false});
        bytes = bytes.subspan(size);
        auto at = std::max(way.last_arrival, scheduler_.now() + latency());
        if (faults_.bytes_per_second != 0)
            at += std::chrono::nanoseconds(static_cast<std::int64_t>(size * 1'000'000'000 / faults_.bytes_per_second));
        way.last_arrival = at;
        scheduler_.after(at - scheduler_.now(), [this, id, from] { arrive(id, from); });
    }
}

void Network::close(LinkId id, Side from) {
    auto* link = find(id);
    if (link == nullptr || link->ends[from] == nullptr) return;
    link->ends[from] = nullptr;
    auto& way = link->directions[from];
    way.on_the_way.push_back({.bytes = {}, .end = true});
    way.last_arrival = std::max(way.last_arrival, scheduler_.now() + latency());
    scheduler_.after(way.last_arrival - scheduler_.now(), [this, id, from] { arrive(id, from); });
}

void Network::arrive(LinkId id, Side from) {
    auto* link = find(id);
    if (link == nullptr || link->directions[from].on_the_way.empty()) return;
    auto piece = std::move(link->directions[from].on_the_way.front());
    link->directions[from].on_the_way.pop_front();
    if (cut_) link->silent = true;
    if (link->silent) return;
    const auto to = from == client ? server : client;
    if (piece.end) return tell_closed(id, to, Scheduler::Time(0));
    if (link->ends[to] == nullptr) return reset(id);  // bytes for a process that is gone
    const bool breaks = link->carried + piece.bytes.size() >= link->breaks_after;
    if (breaks) piece.bytes.resize(static_cast<std::size_t>(link->breaks_after - link->carried));
    link->carried += piece.bytes.size();
    base::append(link->directions[from].inbox, piece.bytes);
    deliver(id, from);
    if (!breaks) return;
    link = find(id);
    if (link == nullptr) return;
    if (link->silent_instead) {
        link->silent = true;
    } else {
        reset(id);
    }
}

void Network::deliver(LinkId id, Side from) {
    auto* link = find(id);
    const auto to = from == client ? server : client;
    // The receiver may do anything meanwhile, also close this link: work on a copy.
    base::Bytes bytes = std::move(link->directions[from].inbox);
    link->directions[from].inbox.clear();
    const auto size = bytes.size();
    bytes.resize(size + data::kReadablePadding);
    const auto used = link->ends[to]->on_link_bytes(id, base::ByteView(bytes).first(size));
    link = find(id);
    if (link == nullptr) return;
    link->directions[from].inbox.assign(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

void Network::show_again(LinkId id, Side to) {
    auto* link = find(id);
    const auto from = to == client ? server : client;
    if (link != nullptr && link->ends[to] != nullptr && !link->directions[from].inbox.empty()) deliver(id, from);
}

void Network::reset(LinkId id) {
    auto* link = find(id);
    if (link == nullptr) return;
    ++resets_;
    link->silent = true;
    tell_closed(id, client, latency());
    tell_closed(id, server, latency());
}

void Network::tell_closed(LinkId id, Side whom, Scheduler::Time delay) {
    scheduler_.after(delay, [this, id, whom] {
        auto* link = find(id);
        if (link == nullptr || link->ends[whom] == nullptr) return;
        auto* end = link->ends[whom];
        link->ends[whom] = nullptr;
        if (link->ends[client] == nullptr && link->ends[server] == nullptr) links_.erase(id);
        end->on_link_closed(id);
    });
}

void Network::die(Endpoint& endpoint, bool told) {
    for (auto& [id, link] : links_) {
        for (const auto side : {client, server}) {
            if (link.ends[side] != &endpoint) continue;
            link.ends[side] = nullptr;
            link.silent = link.silent || !told;  // a machine without power answers nothing
            if (told) tell_closed(id, side == client ? server : client, latency());
        }
    }
}

void Network::reset_all() {
    std::vector<LinkId> all;
    all.reserve(links_.size());
    for (const auto& [id, link] : links_) all.push_back(id);
    for (const auto id : all) reset(id);
}

}  // namespace sluice::sim
