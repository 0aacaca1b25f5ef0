#include "cli/row_source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/row_time.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;

}  // namespace

bool RowSource::open(const Options& options) {
    file_ = options.file;
    topic_ = TopicTemplate::parse(options.topic, problem_);
    if (!topic_) {
        problem_ = fmt::format("--topic '{}': {}", options.topic, problem_);
        return false;
    }
    std::error_code ignored;  // a file that is not there fails below, with words
    if (std::filesystem::is_directory(file_, ignored)) {
        problem_ = fmt::format("{}: is a folder; expected a CSV file", file_);
        return false;
    }
    errno = 0;
    in_.open(file_, std::ios::binary);
    if (!in_) {
        problem_ = fmt::format("{}: {}", file_, base::describe(base::from_errno(errno)));
        return false;
    }
    if (advance() != csv::Step::header) return fail_at_line(reader_.problem());
    if (const auto missing = topic_->bind(reader_.columns())) {
        problem_ = fmt::format("--topic: {} has no column \"{}\"; it has {}", file_, *missing, column_list());
        return false;
    }
    if (!options.time_column.empty()) {
        const auto& columns = reader_.columns();
        const auto at = std::find(columns.begin(), columns.end(), options.time_column);
        if (at == columns.end()) {
            problem_ = fmt::format("--time-column: {} has no column \"{}\"; it has {}", file_, options.time_column, column_list());
            return false;
        }
    }
    ahead_ = advance();
    has_ahead_ = true;
    if (ahead_ == csv::Step::failed) return fail_at_line(reader_.problem());
    return ahead_ == csv::Step::end || choose_time_column(options.time_column);
}

/// With the first row at hand: a column that was asked for must hold a time there; one found by its name may turn out not to be one.
bool RowSource::choose_time_column(const std::string& wanted) {
    const auto& columns = reader_.columns();
    if (wanted.empty()) {
        time_index_ = find_time_column(columns);
        if (time_index_ && !parse_time(reader_.row()[*time_index_].text)) time_index_.reset();
        return true;
    }
    time_index_ = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), wanted) - columns.begin());
    const auto value = reader_.row()[*time_index_].text;
    if (parse_time(value)) return true;
    return fail_at_line(fmt::format("column \"{}\": '{}' is no time; expected 2014-01-31 10:15:00 or a number since 1970", wanted, value));
}

csv::Step RowSource::advance() {
    for (;;) {
        const auto step = reader_.next();
        if (step != csv::Step::need_input) return step;
        std::array<char, kPieceBytes> piece;
        in_.read(piece.data(), piece.size());
        const auto size = static_cast<std::size_t>(in_.gcount());
        if (size != 0)
            reader_.give({piece.data(), size});
        else
            reader_.finish();
    }
}

bool RowSource::fail_at_line(const std::string& what) {
    problem_ = fmt::format("{}:{}: {}", file_, reader_.line(), what);
    return false;
}

std::string RowSource::column_list() const {
    std::string list;
    for (const auto& column : reader_.columns()) list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", column);
    return list;
}

RowSource::Step RowSource::next(Row& row) {
    const auto step = has_ahead_ ? ahead_ : advance();
    has_ahead_ = false;
    if (step == csv::Step::end) {
        if (!in_.bad()) return Step::end;
        fail_at_line("reading the file failed");
        return Step::failed;
    }
    if (step == csv::Step::failed) {
        fail_at_line(reader_.problem());
        return Step::failed;
    }
    std::string why;
    if (!topic_->make(reader_.row(), row.topic, why)) {
        fail_at_line(why);
        return Step::failed;
    }
    row.payload.clear();
    reader_.append_json(row.payload);
    row.time.reset();
    if (time_index_) {
        row.time = parse_time(reader_.row()[*time_index_].text);
        untimed_ += row.time ? 0U : 1U;
    }
    return Step::row;
}

}  // namespace sluice::cli
