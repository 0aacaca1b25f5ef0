#include "datum.hpp"

#include <cmath>

#include "codec/json/writer.hpp"

namespace sluice::rules::plain {

Ordering order(const Datum& a, const Datum& b) {
    const auto of = [](const auto& x, const auto& y) { return Ordering{.known = true, .sign = x < y ? -1 : x > y ? 1 : 0}; };
    if (is_number(a) && is_number(b)) {
        if (a.index() == b.index() && std::holds_alternative<std::int64_t>(a))
            return of(std::get<std::int64_t>(a), std::get<std::int64_t>(b));
        return of(real(a), real(b));
    }
    if (a.index() != b.index()) return {};
    if (const auto* text = std::get_if<std::string>(&a)) return of(*text, std::get<std::string>(b));
    if (const auto* truth = std::get_if<bool>(&a)) return of(static_cast<int>(*truth), static_cast<int>(std::get<bool>(b)));
    return {};
}

bool same_key(const std::vector<Datum>& a, const std::vector<Datum>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (is_null(a[i]) && is_null(b[i])) continue;
        const Ordering ordering = order(a[i], b[i]);
        if (!ordering.known || ordering.sign != 0) return false;
    }
    return true;
}

std::string to_json(const Datum& value) {
    base::Bytes out;
    if (const auto* list = std::get_if<List>(&value)) return list->json;
    if (const auto* text = std::get_if<std::string>(&value)) {
        json::append_value(out, json::Value::text(*text));
    } else if (const auto* truth = std::get_if<bool>(&value)) {
        json::append_value(out, json::Value::boolean(*truth));
    } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        json::append_value(out, json::Value::integer(*whole));
    } else if (const auto* number = std::get_if<double>(&value)) {
        json::append_value(out, json::Value::number(*number));
    } else {
        json::append_value(out, json::Value::null());
    }
    return std::string(base::as_text(out));
}

Datum datum_of(const json::Value& value) {
    switch (value.kind()) {
        case json::Kind::boolean:
            return value.is_true();
        case json::Kind::integer:
            return value.as_integer();
        case json::Kind::number:
            return value.as_number();
        case json::Kind::text:
            return std::string(value.as_view());
        case json::Kind::raw:
            return List{std::string(value.as_view())};
        default:
            return Null{};
    }
}

}  // namespace sluice::rules::plain
