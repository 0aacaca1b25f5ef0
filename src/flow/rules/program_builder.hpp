// Builds the shared program: equal expressions become one node, constant ones are computed now.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "flow/rules/expression.hpp"
#include "flow/rules/pattern.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/workspace.hpp"

namespace sluice::rules {

class ProgramBuilder {
public:
    explicit ProgramBuilder(PlanData& data) : data_(data) {}

    [[nodiscard]] NodeId constant(const Value& value);
    [[nodiscard]] std::uint32_t slot(const json::Path& path);
    [[nodiscard]] NodeId field(const json::Path& path);
    /// The field, or `other` for readings without it.
    [[nodiscard]] NodeId field_or(const json::Path& path, NodeId other);
    /// An argument that is a compiled pattern, written as `text`.
    [[nodiscard]] NodeId pattern(std::string_view text, std::shared_ptr<const Pattern> compiled);
    /// `identity` tells what a register, aggregate or key stands for, for fingerprints.
    [[nodiscard]] NodeId indexed(Op op, Type type, std::uint32_t index, std::uint64_t identity);
    /// Of what a lookup with this key finds in a table: `identity` is the table's name, and the column's.
    [[nodiscard]] NodeId of_row(Op op, std::uint32_t lookup, std::uint32_t column, const std::string& identity,
                                std::span<const NodeId> key);
    [[nodiscard]] NodeId unary(Op op, Type type, NodeId a, bool negated = false);
    [[nodiscard]] NodeId binary(Op op, Type type, NodeId a, NodeId b);
    [[nodiscard]] NodeId with_arguments(Op op, Type type, std::span<const NodeId> arguments, bool negated = false,
                                        Function function = Function::abs);

    [[nodiscard]] Type type(NodeId id) const { return types_[id]; }
    [[nodiscard]] bool is_constant(NodeId id) const { return data_.program.nodes[id].op == Op::constant; }
    [[nodiscard]] const Value& constant_value(NodeId id) const { return data_.program.constants[data_.program.nodes[id].a]; }
    /// Does its value depend on what is in a table?
    [[nodiscard]] bool reads_table(NodeId id) const { return of_table_[id]; }
    /// The same for the same expression in any plan.
    [[nodiscard]] std::uint64_t fingerprint(NodeId id) const { return fingerprints_[id]; }

private:
    /// `apart`: what tells nodes of this plan apart beyond their identity.
    NodeId add(const Node& node, Type type, const std::string& identity, std::span<const NodeId> children, bool foldable,
               std::string_view apart = {});
    NodeId folded(NodeId id);

    PlanData& data_;
    std::unordered_map<std::string, NodeId> known_;
    std::unordered_map<std::string, std::uint32_t> slots_;  ///< by path_text
    // Of each node.
    std::vector<std::uint64_t> fingerprints_;
    std::vector<Type> types_;
    std::vector<bool> of_table_;
    Workspace workspace_;
};

/// A fingerprint of fingerprints and texts.
[[nodiscard]] std::uint64_t mix(std::initializer_list<std::uint64_t> parts);
[[nodiscard]] std::string path_text(const json::Path& path);

}  // namespace sluice::rules
