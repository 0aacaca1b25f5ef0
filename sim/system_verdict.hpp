// What a checker says when a promise is broken. The names are for people, for tests and for shrinking: a smaller plan must break the same
// promise.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::sim {

enum class Checker : std::uint8_t {
    none,
    acked,
    reasons,
    once,
    order,
    content,
    numbers,
    holes,
    ledger,
    drop_order,
    priority,
    ttl,
    opens,
    epoch,
    format,
    rest,
    visible,
    state,
};

struct CheckerInfo {
    Checker checker;
    std::string_view name;
    std::string_view promise;
};
inline constexpr std::array kCheckers{
    CheckerInfo{Checker::none, "none", "every promise was kept"},
    CheckerInfo{Checker::acked, "acked", "every event of an acknowledged reading is in the cloud, or was told to be dropped"},
    CheckerInfo{Checker::reasons, "reasons", "nothing is dropped for a reason that nothing in the run explains"},
    CheckerInfo{Checker::once, "once", "no event is in the cloud twice"},
    CheckerInfo{Checker::order, "order", "within a class events lie in the order in which the gateway took them"},
    CheckerInfo{Checker::content, "content", "what is in the cloud was made by a gateway, and is as it was made, to the byte"},
    CheckerInfo{Checker::numbers, "numbers", "an event has the number in the cloud that the spool gave it"},
    CheckerInfo{Checker::holes, "holes", "every number of a stream is an event or in exactly one gap with a reason"},
    CheckerInfo{Checker::ledger, "ledger", "created = delivered + waiting + dropped, and the cloud shows the same account"},
    CheckerInfo{Checker::drop_order, "drop-order", "a full spool drops the oldest of the lowest class first"},
    CheckerInfo{Checker::priority, "priority", "nothing is sent while an alert can be sent"},
    CheckerInfo{Checker::ttl, "ttl", "no event expires before its time, whatever the wall clock says"},
    CheckerInfo{Checker::opens, "opens", "the spool opens again after anything that may happen to its disk"},
    CheckerInfo{Checker::epoch, "epoch", "the epoch stays while the data directory stays"},
    CheckerInfo{Checker::format, "format", "the cloud understands what the gateway sends"},
    CheckerInfo{Checker::rest, "rest", "when nothing fails any more, everything arrives"},
    CheckerInfo{Checker::visible, "visible", "two gateways under one id are seen"},
    CheckerInfo{Checker::state, "state",
                "rule state has each acknowledged reading once, and of the others those whose event is there as well"},
};

[[nodiscard]] constexpr std::string_view name(Checker checker) { return kCheckers[static_cast<std::size_t>(checker)].name; }

struct Verdict {
    Checker checker = Checker::none;
    std::string text;  ///< which event, number or count
    [[nodiscard]] bool broken() const { return checker != Checker::none; }
};

}  // namespace sluice::sim
