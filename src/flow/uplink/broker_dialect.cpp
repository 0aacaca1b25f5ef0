#include "flow/uplink/broker_dialect.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "codec/json/writer.hpp"

namespace sluice::uplink {
namespace {

/// What stands around an event of a batch at most: keys, its number, its time.
constexpr std::size_t kItemBytes = 80;
constexpr std::string_view kOffline = R"({"online":false})";
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

BrokerDialect::BrokerDialect(Options options) : options_(std::move(options)) {
    replace(options_.topic, "{gateway}", options_.gateway);
    replace(options_.status_topic, "{gateway}", options_.gateway);
}

void BrokerDialect::greet(mqtt::ClientSession::Options& connect) {
    connect.client_id = options_.client_id;
    if (!options_.user.empty()) connect.user = options_.user;
    if (!options_.password.empty()) connect.password = base::as_bytes(options_.password);
    if (options_.status_topic.empty()) return;
    mqtt::Will will;
    will.topic = options_.status_topic;
    will.payload = base::as_bytes(kOffline);
    will.qos = mqtt::Qos::at_least_once;
    will.retain = true;
    connect.will = will;
}

// One half of a batch for the events, the other for what stands around them.
std::size_t BrokerDialect::fill_bytes_max() const { return options_.message_bytes_max / 2; }
std::size_t BrokerDialect::items_max() const {
    return options_.payload == Payload::batch ? std::max<std::size_t>(1, options_.message_bytes_max / 2 / kItemBytes) : 1;
}

void BrokerDialect::begin(std::string_view class_name, data::Sequence) {
    class_ = class_name;
    items_.clear();
}

bool BrokerDialect::add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) {
    rule_ = rule;
    sequence_ = sequence;
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
mqtt::Properties BrokerDialect::identity(data::Epoch epoch) {
    properties_.clear();
    mqtt::PropertyWriter writer(properties_);
    writer.text(mqtt::Property::content_type, "application/json");
    writer.user("gateway", options_.gateway).user("epoch", fmt::format("{}", epoch.value())).user("class", class_);
    return writer.user("seq", fmt::format("{}", sequence_.value())).user("rule", rule_).user("ts", fmt::format("{}", ts_ms_)).done();
}

Outgoing BrokerDialect::finish(mqtt::Version version, data::Epoch epoch) {
    topic_ = options_.topic;
    replace(topic_, "{class}", class_);
    replace(topic_, "{rule}", is_gap_ ? std::string(1, kUnfit) : level(rule_));
    if (options_.payload == Payload::data && !is_gap_)
        return {.topic = topic_, .payload = items_, .properties = version == mqtt::Version::v5 ? identity(epoch) : mqtt::Properties{}};
    message_.clear();
    append_head(epoch);
    const bool batch = options_.payload == Payload::batch;
    if (batch) append_text(message_, R"("events":[)");
    base::append(message_, items_);
    append_text(message_, batch ? "]}" : "}");
    return {.topic = topic_, .payload = message_};
}

std::optional<Outgoing> BrokerDialect::status(bool online, StatusSource& source) {
    if (options_.status_topic.empty()) return std::nullopt;
    message_.clear();
    if (online) {
        append_text(message_, R"({"online":true,"ledger":)");
        source.append_ledger(message_);
        message_.push_back('}');
    } else {
        append_text(message_, kOffline);
    }
    return Outgoing{.topic = options_.status_topic, .payload = message_, .retain = true};
}

}  // namespace sluice::uplink
