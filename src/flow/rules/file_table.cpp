#include "flow/rules/file_table.hpp"

#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "codec/csv/csv_reader.hpp"
#include "codec/json/scanner.hpp"
#include "codec/json/walk.hpp"
#include "codec/json/writer.hpp"
#include "data/reading.hpp"
#include "flow/rules/key_table.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::rules {
namespace {

using json::Value;

constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;
/// What may be read behind a text: the inner loops over text read whole words.
constexpr std::size_t kPadding = 8;
constexpr std::size_t kSlotsMin = 16;
constexpr std::string_view kBlank = " \t\r\n";

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

std::string list(std::span<const std::string> names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

std::optional<TableForm> table_form(std::string_view path) {
    if (path.ends_with(".csv")) return TableForm::csv;
    if (path.ends_with(".json")) return TableForm::json;
    if (path.ends_with(".ndjson")) return TableForm::ndjson;
    return std::nullopt;
}

std::size_t FileTable::bytes() const {
    return values_.capacity() * sizeof(Value) + keys_.capacity() * sizeof(std::string_view) + slots_.size() * sizeof(Slot) + text_bytes_;
}

std::string_view FileTable::keep(std::string_view text) {
    const std::size_t needed = text.size() + kPadding;
    if (chunk_used_ + needed > chunk_size_) {
        chunk_size_ = std::max(kChunkBytes, needed);
        chunk_used_ = 0;
        text_bytes_ += chunk_size_;
        texts_.push_back(std::make_unique<char[]>(chunk_size_));
    }
    char* at = texts_.back().get() + chunk_used_;
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    chunk_used_ += text.size() + 1;
    return {at, text.size()};
}

std::optional<std::uint32_t> FileTable::row_of(std::string_view key) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint64_t hash = base::hash64(key);
    for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[at];
        if (slot.row == 0) return std::nullopt;
        if (slot.tag == tag_of(hash) && keys_[slot.row - 1] == key) return slot.row - 1;
    }
}

void FileTable::make_room() {
    if ((keys_.size() + 1) * 2 <= slots_.size()) return;
    std::vector<Slot> larger(std::max(kSlotsMin, slots_.size() * 2));
    for (std::uint32_t row = 0; row < keys_.size(); ++row) {
        const std::uint64_t hash = base::hash64(keys_[row]);
        std::size_t at = hash & (larger.size() - 1);
        while (larger[at].row != 0) at = (at + 1) & (larger.size() - 1);
        larger[at] = {.tag = tag_of(hash), .row = row + 1};
    }
    slots_.swap(larger);
}

const Value* FileTable::find(std::string_view key) const {
    const auto row = row_of(key);
    return row ? values_.data() + std::size_t{*row} * columns_.size() : nullptr;
}

/// Fills a table.
class TableReader {
public:
    TableReader(std::string text, std::span<const std::string> key, const TableLimits& limits, TableProblem& problem)
        : size_(text.size()), text_(std::move(text)), names_(key.begin(), key.end()), limits_(limits), problem_(problem) {
        text_.resize(size_ + data::kReadablePadding);
    }

    bool read_csv() {
        csv::Reader reader;
        reader.give(text());
        reader.finish();
        for (;;) {
            switch (reader.next()) {
                case csv::Step::header:
                    table_->columns_.assign(reader.columns().begin(), reader.columns().end());
                    if (!bind_key(reader.line())) return false;
                    break;
                case csv::Step::row:
                    if (!take_row(reader)) return false;
                    break;
                case csv::Step::failed:
                    return fail(reader.line(), 1, reader.problem());
                default:
                    return true;
            }
        }
    }

    bool read_json(TableForm form) {
        if (!(form == TableForm::json ? split_array() : split_lines())) return false;
        for (const Object& object : objects_) {
            if (!check(object)) return false;
        }
        if (names_.empty() && !table_->columns_.empty()) names_.push_back(table_->columns_.front());
        for (const std::string& name : names_) (void)column(name);  // of an empty array, too
        if (!bind_key(1)) return false;
        return std::all_of(objects_.begin(), objects_.end(), [this](const Object& object) { return take_object(object); });
    }

    [[nodiscard]] std::shared_ptr<const FileTable> take() { return std::move(table_); }

private:
    struct Object {
        std::string_view text;
        std::uint64_t line = 1;
        std::uint64_t column = 1;
    };

    [[nodiscard]] std::string_view text() const { return std::string_view(text_).substr(0, size_); }

    bool fail(std::uint64_t line, std::uint64_t column, std::string message) {
        problem_ = {.line = std::max<std::uint64_t>(line, 1), .column = column, .message = std::move(message)};
        return false;
    }

    bool bind_key(std::uint64_t line) {
        const auto& columns = table_->columns_;
        if (names_.empty() && !columns.empty()) names_.push_back(columns.front());
        for (const std::string& name : names_) {
            const auto at = std::find(columns.begin(), columns.end(), name);
            if (at == columns.end()) {
                const std::vector<std::string_view> known(columns.begin(), columns.end());
                const std::string hint = did_you_mean(name, known);
                return fail(line, 1, "there is no key column " + name + (hint.empty() ? ": the columns are " + list(columns) : hint));
            }
            table_->key_.push_back(static_cast<std::uint32_t>(at - columns.begin()));
        }
        return true;
    }

    bool take_row(const csv::Reader& reader) {
        row_.clear();
        for (const csv::Field& field : reader.row()) {
            switch (field.kind) {
                case csv::FieldKind::null:
                    row_.push_back(Value::null());
                    break;
                case csv::FieldKind::number:
                    digits_.clear();
                    csv::append_json_number(digits_, field.text);
                    row_.push_back(json::value_of(base::as_text(digits_)));
                    break;
                case csv::FieldKind::text:
                    row_.push_back(Value::text(table_->keep(field.text)));
                    break;
            }
        }
        return add_row(reader.line(), 1);
    }

    /// The objects of an array, by their braces; whether they are JSON is looked at one by one, so that a mistake has its place.
    bool split_array() {
        Place place(text());
        place.skip_blank();
        if (place.peek() != '[') return fail(place.line, place.column, "expected an array of objects: [{…}, {…}]");
        place.next();
        for (place.skip_blank(); place.peek() != ']'; place.skip_blank()) {
            if (!objects_.empty()) {
                if (place.peek() != ',') return fail(place.line, place.column, "expected ',' or ']' behind an object");
                place.next();
                place.skip_blank();
            }
            if (place.peek() != '{') return fail(place.line, place.column, "expected an object: a row of the table");
            Object object{.text = {}, .line = place.line, .column = place.column};
            const std::size_t start = place.at;
            if (!place.skip_object()) return fail(object.line, object.column, "this object has no end");
            object.text = text().substr(start, place.at - start);
            if (!take(object)) return false;
        }
        place.next();
        place.skip_blank();
        return place.at == size_ || fail(place.line, place.column, "expected the end of the file behind the array");
    }

    bool split_lines() {
        std::uint64_t line = 0;
        for (std::string_view rest = text(); !rest.empty();) {
            ++line;
            const std::size_t stop = rest.find('\n');
            std::string_view one = rest.substr(0, stop);
            rest.remove_prefix(stop == std::string_view::npos ? rest.size() : stop + 1);
            const std::size_t first = one.find_first_not_of(kBlank);
            if (first == std::string_view::npos) continue;
            one = one.substr(first, one.find_last_not_of(kBlank) + 1 - first);
            if (!take({.text = one, .line = line, .column = first + 1})) return false;
        }
        return true;
    }

    bool take(const Object& object) {
        if (objects_.size() == limits_.rows_max) return too_many(object.line, object.column);
        objects_.push_back(object);
        return true;
    }

    bool check(const Object& object) {
        const auto top = scanner_.scan(base::as_bytes(object.text), {}, {});
        if (!top || *top != json::Top::object) {
            return fail(object.line, object.column,
                        top || top.error().code == base::Errc::malformed ? "not a JSON object"
                        : top.error().code == base::Errc::too_deep       ? "nested deeper than 32 levels"
                                                                         : "an object of more than 1 MiB");
        }
        for (json::Walk walk(object.text); walk.next();) {
            (void)column(name_of(walk.key()));
            if (table_->columns_.size() > csv::kColumnsMax)
                return fail(object.line, object.column, "more than " + std::to_string(csv::kColumnsMax) + " columns");
        }
        return true;
    }

    std::size_t column(std::string_view name) {
        const auto& columns = table_->columns_;
        // Most objects have their keys in the same order.
        if (guess_ < columns.size() && columns[guess_] == name) return guess_++;
        const auto at = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
        if (at == columns.size()) table_->columns_.emplace_back(name);
        guess_ = at + 1;
        return at;
    }

    std::string_view name_of(std::string_view written) {
        if (!json::is_escaped(written)) return written;
        name_.resize(written.size());
        name_.resize(static_cast<std::size_t>(json::unescape(written, name_.data()) - name_.data()));
        return name_;
    }

    bool take_object(const Object& object) {
        row_.assign(table_->columns_.size(), Value());
        guess_ = 0;
        for (json::Walk walk(object.text); walk.next();) {
            const Value value = json::value_of(walk.item());
            if (value.is_beyond_range())
                return fail(object.line, object.column,
                            "the number " + std::string(walk.item().substr(0, 40)) + " is beyond the range of a 64-bit float");
            Value& kept = row_[column(name_of(walk.key()))];
            kept = value;
            if (value.kind() == json::Kind::raw) kept = Value::raw(table_->keep(value.as_view()));
            if (value.is_text()) kept = Value::text(table_->keep(name_of(value.as_view())));
        }
        return add_row(object.line, object.column);
    }

    bool add_row(std::uint64_t line, std::uint64_t column) {
        FileTable& table = *table_;
        components_.clear();
        for (const std::uint32_t at : table.key_) {
            const std::string name = table.columns_[at];
            if (row_[at].is_null()) return fail(line, column, "the key column " + name + " has no value here");
            if (row_[at].kind() == json::Kind::raw)
                return fail(line, column, "the key column " + name + " is an array or object here: expected text, a number or a boolean");
            components_.push_back(row_[at]);
        }
        if (table.rows() == limits_.rows_max) return too_many(line, column);
        const std::string_view key = encode_key(components_, scratch_);
        if (const auto first = table.row_of(key))
            return fail(line, column, "duplicate key " + key_text() + ": it stands in line " + std::to_string(lines_[*first]) + " already");
        table.make_room();
        table.keys_.push_back(table.keep(key));
        lines_.push_back(line);
        const std::uint64_t hash = base::hash64(key);
        std::size_t at = hash & (table.slots_.size() - 1);
        while (table.slots_[at].row != 0) at = (at + 1) & (table.slots_.size() - 1);
        table.slots_[at] = {.tag = tag_of(hash), .row = static_cast<std::uint32_t>(table.keys_.size())};
        table.values_.insert(table.values_.end(), row_.begin(), row_.end());
        if (table.bytes() <= limits_.bytes_max) return true;
        return fail(line, column,
                    "the table needs more than limits.table_bytes (" + std::to_string(limits_.bytes_max) + " bytes) of memory");
    }

    [[nodiscard]] std::string key_text() const {
        std::string text;
        for (const Value& value : components_) {
            if (!text.empty()) text += ", ";
            if (value.is_text()) {
                text += value.as_view();
                continue;
            }
            base::Bytes written;
            json::append_value(written, value);
            text += base::as_text(written);
        }
        return text;
    }

    bool too_many(std::uint64_t line, std::uint64_t column) {
        return fail(line, column, "more than limits.table_rows (" + std::to_string(limits_.rows_max) + ") rows");
    }

    /// A place in the text that knows its line.
    struct Place {
        explicit Place(std::string_view whole) : text(whole) {}
        [[nodiscard]] char peek() const { return at < text.size() ? text[at] : '\0'; }
        void next() {
            if (at == text.size()) return;
            column = text[at] == '\n' ? 1 : column + 1;
            if (text[at] == '\n') ++line;
            ++at;
        }
        void skip_blank() {
            while (at < text.size() && kBlank.find(text[at]) != std::string_view::npos) next();
        }
        bool skip_object() {
            int depth = 0;
            bool quoted = false;
            for (; at < text.size(); next()) {
                const char c = text[at];
                if (quoted) {
                    if (c == '\\')
                        next();
                    else
                        quoted = c != '"';
                    continue;
                }
                quoted = c == '"';
                depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
                if (depth > 0) continue;
                next();
                return true;
            }
            return false;
        }

        std::string_view text;
        std::size_t at = 0;
        std::uint64_t line = 1;
        std::uint64_t column = 1;
    };

    std::size_t size_;
    std::string text_;  ///< with what must be readable behind it
    std::vector<std::string> names_;
    const TableLimits& limits_;
    TableProblem& problem_;
    std::shared_ptr<FileTable> table_ = std::make_shared<FileTable>();
    std::vector<Object> objects_;
    std::vector<std::uint64_t> lines_;  ///< of each row
    std::vector<Value> row_;
    std::vector<Value> components_;
    base::Bytes scratch_;
    base::Bytes digits_;
    std::string name_;
    std::size_t guess_ = 0;
    json::Scanner scanner_;
};

std::shared_ptr<const FileTable> FileTable::read(std::string text, TableForm form, std::span<const std::string> key,
                                                 const TableLimits& limits, TableProblem& problem) {
    TableReader reader(std::move(text), key, limits, problem);
    if (!(form == TableForm::csv ? reader.read_csv() : reader.read_json(form))) return nullptr;
    return reader.take();
}

}  // namespace sluice::rules
