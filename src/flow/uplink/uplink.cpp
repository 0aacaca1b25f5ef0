#include "flow/uplink/uplink.hpp"

#include <array>
#include <utility>

#include "flow/uplink/machine.hpp"

namespace sluice::uplink {

std::string_view name(Trouble trouble) {
    static constexpr std::array<std::string_view, 7> kNames{"none",   "unreachable", "no_answer", "refused",
                                                            "closed", "stalled",     "not_taken"};
    return kNames[static_cast<std::size_t>(trouble)];
}

Uplink::Uplink(Options options, std::unique_ptr<Dialect> dialect, Carrier& carrier, EventSource& source, StatusSource& status,
               env::Entropy& entropy)
    : machine_(std::make_unique<Machine>(std::move(options), std::move(dialect), carrier, source, status, entropy)) {}
Uplink::~Uplink() = default;

void Uplink::start(base::Monotonic now) { machine_->start(now); }
void Uplink::stop(base::Monotonic now) { machine_->stop(now); }
void Uplink::on_events(base::Monotonic now) { machine_->on_events(now); }
void Uplink::on_tick(base::Monotonic now) { machine_->on_tick(now); }
std::optional<base::Monotonic> Uplink::next_deadline() const { return machine_->next_deadline(); }
const Stats& Uplink::stats() const { return machine_->stats(); }

}  // namespace sluice::uplink
