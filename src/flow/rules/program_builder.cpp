#include "flow/rules/program_builder.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

Type type_of(const Value& value) {
    switch (value.kind()) {
        case json::Kind::missing:
        case json::Kind::null:
            return Type::null;
        case json::Kind::boolean:
            return Type::boolean;
        case json::Kind::text:
            return Type::text;
        case json::Kind::raw:
            return Type::json;
        default:
            return Type::number;
    }
}

}  // namespace

std::uint64_t mix(std::initializer_list<std::uint64_t> parts) {
    base::Bytes bytes;
    for (const std::uint64_t part : parts) base::append_le(bytes, part);
    return base::hash64(base::as_text(bytes));
}

std::string path_text(const json::Path& path) {
    std::string text;
    for (const json::PathStep& step : path) {
        if (const auto* key = std::get_if<std::string>(&step))
            text += "." + std::to_string(key->size()) + ":" + *key;
        else
            text += "[" + std::to_string(std::get<std::uint32_t>(step)) + "]";
    }
    return text;
}

NodeId ProgramBuilder::add(const Node& node, Type type, const std::string& identity, std::span<const NodeId> children, bool foldable,
                           std::string_view apart) {
    std::string key = std::to_string(static_cast<int>(node.op)) + (node.negated ? "!" : ":") + identity;
    std::string canonical = key;
    key += apart;
    bool constant = foldable;
    bool of_table = node.op == Op::joined || node.op == Op::matched;
    for (const NodeId child : children) {
        key += "," + std::to_string(child);
        canonical += "," + std::to_string(fingerprints_[child]);
        constant = constant && is_constant(child);
        of_table = of_table || of_table_[child];
    }
    const auto [at, fresh] = known_.try_emplace(key, static_cast<NodeId>(data_.program.nodes.size()));
    if (!fresh) return at->second;
    data_.program.nodes.push_back(node);
    fingerprints_.push_back(base::hash64(canonical));
    types_.push_back(type);
    of_table_.push_back(of_table);
    if (constant) at->second = folded(at->second);
    return at->second;
}

NodeId ProgramBuilder::folded(NodeId id) {
    workspace_.arena.reset();
    Scope scope;
    scope.program = &data_.program;
    workspace_.lend(scope);
    const Value value = evaluate(scope, id);
    if (scope.bad_values != 0) return id;  // it counts as bad each time it is evaluated
    return constant(value);
}

NodeId ProgramBuilder::constant(const Value& value) {
    base::Bytes identity;
    save_value(identity, value);
    Value kept = value;
    if (value.is_text() || value.kind() == json::Kind::raw) {
        // Padded: the inner loops over text read whole words.
        data_.program.texts.emplace_back(value.as_view());
        std::string& text = data_.program.texts.back();
        text.reserve(text.size() + sizeof(std::uint64_t));
        kept = value.is_text() ? Value::text(text) : Value::raw(text);
    }
    const auto index = static_cast<std::uint32_t>(data_.program.constants.size());
    data_.program.constants.push_back(kept);
    return add({.op = Op::constant, .a = index}, type_of(value), std::string(base::as_text(identity)), {}, false);
}

std::uint32_t ProgramBuilder::slot(const json::Path& path) {
    const auto [at, fresh] = slots_.try_emplace(path_text(path), static_cast<std::uint32_t>(data_.fields.size()));
    if (fresh) data_.fields.push_back(path);
    return at->second;
}

NodeId ProgramBuilder::field(const json::Path& path) {
    return add({.op = Op::slot, .a = slot(path)}, Type::any, path_text(path), {}, false);
}

NodeId ProgramBuilder::field_or(const json::Path& path, NodeId other) {
    const NodeId children[] = {other};
    return add({.op = Op::slot_or, .a = slot(path), .b = other}, Type::any, path_text(path), children, false);
}

NodeId ProgramBuilder::pattern(std::string_view text, std::shared_ptr<const Pattern> compiled) {
    auto& patterns = data_.program.patterns;
    const NodeId node =
        add({.op = Op::pattern, .a = static_cast<std::uint32_t>(patterns.size())}, Type::text, std::string(text), {}, false);
    if (data_.program.nodes[node].a == patterns.size()) patterns.push_back(std::move(compiled));
    return node;
}

NodeId ProgramBuilder::indexed(Op op, Type type, std::uint32_t index, std::uint64_t identity) {
    // Registers are numbered through the plan: another rule before this one must not make it another expression.
    if (op == Op::reg) return add({.op = op, .a = index}, type, std::to_string(identity), {}, false, "@" + std::to_string(index));
    return add({.op = op, .a = index}, type, std::to_string(index) + "#" + std::to_string(identity), {}, false);
}

NodeId ProgramBuilder::of_row(Op op, std::uint32_t lookup, std::uint32_t column, const std::string& identity, std::span<const NodeId> key) {
    return add({.op = op, .a = lookup, .b = column}, op == Op::matched ? Type::boolean : Type::any, identity, key, false);
}

NodeId ProgramBuilder::unary(Op op, Type type, NodeId a, bool negated) {
    const NodeId children[] = {a};
    return add({.op = op, .negated = negated, .a = a}, type, "", children, true);
}

NodeId ProgramBuilder::binary(Op op, Type type, NodeId a, NodeId b) {
    const NodeId children[] = {a, b};
    return add({.op = op, .a = a, .b = b}, type, "", children, true);
}

NodeId ProgramBuilder::with_arguments(Op op, Type type, std::span<const NodeId> arguments, bool negated, Function function) {
    const auto first = static_cast<std::uint32_t>(data_.program.arguments.size());
    data_.program.arguments.insert(data_.program.arguments.end(), arguments.begin(), arguments.end());
    const bool pure = op != Op::function || info(function).kind == FunctionKind::scalar;
    return add({.op = op, .negated = negated, .function = function, .a = first, .b = static_cast<std::uint32_t>(arguments.size())}, type,
               op == Op::function ? std::string(info(function).name) : "", arguments, pure);
}

}  // namespace sluice::rules
