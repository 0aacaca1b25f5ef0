#include "flow/uplink/broker_dialect.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "codec/json/writer.hpp"

namespace sluice::uplink {
namespace {

/// What stands around an event of a batch at most: keys, its number, its time.
constexpr std::size_t kItemBytes = 80;
constexpr char kUnfit = '_';  // in place of what would change the levels of a topic

void replace(std::string& text, std::string_view name, std::string_view value) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) text.replace(at, name.size(), value);
}

/// One level of a topic.
std::string level(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c == '/' || c == '+' || c == '#' || static_cast<unsigned char>(c) < 0x20) c = kUnfit;
    }
    return out;
}

void append_text(base::Bytes& to, std::string_view text) { base::append(to, text); }

}  // namespace

std::string with_gateway(std::string topic, std::string_view gateway) {
    replace(topic, "{gateway}", gateway);
    return topic;
}

BrokerDialect::BrokerDialect(Options options) : options_(std::move(options)) {
    options_.topic = with_gateway(std::move(options_.topic), options_.gateway);
    options_.status_topic = with_gateway(std::move(options_.status_topic), options_.gateway);
}

// One half of a batch for the events, the other for what stands around them.
std::size_t BrokerDialect::fill_bytes_max() const { return options_.message_bytes_max / 2; }
std::size_t BrokerDialect::items_max() const {
    return options_.payload == Payload::batch ? std::max<std::size_t>(1, options_.message_bytes_max / 2 / kItemBytes) : 1;
}

void BrokerDialect::begin(std::string_view class_name, data::Sequence first) {
    class_ = class_name;
    first_ = last_ = first;
    items_.clear();
}

bool BrokerDialect::add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) {
    rule_ = rule;
    sequence_ = last_ = sequence;
    ts_ms_ = ts_ms;
    is_gap_ = false;
    if (options_.payload == Payload::data) {
        base::append(items_, json);
        return true;
    }
    const bool batch = options_.payload == Payload::batch;
    if (batch) append_text(items_, items_.empty() ? "{" : ",{");
    append_text(items_, fmt::format(R"("seq":{},"rule":)", sequence.value()));
    json::append_string(items_, rule);
    append_text(items_, fmt::format(R"(,"ts":{},"data":)", ts_ms));
    base::append(items_, json);
    if (batch) items_.push_back('}');
    return true;
}

bool BrokerDialect::add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) {
    rule_.clear();
    sequence_ = first;
    last_ = last;
    is_gap_ = true;
    const bool batch = options_.payload == Payload::batch;
    if (batch) append_text(items_, items_.empty() ? "{" : ",{");
    append_text(items_, fmt::format(R"("gap":{{"first":{},"last":{},"reason":"{}"}})", first.value(), last.value(), base::name(reason)));
    if (batch) items_.push_back('}');
    return true;
}

void BrokerDialect::append_head(data::Epoch epoch) {
    append_text(message_, fmt::format(R"({{"gateway":"{}","epoch":{},"class":"{}",)", options_.gateway, epoch.value(), class_));
}

/// What tells one event from all others, beside its row.
void BrokerDialect::append_identity(data::Epoch epoch) {
    numbers_ = {fmt::format("{}", epoch.value()), fmt::format("{}", sequence_.value()), fmt::format("{}", ts_ms_)};
    identity_ = {{{"gateway", options_.gateway},
                  {"epoch", numbers_[0]},
                  {"class", class_},
                  {"seq", numbers_[1]},
                  {"rule", rule_},
                  {"ts", numbers_[2]}}};
}

Outgoing BrokerDialect::finish(data::Epoch epoch) {
    topic_ = options_.topic;
    replace(topic_, "{class}", class_);
    replace(topic_, "{rule}", is_gap_ ? std::string(1, kUnfit) : level(rule_));
    // Both ends belong to it: after a reconnect a message may begin at the same number and hold more.
    key_ = fmt::format("{}/{}", options_.gateway, class_);
    id_ = fmt::format("{}/{}/{}/{}-{}", options_.gateway, epoch.value(), class_, first_.value(), last_.value());
    if (options_.payload == Payload::data && !is_gap_) {
        append_identity(epoch);
        return {.topic = topic_, .payload = items_, .id = id_, .headers = identity_, .key = key_};
    }
    message_.clear();
    append_head(epoch);
    const bool batch = options_.payload == Payload::batch;
    if (batch) append_text(message_, R"("events":[)");
    base::append(message_, items_);
    append_text(message_, batch ? "]}" : "}");
    return {.topic = topic_, .payload = message_, .id = id_, .key = key_};
}

std::optional<Outgoing> BrokerDialect::status(bool online, StatusSource& source) {
    if (options_.status_topic.empty()) return std::nullopt;
    message_.clear();
    if (online) {
        append_text(message_, R"({"online":true,"ledger":)");
        source.append_ledger(message_);
        message_.push_back('}');
    } else {
        append_text(message_, kOfflineStatus);
    }
    return Outgoing{.topic = options_.status_topic, .payload = message_, .retain = true};
}

}  // namespace sluice::uplink
