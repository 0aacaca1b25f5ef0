// `sluice tap --rate`: how often each topic speaks, how much, and what it said last.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace sluice::cli {

enum class RateOrder : std::uint8_t { rate, bytes, topic, recent };
[[nodiscard]] std::string_view name(RateOrder order);
[[nodiscard]] std::optional<RateOrder> parse_rate_order(std::string_view name);

/// One thread.
class TopicRates {
public:
    /// Further topics are counted together.
    static constexpr std::size_t kTopicsMax = 10'000;
    /// Of a value that is kept.
    static constexpr std::size_t kValueBytesMax = 1024;

    explicit TopicRates(base::Monotonic began) : began_(began), looked_(began) {}

    /// `value`: for people, printable.
    void note(std::string_view topic, std::size_t bytes, std::string_view value, base::Monotonic now);

    /// The end of an interval: rates are those between two looks.
    void look(base::Monotonic now);

    struct View {
        RateOrder order = RateOrder::rate;
        std::size_t columns = 120;
        std::size_t lines = ~std::size_t{0};
    };
    /// As of the last look: lines of at most `columns` characters, at most `lines` of them, each ended with a line break.
    [[nodiscard]] std::string frame(const View& view) const;
    /// One line: {"seconds", "messages", "bytes", "messages_per_s", "bytes_per_s", "topics":[{"topic", …, "last", "age_s"}]}.
    [[nodiscard]] std::string json(RateOrder order) const;

private:
    struct Row {
        std::uint64_t messages = 0, bytes = 0;
        std::uint64_t new_messages = 0, new_bytes = 0;  // since the last look
        double messages_per_s = 0, bytes_per_s = 0;
        base::Monotonic last{};
        std::string value;
        void add(std::size_t size, base::Monotonic now);
        void look(double seconds);
    };
    using Rows = std::map<std::string, Row, std::less<>>;
    [[nodiscard]] std::vector<const Rows::value_type*> sorted(RateOrder order) const;
    [[nodiscard]] double age(const Row& row) const;

    Rows rows_;
    Row all_;
    Row others_;  // of topics beyond the limit
    base::Monotonic began_;
    base::Monotonic looked_;
};

}  // namespace sluice::cli
