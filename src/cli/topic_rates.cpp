#include "cli/topic_rates.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "cli/printable.hpp"
#include "cli/table_text.hpp"
#include "codec/csv/csv_reader.hpp"

namespace sluice::cli {
namespace {

struct OrderName {
    std::string_view name;
    RateOrder order;
};
constexpr std::array kOrders{OrderName{"rate", RateOrder::rate}, OrderName{"bytes", RateOrder::bytes}, OrderName{"topic", RateOrder::topic},
                             OrderName{"recent", RateOrder::recent}};
constexpr std::size_t kTopicColumns = 40;
constexpr std::size_t kLeastValueColumns = 10;

double seconds_between(base::Monotonic from, base::Monotonic to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

std::string_view name(RateOrder order) { return kOrders[static_cast<std::size_t>(order)].name; }

std::optional<RateOrder> parse_rate_order(std::string_view name) {
    for (const auto& each : kOrders) {
        if (each.name == name) return each.order;
    }
    return std::nullopt;
}

void TopicRates::Row::add(std::size_t size, base::Monotonic now) {
    ++messages;
    ++new_messages;
    bytes += size;
    new_bytes += size;
    last = now;
}

void TopicRates::Row::look(double seconds) {
    messages_per_s = static_cast<double>(new_messages) / seconds;
    bytes_per_s = static_cast<double>(new_bytes) / seconds;
    new_messages = new_bytes = 0;
}

void TopicRates::note(std::string_view topic, std::size_t bytes, std::string_view value, base::Monotonic now) {
    all_.add(bytes, now);
    auto found = rows_.find(topic);
    if (found == rows_.end()) {
        if (rows_.size() == kTopicsMax) return others_.add(bytes, now);
        found = rows_.emplace(topic, Row{}).first;
    }
    found->second.add(bytes, now);
    std::size_t keep = std::min(value.size(), kValueBytesMax);
    while (keep < value.size() && (static_cast<unsigned char>(value[keep]) & 0xC0U) == 0x80U) --keep;  // characters stay whole
    found->second.value = value.substr(0, keep);
}

void TopicRates::look(base::Monotonic now) {
    const double seconds = seconds_between(looked_, now);
    if (seconds <= 0) return;
    looked_ = now;
    for (auto& [topic, row] : rows_) row.look(seconds);
    all_.look(seconds);
    others_.look(seconds);
}

double TopicRates::age(const Row& row) const { return std::max(0.0, seconds_between(row.last, looked_)); }

std::vector<const TopicRates::Rows::value_type*> TopicRates::sorted(RateOrder order) const {
    std::vector<const Rows::value_type*> out;
    out.reserve(rows_.size());
    for (const auto& each : rows_) out.push_back(&each);
    // The map's own order is that of topics, and equal rows keep it.
    std::stable_sort(out.begin(), out.end(), [order](const auto* a, const auto* b) {
        switch (order) {
            case RateOrder::rate:
                return a->second.messages_per_s > b->second.messages_per_s;
            case RateOrder::bytes:
                return a->second.bytes_per_s > b->second.bytes_per_s;
            case RateOrder::recent:
                return a->second.last > b->second.last;
            case RateOrder::topic:
                break;
        }
        return false;
    });
    return out;
}

std::string TopicRates::frame(const View& view) const {
    std::string out;
    std::size_t lines = 0;
    const auto line = [&](const std::string& text) {
        if (lines++ < view.lines) out += shortened_to(text, view.columns) + "\n";
    };
    const auto row = [&](const std::string& topic, const Row& of, const std::string& value) {
        line(fmt::format("{:<{}} {:>9.1f} {:>9}/s {:>10} {:>7} {}", shortened_to(topic, kTopicColumns), kTopicColumns, of.messages_per_s,
                         size_text(static_cast<std::uint64_t>(of.bytes_per_s)), of.messages, duration_text(age(of)), value));
    };
    line(fmt::format("{} topics  {:.1f} messages/s  {}/s  {} messages, {} in {}", rows_.size(), all_.messages_per_s,
                     size_text(static_cast<std::uint64_t>(all_.bytes_per_s)), all_.messages, size_text(all_.bytes),
                     duration_text(seconds_between(began_, looked_))));
    line(fmt::format("{:<{}} {:>9} {:>11} {:>10} {:>7} {}", "TOPIC", kTopicColumns, "MSG/s", "BYTES/s", "MESSAGES", "AGE", "LAST"));
    const std::size_t before_value = kTopicColumns + 42;
    const std::size_t room = std::max(kLeastValueColumns, view.columns > before_value ? view.columns - before_value : 0);
    for (const auto* each : sorted(view.order)) {
        if (lines >= view.lines) break;
        row(printable(each->first), each->second, shortened_to(each->second.value, room));
    }
    if (others_.messages != 0) row(fmt::format("(beyond {} topics)", kTopicsMax), others_, "");
    return out;
}

std::string TopicRates::json(RateOrder order) const {
    base::Bytes out;
    const auto numbers = [&out](const Row& row) {
        base::append(out, fmt::format(R"("messages":{},"bytes":{},"messages_per_s":{:.3f},"bytes_per_s":{:.1f})", row.messages, row.bytes,
                                      row.messages_per_s, row.bytes_per_s));
    };
    base::append(out, fmt::format(R"({{"seconds":{:.3f},)", seconds_between(began_, looked_)));
    numbers(all_);
    base::append(out, fmt::format(R"(,"other_topics_messages":{},"topics":[)", others_.messages));
    bool first = true;
    for (const auto* each : sorted(order)) {
        base::append(out, first ? R"({"topic":)" : R"(,{"topic":)");
        first = false;
        csv::append_json_string(out, each->first);
        out.push_back(',');
        numbers(each->second);
        base::append(out, fmt::format(R"(,"age_s":{:.3f},"last":)", age(each->second)));
        csv::append_json_string(out, each->second.value);
        out.push_back('}');
    }
    base::append(out, "]}");
    return std::string(base::as_text(out));
}

}  // namespace sluice::cli
