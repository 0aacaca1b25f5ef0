#include "flow/uplink/azure_dialect.hpp"

#include <utility>

#include <fmt/format.h>

namespace sluice::uplink {
namespace {

void append_property(std::string& bag, std::string_view name, std::string_view value) {
    bag += '&';
    bag += percent_encoded(name);
    bag += '=';
    bag += percent_encoded(value);
}

BrokerDialect::Options without_topics(BrokerDialect::Options options) {
    options.topic.clear();
    options.status_topic.clear();
    return options;
}

}  // namespace

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

AzureDialect::AzureDialect(BrokerDialect::Options options, std::string_view device)
    : gateway_(options.gateway),
      prefix_(fmt::format("devices/{}/messages/events/$.ct=application%2Fjson&$.ce=utf-8", device)),
      inner_(without_topics(std::move(options))) {}

void AzureDialect::begin(std::string_view class_name, data::Sequence first) {
    class_ = class_name;
    inner_.begin(class_name, first);
}

Outgoing AzureDialect::finish(data::Epoch epoch) {
    Outgoing out = inner_.finish(epoch);
    topic_ = prefix_;
    topic_ += "&$.mid=";
    topic_ += percent_encoded(out.id);
    if (out.headers.empty()) {
        append_property(topic_, "gateway", gateway_);
        append_property(topic_, "class", class_);
    }
    for (const auto& [name, value] : out.headers) append_property(topic_, name, value);
    out.topic = topic_;
    out.headers = {};
    return out;
}

}  // namespace sluice::uplink
