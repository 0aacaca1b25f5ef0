// A publication that must be kept: retained, in flight or queued. Written once, shared by all who need it within one shard.
#pragma once

#include <cstring>
#include <limits>
#include <new>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace sluice::hub {

/// "Never expires".
inline constexpr base::Monotonic kNever = base::Monotonic::max();

/// A publication on its way through the hub. Views are valid during the call that carries it.
struct Passing {
    std::string_view topic{};
    base::ByteView payload{};
    base::ByteView properties{};       ///< to pass on as they are: no alias, expiry or subscription identifier among them
    base::Monotonic expires = kNever;  ///< message expiry
    std::uint8_t qos = 0;
    bool retain = false;
};

/// Counted reference to an immutable message; one allocation for all. Of one thread. Empty after a move or by default.
class MessageRef {
public:
    MessageRef() = default;
    /// `account`: of the bytes of all messages; must outlive them.
    MessageRef(const Passing& from, std::size_t& account) {
        const std::size_t size = from.topic.size() + from.properties.size() + from.payload.size();
        void* memory = ::operator new(sizeof(Header) + size);
        account += kAround + size;
        header_ = new (memory) Header{&account,
                                      1,
                                      static_cast<std::uint32_t>(from.topic.size()),
                                      static_cast<std::uint32_t>(from.properties.size()),
                                      static_cast<std::uint32_t>(from.payload.size()),
                                      from.expires,
                                      from.qos};
        auto* to = reinterpret_cast<base::Byte*>(header_ + 1);  // the bytes lie behind the header
        to = put(to, base::as_bytes(from.topic));
        to = put(to, from.properties);
        put(to, from.payload);
    }
    MessageRef(const MessageRef& other) : header_(other.header_) {
        if (header_ != nullptr) ++header_->references;
    }
    MessageRef(MessageRef&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
    MessageRef& operator=(MessageRef other) noexcept {
        std::swap(header_, other.header_);
        return *this;
    }
    ~MessageRef() {
        if (header_ == nullptr || --header_->references != 0) return;
        *header_->account -= kAround + size();
        ::operator delete(header_);
    }

    explicit operator bool() const { return header_ != nullptr; }
    /// Do both refer to one message?
    [[nodiscard]] bool same(const MessageRef& other) const { return header_ == other.header_; }
    [[nodiscard]] std::string_view topic() const { return {reinterpret_cast<const char*>(header_ + 1), header_->topic_size}; }
    [[nodiscard]] base::ByteView properties() const { return {bytes() + header_->topic_size, header_->properties_size}; }
    [[nodiscard]] base::ByteView payload() const {
        return {bytes() + header_->topic_size + header_->properties_size, header_->payload_size};
    }
    [[nodiscard]] base::Monotonic expires() const { return header_->expires; }
    /// What it costs against limits: topic, properties and payload.
    [[nodiscard]] std::size_t size() const { return std::size_t{header_->topic_size} + header_->properties_size + header_->payload_size; }
    /// As it was published.
    [[nodiscard]] Passing passing() const {
        return {.topic = topic(), .payload = payload(), .properties = properties(), .expires = expires(), .qos = header_->qos};
    }
    /// Puts other properties, payload, expiry and QoS in its place if nobody else holds the message and the sizes are the same (a sensor
    /// whose readings are retained: no allocation). The topic must be the same. False: nothing was done.
    [[nodiscard]] bool overwrite(const Passing& from) {
        if (header_ == nullptr || header_->references != 1) return false;
        if (header_->properties_size + header_->payload_size != from.properties.size() + from.payload.size()) return false;
        header_->properties_size = static_cast<std::uint32_t>(from.properties.size());
        header_->payload_size = static_cast<std::uint32_t>(from.payload.size());
        header_->expires = from.expires;
        header_->qos = from.qos;
        auto* to = reinterpret_cast<base::Byte*>(header_ + 1) + header_->topic_size;
        to = put(to, from.properties);
        put(to, from.payload);
        return true;
    }

private:
    struct Header {
        std::size_t* account;
        std::uint32_t references;
        std::uint32_t topic_size;
        std::uint32_t properties_size;
        std::uint32_t payload_size;
        base::Monotonic expires;
        std::uint8_t qos;
    };
    static constexpr std::size_t kAround = sizeof(Header) + 16;  // and what an allocation costs
    static base::Byte* put(base::Byte* to, base::ByteView bytes) {
        if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
        return to + bytes.size();
    }
    [[nodiscard]] const base::Byte* bytes() const { return reinterpret_cast<const base::Byte*>(header_ + 1); }

    Header* header_ = nullptr;
};

}  // namespace sluice::hub
