// A simulated network between one server and its clients: streams as TCP gives them, and everything that happens to them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "base/bytes.hpp"
#include "sim/random.hpp"
#include "sim/scheduler.hpp"

namespace sluice::sim {

using LinkId = std::uint64_t;

/// A process with connections. Called by the network only, never from inside a call to the network.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    virtual void on_link_open(LinkId link) = 0;
    /// All bytes not yet consumed, with data::kReadablePadding readable bytes behind them; returns how many were consumed.
    virtual std::size_t on_link_bytes(LinkId link, base::ByteView bytes) = 0;
    virtual void on_link_closed(LinkId link) = 0;
};

struct NetworkFaults {
    Scheduler::Time latency_max = std::chrono::milliseconds(20);
    std::uint32_t reset_per_mille = 0;      ///< of new connections: they break after some number of bytes, in the middle of anything
    std::uint32_t half_open_per_mille = 0;  ///< of new connections: at some number of bytes they fall silent, and nobody is told
    std::uint32_t bytes_per_second = 0;     ///< 0: any number
};

/// What TCP promises and no more: bytes in order, in pieces of any size, late; a connection may break or fall silent at any byte; what
/// was sent may have arrived or not. One thread.
class Network {
public:
    enum Side : std::uint8_t { client = 0, server = 1 };

    Network(Scheduler& scheduler, std::uint64_t seed) : scheduler_(scheduler), random_(seed) {}

    void set_faults(const NetworkFaults& faults) { faults_ = faults; }
    /// nullptr: the server's machine refuses connections. Connections that it had are not touched: see die().
    void set_server(Endpoint* endpoint) { server_ = endpoint; }
    /// Cut: new connections time out without an answer; existing ones that carry something meanwhile fall silent for good.
    void set_cut(bool cut) { cut_ = cut; }

    /// New connections fail at once, as when a name cannot be looked up or no route leads there; existing ones go on.
    void set_names_fail(bool fail) { names_fail_ = fail; }

    LinkId connect(Endpoint& from);
    void send(LinkId link, Side from, base::ByteView bytes);
    /// Presents again what that side has not consumed, if there is anything.
    void show_again(LinkId link, Side to);
    /// The other side gets what was sent, then learns of it. This side hears nothing more.
    void close(LinkId link, Side from);
    /// A process has died: its links are gone. `told`: its machine resets them; else their other sides wait.
    void die(Endpoint& endpoint, bool told);
    /// Breaks all connections in the middle of what they carry.
    void reset_all();

    [[nodiscard]] std::uint64_t resets() const { return resets_; }

private:
    struct Piece {
        base::Bytes bytes;
        bool end = false;
    };
    struct Direction {
        std::deque<Piece> on_the_way;
        base::Bytes inbox;
        Scheduler::Time last_arrival{0};
        std::uint64_t arrived = 0;
    };
    struct Link {
        Endpoint* ends[2] = {nullptr, nullptr};   // nullptr: that side is closed or dead
        Direction directions[2];                  // by the side that sends
        std::uint64_t breaks_after = UINT64_MAX;  // bytes, both ways together
        bool silent_instead = false;
        bool silent = false;
        std::uint64_t carried = 0;
    };
    Link* find(LinkId link);
    void arrive(LinkId id, Side from);
    void deliver(LinkId id, Side from);
    void reset(LinkId id);
    void tell_closed(LinkId id, Side whom, Scheduler::Time delay);
    Scheduler::Time latency() {
        return Scheduler::Time(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(faults_.latency_max.count()) + 1)));
    }

    Scheduler& scheduler_;
    Random random_;
    NetworkFaults faults_;
    Endpoint* server_ = nullptr;
    std::map<LinkId, Link> links_;
    LinkId next_ = 0;
    std::uint64_t resets_ = 0;
    bool cut_ = false;
    bool names_fail_ = false;
};

}  // namespace sluice::sim
