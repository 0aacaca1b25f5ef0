#include "cli/payload_query.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace sluice::cli {
namespace {

constexpr std::string_view kObject = "{\"value\":";

/// A text in single quotes, as SQL has it.
std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        out += c;
        if (c == '\'') out += c;
    }
    return out + "'";
}

}  // namespace

PayloadQuery::PayloadQuery(std::shared_ptr<const rules::Plan> plan, bool chooses_fields)
    : engine_(std::move(plan), {.payload_bytes_max = std::size_t{256} * 1024 * 1024}), chooses_fields_(chooses_fields) {}

std::unique_ptr<PayloadQuery> PayloadQuery::make(const Options& options, std::string& problem) {
    std::string sql = "SELECT ";
    const std::size_t fields_at = sql.size();
    sql += options.fields.empty() ? "TRUE AS fits" : options.fields;
    sql += " FROM ";
    std::vector<std::string> filters(options.filters.begin(), options.filters.end());
    std::sort(filters.begin(), filters.end());
    filters.erase(std::unique(filters.begin(), filters.end()), filters.end());
    for (const auto& filter : filters) sql += (&filter == &filters.front() ? "" : ", ") + quoted(filter);
    const std::size_t from_end = sql.size();
    const std::size_t where_at = from_end + std::string_view(" WHERE (").size();
    if (!options.where.empty()) sql += " WHERE (" + options.where + ")";

    const rules::RuleSpec spec{.id = "tap", .sql = sql, .columns_wanted = {}};
    const rules::Compiled compiled = rules::compile({&spec, 1});
    if (compiled.plan != nullptr) {
        return std::unique_ptr<PayloadQuery>(new PayloadQuery(compiled.plan, !options.fields.empty()));
    }
    for (const rules::SqlError& each : compiled.problems[0]) {
        if (each.severity == rules::Severity::warning) continue;
        const bool where = !options.where.empty() && (each.offset >= from_end || options.fields.empty());
        const std::string& text = where ? options.where : options.fields;
        const std::size_t begin = where ? where_at : fields_at;
        const std::size_t at = std::min(each.offset < begin ? 0 : each.offset - begin, text.size());
        problem = fmt::format("{} {}: at character {}: {}", where ? "--where" : "--fields", text, at + 1, each.message);
        break;
    }
    return nullptr;
}

std::optional<std::string_view> PayloadQuery::ask(std::string_view topic, std::string_view document, base::WallTime wall,
                                                  base::Monotonic now) {
    const bool object = document.starts_with('{');
    padded_.clear();
    if (!object) base::append(padded_, kObject);
    base::append(padded_, document);
    if (!object) padded_.push_back('}');
    const std::size_t size = padded_.size();
    padded_.resize(size + data::kReadablePadding);
    fits_ = false;
    row_.clear();
    engine_.process({.topic = topic, .payload = {padded_.data(), size}, .client = {}, .arrived = wall, .at = now}, rules::kAllPartitions,
                    *this);
    if (!fits_) return std::nullopt;
    return row_;
}

void PayloadQuery::emit(const rules::OutputRow& row) {
    fits_ = true;
    if (chooses_fields_) row_ = base::as_text(row.json);
}

}  // namespace sluice::cli
