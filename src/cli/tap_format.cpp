#include "cli/tap_format.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/payload_decoder.hpp"
#include "cli/printable.hpp"
#include "codec/csv/csv_reader.hpp"
#include "data/topic.hpp"

namespace sluice::cli {
namespace {

const mqtt::PropertyInfo& info_of(mqtt::Property id) {
    return *std::find_if(mqtt::kProperties.begin(), mqtt::kProperties.end(), [id](const auto& each) { return each.id == id; });
}

/// "Content Type" as "content-type" or "content_type".
std::string key_of(mqtt::Property id, char between) {
    std::string out;
    for (const char c : info_of(id).name) out += c == ' ' ? between : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

bool is_number(mqtt::Property id) {
    const auto type = info_of(id).type;
    return type != mqtt::PropertyType::text && type != mqtt::PropertyType::binary && type != mqtt::PropertyType::text_pair;
}

std::string remarks(const TapMessage& message) {
    std::string out;
    const auto add = [&out](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
    if (message.packet.retain) add("retained");
    if (message.verbose) {
        add(fmt::format("qos {}", static_cast<unsigned>(message.packet.qos)));
        if (message.packet.dup) add("dup");
        message.packet.properties.for_each([&](const mqtt::PropertyItem& item) {
            if (item.id == mqtt::Property::user_property) {
                add(fmt::format("{}={}", printable(item.name), printable(item.text)));
            } else if (is_number(item.id)) {
                add(fmt::format("{} {}", key_of(item.id, '-'), item.number));
            } else if (info_of(item.id).type == mqtt::PropertyType::binary && !data::is_mqtt_utf8(item.text)) {
                add(fmt::format("{} base64 {}", key_of(item.id, '-'), base64(base::as_bytes(item.text))));
            } else {
                add(fmt::format("{} {}", key_of(item.id, '-'), printable(item.text)));
            }
        });
    }
    return out.empty() ? out : " (" + out + ")";
}

/// User properties may come several times with one name, so they are a list of pairs; the rest are members.
void append_properties(base::Bytes& out, const mqtt::Properties& properties) {
    std::string users;
    base::append(out, ",\"properties\":{");
    bool first = true;
    properties.for_each([&](const mqtt::PropertyItem& item) {
        base::Bytes text;
        if (item.id == mqtt::Property::user_property) {
            csv::append_json_string(text, item.name);
            text.push_back(',');
            csv::append_json_string(text, item.text);
            users += fmt::format("{}[{}]", users.empty() ? "" : ",", base::as_text(text));
            return;
        }
        const bool binary = info_of(item.id).type == mqtt::PropertyType::binary;
        if (is_number(item.id)) {
            base::append(text, fmt::format("{}", item.number));
        } else {
            csv::append_json_string(text, binary ? base64(base::as_bytes(item.text)) : std::string(item.text));
        }
        base::append(out,
                     fmt::format("{}\"{}{}\":{}", first ? "" : ",", key_of(item.id, '_'), binary ? "_base64" : "", base::as_text(text)));
        first = false;
    });
    if (!users.empty()) base::append(out, fmt::format("{}\"user_properties\":[{}]", first ? "" : ",", users));
    out.push_back('}');
}

}  // namespace

std::string tap_line(const TapMessage& message) {
    const auto ms = base::to_ms(message.arrived);
    const auto in_day = ((ms % 86'400'000) + 86'400'000) % 86'400'000;
    return fmt::format("{:02}:{:02}:{:02}.{:03} {}{} {}", in_day / 3'600'000, in_day / 60'000 % 60, in_day / 1000 % 60, in_day % 1000,
                       printable(message.packet.topic), remarks(message), message.shown);
}

std::string tap_json(const TapMessage& message) {
    base::Bytes out;
    base::append(out, fmt::format("{{\"ts\":{},\"topic\":", base::to_ms(message.arrived)));
    csv::append_json_string(out, message.packet.topic);
    base::append(out, fmt::format(",\"qos\":{},\"retain\":{},", static_cast<unsigned>(message.packet.qos), message.packet.retain));
    if (data::is_mqtt_utf8(base::as_text(message.packet.payload))) {
        base::append(out, "\"payload\":");
        csv::append_json_string(out, base::as_text(message.packet.payload));
    } else {
        base::append(out, fmt::format("\"payload_base64\":\"{}\"", base64(message.packet.payload)));
    }
    if (message.value) base::append(out, fmt::format(",\"value\":{}", *message.value));
    if (message.verbose) append_properties(out, message.packet.properties);
    out.push_back('}');
    return std::string(base::as_text(out));
}

}  // namespace sluice::cli
