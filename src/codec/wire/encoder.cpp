#include "base/check.hpp"
#include "codec/wire/batch.hpp"
#include "codec/wire/envelope.hpp"

namespace sluice::wire {

using base::Byte;
using base::ByteView;

namespace {

constexpr std::size_t kItemCountAt = 16;

Byte byte(std::size_t value) { return static_cast<Byte>(value); }

}  // namespace

void Encoder::begin(std::string_view class_name, data::Sequence first) {
    base::check(!class_name.empty() && class_name.size() <= kClassNameBytesMax, "wire: class name's length");
    base::check(first.value() != 0 && first.value() < kNumberEnd, "wire: sequence out of range");
    body_.clear();
    items_ = 0;
    end_ = first;
    base::append_le(body_, std::uint64_t{0});  // epoch: told at the end
    base::append_le(body_, first.value());
    base::append_le(body_, std::uint32_t{0});  // items: known at the end
    body_.push_back(byte(class_name.size()));
    base::append(body_, class_name);
}

bool Encoder::add_event(std::string_view rule, std::int64_t ts_ms, ByteView json) {
    base::check(!rule.empty() && rule.size() <= kRuleBytesMax, "wire: rule id's length");
    base::check(json.size() >= 2 && json.size() <= kJsonBytesMax, "wire: event's size");
    if (items_ == kItemsMax || body_.size() + kEventHeaderBytes + rule.size() + json.size() > kBodyBytesMax) return false;
    body_.push_back(byte(static_cast<std::size_t>(Item::Kind::event)));
    body_.push_back(byte(rule.size()));
    base::append_le(body_, static_cast<std::uint32_t>(json.size()));
    base::append_le(body_, static_cast<std::uint64_t>(ts_ms));
    base::append(body_, rule);
    base::append(body_, json);
    ++items_;
    end_ = end_.next();
    return true;
}

bool Encoder::add_gap(std::uint64_t count, std::string_view reason) {
    base::check(count != 0 && count < kNumberEnd - end_.value(), "wire: gap's count");
    base::check(!reason.empty() && reason.size() <= kReasonBytesMax, "wire: reason's length");
    if (items_ == kItemsMax || body_.size() + kGapHeaderBytes + reason.size() > kBodyBytesMax) return false;
    body_.push_back(byte(static_cast<std::size_t>(Item::Kind::gap)));
    body_.push_back(byte(reason.size()));
    base::append_le(body_, count);
    base::append(body_, reason);
    ++items_;
    end_ = data::Sequence(end_.value() + count);
    return true;
}

void Encoder::finish(data::Epoch epoch, base::Bytes& out) {
    base::check(items_ != 0, "wire: an empty batch");
    base::check(epoch.value() < kNumberEnd, "wire: epoch out of range");
    base::store_le(body_.data(), epoch.value());
    base::store_le(body_.data() + kItemCountAt, static_cast<std::uint32_t>(items_));
    base::append(out, ByteView(kMagic));
    out.push_back(kVersion);
    const auto flags_at = out.size();
    out.push_back(0);
    base::append_le(out, static_cast<std::uint32_t>(body_.size()));
    const auto body_at = out.size();
    if (body_.size() >= kCompressFromBytes) {
        out.resize(body_at + body_.size() - 1);  // room for less than the body: where zstd needs more, plain is smaller
        if (const auto written = zstd_.compress(body_, std::span(out).subspan(body_at))) {
            out.resize(body_at + *written);
            out[flags_at] = kFlagCompressed;
            items_ = 0;
            return;
        }
        out.resize(body_at);
    }
    base::append(out, body_);
    items_ = 0;
}

}  // namespace sluice::wire
