#include "flow/router/router.hpp"

#include "base/check.hpp"
#include "data/topic.hpp"

namespace sluice::router {
namespace {

constexpr bool is_continuation(base::Byte byte) { return (byte & 0xC0) == 0x80; }

/// Appends a value so that it can be part of one level and never more: see TopicTemplate.
void append_safe(base::Bytes& to, base::ByteView value) {
    std::size_t size = value.size();
    if (size > TopicTemplate::kValueBytesMax) {
        size = TopicTemplate::kValueBytesMax;
        while (size > 0 && is_continuation(value[size])) --size;
    }
    if (size == 0) return to.push_back('_');
    for (const base::Byte byte : value.first(size)) {
        const bool unsafe = byte == '/' || byte == '+' || byte == '#' || byte < 0x20 || byte == 0x7F;
        to.push_back(unsafe ? base::Byte{'_'} : byte);
    }
}

}  // namespace

Router::Router(std::vector<RuleRoutes> rules) : rules_(std::move(rules)) {}

void Router::route(std::size_t rule, const Row& row, Sink& sink) {
    base::check(rule < rules_.size(), "router: rule index out of range");
    const RuleRoutes& routes = rules_[rule];
    for (const Destination& destination : routes.to) {
        if (const auto* cloud = std::get_if<ToCloud>(&destination)) {
            ++counters_.spooled;
            sink.spool({.event_class = cloud->event_class, .rule = routes.rule, .made = row.made, .json = row.json});
            continue;
        }
        topic_.clear();
        for (const TopicTemplate::Piece& piece : std::get<ToTopic>(destination).topic.pieces()) {
            switch (piece.kind) {
                case TopicTemplate::Piece::Kind::literal:
                    base::append(topic_, piece.literal);
                    break;
                case TopicTemplate::Piece::Kind::column:
                    value_.clear();
                    row.columns.append_text(piece.index, value_);
                    append_safe(topic_, value_);
                    break;
                case TopicTemplate::Piece::Kind::topic:
                    // The whole topic keeps its levels: it was a valid one.
                    base::append(topic_, row.topic.empty() ? std::string_view("_") : row.topic);
                    break;
                case TopicTemplate::Piece::Kind::topic_level:
                    append_safe(topic_, base::as_bytes(data::topic_level(row.topic, static_cast<unsigned>(piece.index))));
                    break;
            }
        }
        if (!topic_.empty() && topic_.front() == '$') topic_.front() = '_';  // a value cannot make it a reserved topic
        ++counters_.published;
        sink.publish(base::as_text(topic_), row.json);
    }
}

}  // namespace sluice::router
