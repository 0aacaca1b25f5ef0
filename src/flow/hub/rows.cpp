#include "flow/hub/rows.hpp"

#include <algorithm>

#include "data/topic.hpp"
#include "flow/hub/level_tree.hpp"

namespace sluice::hub {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr base::Byte kVersion = 1;
constexpr std::int64_t kCenturyMs = std::int64_t{100} * 365 * 24 * 3600 * 1000;
constexpr std::uint8_t kRetainFlag = 4;
constexpr std::uint8_t kReleasedFlag = 4;
constexpr std::uint8_t kQosMask = 3;
constexpr std::uint8_t kOptionBits = 0x3F;  // QoS, no-local, retain-as-published, retain handling
constexpr std::size_t kClientBytesMax = 1024;

/// Takes values off the front; after the first that is not there all are 0 or empty, and good() is false.
class Reader {
public:
    explicit Reader(base::ByteView bytes) : left_(bytes) {}
    template <class T>
    T number() {
        const auto bytes = take(sizeof(T));
        return bytes.size() == sizeof(T) ? base::load_le<T>(bytes.data()) : T{};
    }
    base::ByteView take(std::size_t size) {
        if (size > left_.size()) {
            good_ = false;
            left_ = {};
            return {};
        }
        const auto taken = left_.first(size);
        left_ = left_.subspan(size);
        return taken;
    }
    base::ByteView rest() { return take(left_.size()); }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool done() const { return good_ && left_.empty(); }

private:
    base::ByteView left_;
    bool good_ = true;
};

bool is_filter(std::string_view filter) { return data::is_topic_filter(filter) && count_levels(filter) <= kLevelsMax; }

void append_text(base::Bytes& to, std::string_view text) {
    base::append_le(to, static_cast<std::uint16_t>(text.size()));
    base::append(to, text);
}

}  // namespace

Age AgeClock::age_of(base::Monotonic at) const {
    if (at == kNever) return 0;
    const auto passed = std::chrono::floor<std::chrono::milliseconds>(at - now).count();
    if (passed < 0 && static_cast<Age>(-passed) >= age) return 1;
    return age + static_cast<Age>(passed);
}

base::Monotonic AgeClock::time_of(Age at) const {
    if (at == 0) return kNever;
    const auto distance = static_cast<std::int64_t>(at - age);
    if (distance > kCenturyMs) return kNever;
    return now + std::chrono::milliseconds(std::max(distance, -kCenturyMs));
}

void append_row(base::Bytes& to, const SessionRow& row) {
    to.push_back(kVersion);
    base::append_le(to, row.expiry_seconds);
    base::append_le(to, row.ends);
    append_text(to, row.client);
    append_text(to, row.owner);
    for (const auto id : row.unreleased) base::append_le(to, id);
}

void append_row(base::Bytes& to, const SubscriptionRow& row) {
    to.push_back(kVersion);
    to.push_back(row.options.bits);
    base::append_le(to, row.identifier);
    append_text(to, row.group);
    append_text(to, row.filter);
}

void append_row(base::Bytes& to, const MessageRow& row) {
    to.push_back(kVersion);
    to.push_back(row.qos);
    base::append_le(to, row.expires);
    append_text(to, row.topic);
    base::append_le(to, static_cast<std::uint32_t>(row.properties.size()));
    base::append(to, row.properties);
    base::append(to, row.payload);
}

void append_row(base::Bytes& to, const DeliveryRow& row) {
    to.push_back(kVersion);
    to.push_back(static_cast<base::Byte>(row.qos | (row.retain ? kRetainFlag : 0)));
    base::append_le(to, row.packet_id);
    base::append_le(to, static_cast<std::uint16_t>(row.identifiers.size()));
    for (const auto identifier : row.identifiers) base::append_le(to, identifier);
}

void append_row(base::Bytes& to, const InflightRow& row) {
    to.push_back(kVersion);
    to.push_back(static_cast<base::Byte>(row.qos | (row.released ? kReleasedFlag : 0)));
    base::append_le(to, row.packet_id);
}

Result<SessionRow> read_session_row(base::ByteView bytes) {
    Reader in(bytes);
    if (in.number<std::uint8_t>() != kVersion) return Error{Errc::version};
    SessionRow row;
    row.expiry_seconds = in.number<std::uint32_t>();
    row.ends = in.number<Age>();
    row.client = base::as_text(in.take(in.number<std::uint16_t>()));
    row.owner = base::as_text(in.take(in.number<std::uint16_t>()));
    const auto ids = in.rest();
    if (!in.good() || row.client.empty() || row.client.size() > kClientBytesMax || row.expiry_seconds == 0 || ids.size() % 2 != 0 ||
        ids.size() > 2 * 0xFFFF)
        return Error{Errc::corrupt};
    for (std::size_t at = 0; at < ids.size(); at += 2) row.unreleased.push_back(base::load_le<mqtt::PacketId>(ids.data() + at));
    return row;
}

Result<SubscriptionRow> read_subscription_row(base::ByteView bytes) {
    Reader in(bytes);
    if (in.number<std::uint8_t>() != kVersion) return Error{Errc::version};
    SubscriptionRow row;
    row.options.bits = in.number<std::uint8_t>();
    row.identifier = in.number<std::uint32_t>();
    row.group = base::as_text(in.take(in.number<std::uint16_t>()));
    row.filter = base::as_text(in.take(in.number<std::uint16_t>()));
    if (!in.done() || (row.options.bits & ~kOptionBits) != 0 || row.options.qos() > 2 || !is_filter(row.filter) ||
        (!row.group.empty() && !data::is_topic_name(row.group)))
        return Error{Errc::corrupt};
    return row;
}

Result<MessageRow> read_message_row(base::ByteView bytes) {
    Reader in(bytes);
    if (in.number<std::uint8_t>() != kVersion) return Error{Errc::version};
    MessageRow row;
    row.qos = in.number<std::uint8_t>();
    row.expires = in.number<Age>();
    row.topic = base::as_text(in.take(in.number<std::uint16_t>()));
    row.properties = in.take(in.number<std::uint32_t>());
    row.payload = in.rest();
    if (!in.good() || row.qos > 2 || !data::is_topic_name(row.topic)) return Error{Errc::corrupt};
    return row;
}

Result<DeliveryRow> read_delivery_row(base::ByteView bytes) {
    Reader in(bytes);
    if (in.number<std::uint8_t>() != kVersion) return Error{Errc::version};
    DeliveryRow row;
    const auto flags = in.number<std::uint8_t>();
    row.qos = flags & kQosMask;
    row.retain = (flags & kRetainFlag) != 0;
    row.packet_id = in.number<mqtt::PacketId>();
    for (auto left = in.number<std::uint16_t>(); left != 0 && in.good(); --left) row.identifiers.push_back(in.number<std::uint32_t>());
    if (!in.good() || row.qos == 0 || row.qos > 2 || flags > (kQosMask | kRetainFlag)) return Error{Errc::corrupt};
    auto message = read_message_row(in.rest());
    if (!message) return message.error();
    row.message = *message;
    return row;
}

Result<InflightRow> read_inflight_row(base::ByteView bytes) {
    Reader in(bytes);
    if (in.number<std::uint8_t>() != kVersion) return Error{Errc::version};
    const auto flags = in.number<std::uint8_t>();
    InflightRow row{.packet_id = in.number<mqtt::PacketId>(),
                    .qos = static_cast<std::uint8_t>(flags & kQosMask),
                    .released = (flags & kReleasedFlag) != 0};
    if (!in.done() || row.packet_id == 0 || row.qos == 0 || row.qos > 2 || (row.released && row.qos != 2) ||
        flags > (kQosMask | kReleasedFlag))
        return Error{Errc::corrupt};
    return row;
}

}  // namespace sluice::hub
