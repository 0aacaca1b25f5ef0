#include "flow/rules/state_bytes.hpp"

#include <cmath>

#include "codec/json/scanner.hpp"

namespace sluice::rules {

using json::Kind;
using json::Value;

namespace {

bool is_json(std::string_view text) {
    base::Bytes padded(text.begin(), text.end());
    padded.resize(text.size() + sizeof(std::uint64_t));
    json::Scanner scanner({.bytes_max = text.size(), .depth_max = json::ScanLimits::kDepthMax});
    return scanner.scan(base::ByteView(padded).first(text.size()), {}, {}).has_value();
}

}  // namespace

void save_value(base::Bytes& out, const Value& value) {
    out.push_back(static_cast<base::Byte>(value.kind()));
    switch (value.kind()) {
        case Kind::missing:
        case Kind::null:
            return;
        case Kind::boolean:
            return out.push_back(value.is_true() ? 1 : 0);
        case Kind::integer:
            return base::append_le(out, static_cast<std::uint64_t>(value.as_integer()));
        case Kind::number:
            return save_real(out, value.as_number());
        case Kind::text:
        case Kind::raw:
            base::append_le(out, static_cast<std::uint32_t>(value.as_view().size()));
            return base::append(out, value.as_view());
    }
}

Value StateReader::value() {
    const auto kind = number<base::Byte>();
    if (!ok_) return Value{};
    switch (static_cast<Kind>(kind)) {
        case Kind::missing:
            return Value{};
        case Kind::null:
            return Value::null();
        case Kind::boolean:
            return Value::boolean(number<base::Byte>() != 0);
        case Kind::integer:
            return Value::integer(static_cast<std::int64_t>(number<std::uint64_t>()));
        case Kind::number: {
            const double value = real();
            if (std::isnan(value)) fail();
            return Value::number(value);
        }
        case Kind::text:
        case Kind::raw: {
            const auto size = number<std::uint32_t>();
            const std::string_view text = base::as_text(bytes(size));
            // What walks over raw values later believes that they are JSON.
            if (!ok_ || (static_cast<Kind>(kind) == Kind::text ? !json::is_utf8(text) : !is_json(text))) {
                fail();
                return Value{};
            }
            return static_cast<Kind>(kind) == Kind::text ? Value::text(text) : Value::raw(text);
        }
    }
    fail();
    return Value{};
}

}  // namespace sluice::rules
