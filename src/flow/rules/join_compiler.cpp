// JOIN of readings with reference tables: which row belongs to a reading, and its columns.
#include <algorithm>
#include <string_view>

#include "flow/rules/rule_compiler.hpp"

namespace sluice::rules {
namespace {

std::string key_text(const ReferenceTable& table) {
    std::string text;
    for (const std::uint32_t column : table.key()) text += (text.empty() ? "" : ", ") + table.columns()[column];
    return text;
}

bool has_column(const ReferenceTable& table, std::string_view name) {
    return std::find(table.columns().begin(), table.columns().end(), name) != table.columns().end();
}

/// Does ON compare a field of this name?
bool compares_field(const Expr& on, std::string_view name) {
    if (on.kind == Expr::Kind::column) return on.join == 0 && std::get<std::string>(on.path[0]) == name;
    return std::any_of(on.args.begin(), on.args.end(), [name](const ExprPtr& child) { return compares_field(*child, name); });
}

/// Of a JSON file without objects only the key is known.
bool may_have_more(const ReferenceTable& table) { return table.rows() == 0 && table.columns().size() == table.key().size(); }

bool is_column_of(const Expr& expr, std::uint32_t number) {
    return expr.kind == Expr::Kind::column && expr.join == number && expr.path.size() == 1;
}

}  // namespace

void RuleCompiler::compile_joins() {
    if (query_.joins.size() > limits_.joins_max)
        return problems_.error(query_.joins.back().offset, "more than " + std::to_string(limits_.joins_max) + " joins");
    for (std::uint32_t i = 0; i < query_.joins.size(); ++i) {
        const Join& join = query_.joins[i];
        joined_.push_back({.reference = find_reference(join), .lookup = std::nullopt});
        const auto reference = joined_.back().reference;
        if (!reference || join.on == nullptr) continue;
        const ReferenceTable& table = *plan_.data.references[*reference].table.table;
        std::vector<Compiled> key(table.key().size());
        joining_ = true;
        const bool good = compile_on(*join.on, i + 1, *reference, key);
        joining_ = false;
        if (!good) continue;
        std::vector<NodeId> nodes;
        for (std::size_t k = 0; k < key.size(); ++k) {
            if (key[k]) {
                nodes.push_back(*key[k]);
            } else {
                const std::string& name = table.columns()[table.key()[k]];
                problems_.error(join.offset, "ON lacks " + join.alias + "." + name + ": rows of " + join.table +
                                                 " are found by their key (" + key_text(table) + ")");
            }
        }
        if (nodes.size() != key.size()) continue;
        joined_.back().lookup = plan_.lookup(*reference, nodes);
        rule_.joins.push_back({.lookup = *joined_.back().lookup, .left = join.left});
    }
}

std::optional<std::uint32_t> RuleCompiler::find_reference(const Join& join) {
    std::vector<std::string_view> names;
    names.reserve(plan_.data.references.size());
    for (const ReferencePlan& known : plan_.data.references) names.emplace_back(known.table.name);
    const auto found = std::find(names.begin(), names.end(), join.table);
    if (found == names.end()) {
        const std::string hint = did_you_mean(join.table, names);
        problems_.error(join.offset, "there is no table " + join.table +
                                         (hint.empty() ? ": tables are files of the section `tables` (or of --table)" : hint));
        return std::nullopt;
    }
    const auto index = static_cast<std::uint32_t>(found - names.begin());
    if (plan_.data.references[index].table.table == nullptr) {
        problems_.error(join.offset, "the file of table " + join.table + " cannot be used");
        return std::nullopt;
    }
    return index;
}

/// Conditions joined with AND, each `m.key = expression` or the other way round.
bool RuleCompiler::compile_on(const Expr& on, std::uint32_t number, std::uint32_t reference, std::vector<Compiled>& key) {
    if (on.kind == Expr::Kind::binary && on.name == "and") {
        const bool left = compile_on(*on.args[0], number, reference, key);
        return compile_on(*on.args[1], number, reference, key) && left;
    }
    const Join& join = query_.joins[number - 1];
    const ReferenceTable& table = *plan_.data.references[reference].table.table;
    const auto fail = [&](const Expr& at) {
        problems_.error(at.offset, "ON finds a row of " + join.table + " by its key (" + key_text(table) + "): write " + join.alias + "." +
                                       table.columns()[table.key()[0]] +
                                       " = an expression over the reading, more with AND; other conditions belong to WHERE");
        return false;
    };
    if (on.kind != Expr::Kind::binary || on.name != "=") return fail(on);
    const bool turned = !is_column_of(*on.args[0], number);
    const Expr& column = *on.args[turned ? 1 : 0];
    const Expr& value = *on.args[turned ? 0 : 1];
    if (!is_column_of(column, number)) return fail(on);
    const std::string& name = std::get<std::string>(column.path[0]);
    const auto keys = table.key();
    const auto at = std::find_if(keys.begin(), keys.end(), [&](std::uint32_t each) { return table.columns()[each] == name; });
    if (at == keys.end()) {
        if (has_column(table, name)) return fail(column);
        joining_ = false;
        (void)compile_joined(column);  // says that there is none
        return false;
    }
    Compiled& its = key[static_cast<std::size_t>(at - keys.begin())];
    if (its) {
        problems_.error(column.offset, join.alias + "." + name + " is compared twice");
        return false;
    }
    its = compile(value, Place::key);
    return its.has_value();
}

RuleCompiler::Compiled RuleCompiler::compile_joined(const Expr& expr) {
    const Join& join = query_.joins[expr.join - 1];
    if (expr.join > joined_.size()) {
        problems_.error(expr.offset, join.alias + " is joined further behind: an ON sees the reading and the tables before it");
        return std::nullopt;
    }
    const Joined& its = joined_[expr.join - 1];
    if (!its.reference) return std::nullopt;
    const ReferenceTable& table = *plan_.data.references[*its.reference].table.table;
    const auto& name = std::get<std::string>(expr.path[0]);
    if (!has_column(table, name) && !may_have_more(table)) {
        const std::vector<std::string_view> known(table.columns().begin(), table.columns().end());
        problems_.error(expr.offset, "the table " + join.table + " has no column " + name + did_you_mean(name, known));
        return std::nullopt;
    }
    if (expr.path.size() > 1) {
        problems_.error(expr.offset, "a column of a table is one value: what is inside of it is read by json_value(" + join.alias + "." +
                                         name + ", '$.…')");
        return std::nullopt;
    }
    if (joining_ && expr.join == joined_.size())
        problems_.error(expr.offset,
                        "ON compares the key of " + join.alias + " with what is known before: this is of " + join.alias + " itself");
    if (!its.lookup) return std::nullopt;
    return plan_.joined(*its.lookup, name);
}

void RuleCompiler::require_matches() {
    for (auto join = rule_.joins.rbegin(); join != rule_.joins.rend(); ++join) {
        if (join->left) continue;
        const NodeId matched = plan_.matched(join->lookup);
        rule_.where = rule_.where ? program_.binary(Op::and_, Type::boolean, matched, *rule_.where) : matched;
    }
}

void RuleCompiler::warn_about_columns_of_tables(const Expr& expr) {
    if (expr.qualified || query_.joins.empty() || expr.path.size() != 1) return;
    const auto& name = std::get<std::string>(expr.path[0]);
    for (std::size_t i = 0; i < joined_.size(); ++i) {
        if (!joined_[i].reference || query_.joins[i].on == nullptr) continue;
        const ReferenceTable& table = *plan_.data.references[*joined_[i].reference].table.table;
        // ON m.device = device: who writes device means the field, which has the same value.
        if (!has_column(table, name) || compares_field(*query_.joins[i].on, name)) continue;
        std::string message = name + " without a name before it is a field of the reading; the table's column is ";
        problems_.warning(expr.offset, message.append(query_.joins[i].alias).append(".").append(name));
    }
}

}  // namespace sluice::rules
