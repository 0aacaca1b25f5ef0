// The rows of a CSV file as messages to publish: topic, JSON payload, time.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "cli/topic_template.hpp"
#include "codec/csv/csv_reader.hpp"

namespace sluice::cli {

class RowSource {
public:
    struct Options {
        std::string file;
        std::string topic;        ///< may contain {column}
        std::string time_column;  ///< empty: found by its name
    };
    struct Row {
        std::string topic;
        base::Bytes payload;
        std::optional<base::WallTime> time;  ///< nothing: no time column, or a field that is no time
    };
    enum class Step : std::uint8_t { row, end, failed };

    /// Opens the file and reads its header and first row, so that everything that is wrong with the request shows before anything is sent.
    /// False: problem() has the words ("FILE:LINE: …").
    bool open(const Options& options);
    /// The next row. After `failed` problem() says why; rows before it were good.
    Step next(Row& row);

    [[nodiscard]] const std::string& problem() const { return problem_; }
    /// The column that paces, empty if none.
    [[nodiscard]] std::string time_column() const { return time_index_ ? reader_.columns()[*time_index_] : std::string(); }
    /// Rows whose time column held no time.
    [[nodiscard]] std::uint64_t untimed() const { return untimed_; }
    [[nodiscard]] std::uint64_t line() const { return reader_.line(); }

private:
    csv::Step advance();
    bool choose_time_column(const std::string& wanted);
    bool fail_at_line(const std::string& what);
    [[nodiscard]] std::string column_list() const;

    std::string file_;
    std::ifstream in_;
    csv::Reader reader_;
    std::optional<TopicTemplate> topic_;
    std::optional<std::size_t> time_index_;
    std::string problem_;
    std::uint64_t untimed_ = 0;
    csv::Step ahead_ = csv::Step::need_input;  // the first row is read by open()
    bool has_ahead_ = false;
};

}  // namespace sluice::cli
