// `--where` and `--fields`: one rule of the rule engine, asked of messages one by one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::cli {

/// One thread.
class PayloadQuery final : private rules::Output {
public:
    struct Options {
        std::span<const std::string> filters;  ///< topic filters, valid ones, not shared
        std::string where;                     ///< an expression of docs/sql.md; empty: all
        std::string fields;                    ///< as between SELECT and FROM; empty: the message as it is
    };
    /// nullptr: `problem` is a sentence that says which option is wrong, and where.
    [[nodiscard]] static std::unique_ptr<PayloadQuery> make(const Options& options, std::string& problem);

    /// `document` is one JSON value; one that is no object is the field `value`. Nothing: the message does not fit. Else the wanted fields
    /// as a JSON object; empty where none were named. Valid until the next call.
    [[nodiscard]] std::optional<std::string_view> ask(std::string_view topic, std::string_view document, base::WallTime wall,
                                                      base::Monotonic now);
    [[nodiscard]] bool chooses_fields() const { return chooses_fields_; }

private:
    PayloadQuery(std::shared_ptr<const rules::Plan> plan, bool chooses_fields);
    void emit(const rules::OutputRow& row) override;
    void forward(data::ShardIndex, rules::PartitionMask, const data::Reading&) override {}  // there is one shard

    rules::Engine engine_;
    bool chooses_fields_;
    base::Bytes padded_;
    std::string row_;
    bool fits_ = false;
};

}  // namespace sluice::cli
