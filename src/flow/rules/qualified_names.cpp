#include "flow/rules/qualified_names.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace sluice::rules {
namespace {

class Resolver {
public:
    Resolver(Query& query, Problems& problems) : query_(query), problems_(problems) {}

    void run() {
        std::vector<std::string_view> names;
        if (!query_.stream.empty()) names.emplace_back(query_.stream);
        for (const Join& join : query_.joins) {
            const bool twice =
                std::any_of(names.begin(), names.end(), [&join](std::string_view known) { return same_word(known, join.alias); });
            if (twice) problems_.error(join.offset, "two of them are called " + join.alias + ": give one another name with AS");
            names.emplace_back(join.alias);
        }
        if (names.empty()) return;
        for (SelectItem& item : query_.items) visit(item.expr);
        visit(query_.where);
        for (ExprPtr& expr : query_.group_by) visit(expr);
        visit(query_.having);
        if (query_.event_time) visit(query_.event_time->timestamp);
        for (Join& join : query_.joins) visit(join.on);
    }

private:
    void visit(ExprPtr& expr) {
        if (expr == nullptr) return;
        if (expr->kind == Expr::Kind::column) resolve(*expr);
        for (ExprPtr& child : expr->args) visit(child);
        if (expr->over == nullptr) return;
        for (ExprPtr& child : expr->over->partition) visit(child);
    }

    void resolve(Expr& column) {
        if (column.path.size() < 2 || !std::holds_alternative<std::string>(column.path[1])) return;
        const std::string name = std::get<std::string>(column.path[0]);
        const auto of =
            std::find_if(query_.joins.begin(), query_.joins.end(), [&](const Join& join) { return same_word(join.alias, name); });
        if (of != query_.joins.end()) column.join = static_cast<std::uint32_t>(of - query_.joins.begin()) + 1;
        if (column.join == 0 && (query_.stream.empty() || !same_word(query_.stream, name))) return look_alike(column, name);
        column.path.erase(column.path.begin());
        column.qualified = true;
    }

    /// A field of the reading with fields of its own, unless it was meant for something else.
    void look_alike(const Expr& column, const std::string& name) {
        for (const Join& join : query_.joins) {
            if (same_word(join.table, name))
                return problems_.error(column.offset, "the table " + join.table + " is called " + join.alias + " here");
        }
        std::vector<std::string_view> names;
        if (!query_.stream.empty()) names.emplace_back(query_.stream);
        for (const Join& join : query_.joins) names.emplace_back(join.alias);
        if (const std::string hint = did_you_mean(name, names); !hint.empty())
            problems_.warning(column.offset, name + " is a field of the reading here" + hint);
    }

    Query& query_;
    Problems& problems_;
};

}  // namespace

void resolve_names(Query& query, Problems& problems) { Resolver(query, problems).run(); }

}  // namespace sluice::rules
