#include "manage/config/view.hpp"

#include "base/check.hpp"
#include "manage/config/scalar.hpp"

namespace sluice::config {

View View::at(std::string_view name) const {
    const SchemaNode* child = schema_->child(name);
    base::check(child != nullptr, "config: the reader asks for a key that is not in the table");
    const Node* value = nullptr;
    Position owner = owner_;
    if (node_ != nullptr && node_->kind == Node::Kind::map) {
        if (const Entry* entry = node_->find(name)) {
            value = &entry->value;
            owner = entry->key_at;
        }
    } else if (node_ != nullptr && node_->kind == Node::Kind::scalar && schema_->key != nullptr && schema_->key->shorthand == name) {
        value = node_;
    }
    return {*context_, *child, value, owner};
}

std::vector<View> View::items() const {
    std::vector<View> out;
    if (node_ == nullptr || schema_->element == nullptr) return out;
    if (node_->kind == Node::Kind::scalar && !schema_->key->shorthand.empty()) {
        out.emplace_back(*context_, *schema_->element, node_, node_->at);
    } else if (node_->kind == Node::Kind::sequence) {
        for (const Node& item : node_->items) out.emplace_back(*context_, *schema_->element, &item, item.at);
    }
    return out;
}

std::vector<std::pair<Located, View>> View::entries() const {
    std::vector<std::pair<Located, View>> out;
    if (node_ == nullptr || schema_->element == nullptr || node_->kind != Node::Kind::map) return out;
    for (const Entry& entry : node_->entries) {
        out.emplace_back(Located{entry.key, entry.key_at}, View(*context_, *schema_->element, &entry.value, entry.key_at));
    }
    return out;
}

bool View::fits() const { return present() && scalar_problem(*schema_->key, *node_).empty(); }

std::string_view View::scalar() const { return fits() ? std::string_view(node_->text) : schema_->key->fallback; }

LocatedText View::located_text() const {
    if (!fits()) return {std::string(schema_->key->fallback), position(), {}};
    return context_->source.locate(node_->offset, node_->text);
}

Path View::path() const { return resolved(text()); }

Path View::resolved(std::string value) const {
    if (value.empty()) return {{}, position()};
    if (value.starts_with("./") && value.size() > 2) value.erase(0, 2);
    if (!value.starts_with('/') && !context_->folder.empty()) value = context_->folder + '/' + value;
    return {std::move(value), position()};
}

// The defaults and bounds of the table are known to be readable (a test reads them all): value_or is for keys without a default.
bool View::boolean() const { return parse_boolean(scalar()).value_or(false); }
std::uint64_t View::integer() const { return parse_integer(scalar()).value_or(0); }
double View::number() const { return parse_number(scalar()).value_or(0); }
std::uint64_t View::size() const { return parse_size(scalar()).value_or(0); }
std::uint32_t View::percent() const { return parse_percent(scalar()).value_or(0); }
std::chrono::milliseconds View::duration() const { return parse_duration(scalar()).value_or(std::chrono::milliseconds(0)); }
std::size_t View::choice() const { return choice_index(schema_->key->choices, scalar()).value_or(0); }

std::uint64_t View::checked_integer(std::uint64_t max) const {
    const std::uint64_t value = integer();
    base::check(value <= max, "config: a key's range is larger than its type");
    return value;
}

}  // namespace sluice::config
