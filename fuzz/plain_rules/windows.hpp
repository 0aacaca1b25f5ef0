// Which readings each window has, from all readings.
#pragma once

#include <cstdint>
#include <vector>

#include "interpreter.hpp"

namespace sluice::rules::plain {

class Windows {
public:
    Windows(const Interpreter& interpreter, const Query& query) : interpreter_(interpreter), query_(query) {}
    /// In the order in which they go out. Once.
    [[nodiscard]] std::vector<Group> all();
    /// Readings that all() found too late for every window.
    [[nodiscard]] std::uint64_t late() const { return late_; }

private:
    struct Timed {
        std::size_t row;
        std::int64_t at;
        std::int64_t watermark;  ///< with this reading
        bool taken;              ///< by WHERE
    };
    [[nodiscard]] std::vector<Timed> timed() const;
    [[nodiscard]] std::vector<Group> counted(std::int64_t length, std::int64_t hop) const;
    [[nodiscard]] std::vector<Group> hopping(std::int64_t length, std::int64_t hop);
    [[nodiscard]] std::vector<Group> sliding(std::int64_t length);
    [[nodiscard]] std::vector<Group> sessions(std::int64_t longest, std::int64_t gap);
    [[nodiscard]] std::vector<Datum> key(std::size_t row) const;

    const Interpreter& interpreter_;
    const Query& query_;
    std::uint64_t late_ = 0;
};

}  // namespace sluice::rules::plain
