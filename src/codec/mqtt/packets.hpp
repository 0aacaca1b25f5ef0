// The packets as values. Text and bytes are views: of the input when decoded, of the caller's memory when encoded.
#pragma once

#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/mqtt/packet.hpp"
#include "codec/mqtt/properties.hpp"

namespace sluice::mqtt {

struct Will {
    std::string_view topic{};
    base::ByteView payload{};
    Qos qos = Qos::at_most_once;
    bool retain = false;
    Properties properties{};
};

struct Connect {
    Version version = Version::v311;
    /// 3.1.1: the high bit of the protocol level is set, as mosquitto's bridges do and some brokers understand: no message comes back to
    /// who published it, and retain flags stay as published.
    bool bridge = false;
    bool clean_start = true;                             ///< "clean session" in 3.1.1
    std::chrono::duration<std::uint16_t> keep_alive{0};  ///< seconds; 0: none
    std::string_view client_id{};                        ///< may be empty: the server assigns one
    std::optional<Will> will{};
    std::optional<std::string_view> user{};
    std::optional<base::ByteView> password{};
    Properties properties{};
};

struct Connack {
    bool session_present = false;
    ReasonCode reason = ReasonCode::success;  ///< over 3.1.1 translated from and to its return codes
    Properties properties{};
};

struct Publish {
    std::string_view topic{};  ///< 5.0: may be empty, then properties have a topic alias
    base::ByteView payload{};
    PacketId packet_id = 0;  ///< 0 exactly with QoS 0
    Qos qos = Qos::at_most_once;
    bool retain = false;
    bool dup = false;
    Properties properties{};
};

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct Ack {
    PacketId packet_id = 0;
    ReasonCode reason = ReasonCode::success;  ///< over 3.1.1 always success
    Properties properties{};
};

struct Subscription {
    std::string_view filter{};
    Qos qos = Qos::at_most_once;
    bool no_local = false;  ///< these three: 5.0 only
    bool retain_as_published = false;
    RetainHandling retain_handling = RetainHandling::send;
    friend bool operator==(const Subscription&, const Subscription&) = default;
};

/// The checked list inside a SUBSCRIBE (`Options` true) or UNSUBSCRIBE, walked without copying.
template <bool Options>
class FilterList {
public:
    class iterator {
    public:
        using value_type = Subscription;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = Subscription;
        using pointer = void;
        iterator() = default;
        explicit iterator(const base::Byte* at) : at_(at) {}
        Subscription operator*() const {
            const std::size_t size = length();
            Subscription value{.filter = {reinterpret_cast<const char*>(at_) + 2, size}};
            if constexpr (Options) {
                const base::Byte options = at_[2 + size];
                value.qos = static_cast<Qos>(options & 3U);
                value.no_local = (options & 4U) != 0;
                value.retain_as_published = (options & 8U) != 0;
                value.retain_handling = static_cast<RetainHandling>((options >> 4) & 3U);
            }
            return value;
        }
        iterator& operator++() {
            at_ += 2 + length() + (Options ? 1 : 0);
            return *this;
        }
        iterator operator++(int) {
            const auto before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) = default;

    private:
        friend class FilterList;
        [[nodiscard]] std::size_t length() const { return static_cast<std::size_t>(at_[0]) << 8 | at_[1]; }
        const base::Byte* at_ = nullptr;
    };

    FilterList() = default;
    /// For the decoder, after it has checked the bytes; or the last of them again (bytes_from()).
    explicit FilterList(base::ByteView checked) : raw_(checked) {}
    [[nodiscard]] iterator begin() const { return iterator(raw_.data()); }
    [[nodiscard]] iterator end() const { return iterator(raw_.data() + raw_.size()); }
    /// Of those from here to the end: the list ends its packet, so that it can be gone on with from the packet's last bytes.
    [[nodiscard]] std::size_t bytes_from(iterator at) const { return static_cast<std::size_t>(raw_.data() + raw_.size() - at.at_); }

private:
    base::ByteView raw_{};
};

struct Subscribe {
    PacketId packet_id = 0;
    FilterList<true> filters{};  ///< at least one
    Properties properties{};
};

struct Unsubscribe {
    PacketId packet_id = 0;
    FilterList<false> filters{};  ///< at least one; only `filter` of each is meaningful
    Properties properties{};
};

/// SUBACK and UNSUBACK (over 3.1.1 an UNSUBACK has no codes).
struct Suback {
    PacketId packet_id = 0;
    base::ByteView codes{};  ///< one ReasonCode a filter
    Properties properties{};
};

struct Disconnect {
    ReasonCode reason = ReasonCode::success;
    Properties properties{};
};

struct Auth {
    ReasonCode reason = ReasonCode::success;
    Properties properties{};
};

/// `$share/<group>/<filter>` (§4.8.2), taken apart.
struct SharedFilter {
    std::string_view group{};
    std::string_view filter{};
};

}  // namespace sluice::mqtt
