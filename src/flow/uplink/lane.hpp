// One class on its way to the cloud: where to read next, when to send, how much fits in a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ledger.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "flow/uplink/dialect.hpp"
#include "flow/uplink/pacing.hpp"
#include "flow/uplink/ports.hpp"
#include "flow/uplink/trial.hpp"

namespace sluice::uplink {

struct Lane {
    data::ClassIndex index;
    std::string name;
    std::uint8_t priority = 0;
    bool top = false;                        ///< of the most urgent priority that is configured
    data::Sequence next{1};                  ///< the first number not yet sent on this connection
    std::optional<base::Monotonic> waiting;  ///< since when something can be read that has not been sent
    std::optional<base::Monotonic> retry;    ///< after a failed read
    BatchSize batch;                         ///< at most so many bytes of JSON in a message
    Trial trial;
    bool more = false;  ///< the last batch ended because it was full: the next need not wait for company
};

/// Fills one message from the spool.
class BatchFiller final : public EventVisitor {
public:
    BatchFiller(Dialect& dialect, const std::string& class_name) : dialect_(dialect), class_name_(class_name) {}

    void event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override;
    void gap(data::Sequence first, data::Sequence last, base::DropReason reason) override;

    [[nodiscard]] bool empty() const { return !begun_; }
    [[nodiscard]] std::size_t items() const { return items_; }
    [[nodiscard]] std::size_t events() const { return events_; }
    [[nodiscard]] data::Sequence first() const { return first_; }
    [[nodiscard]] data::Sequence last() const { return data::Sequence(end_.value() - 1); }

private:
    void begin_at(data::Sequence sequence);
    Dialect& dialect_;
    const std::string& class_name_;
    std::size_t items_ = 0;
    std::size_t events_ = 0;
    data::Sequence first_;
    data::Sequence end_;  // one past the last item
    bool begun_ = false;
};

}  // namespace sluice::uplink
