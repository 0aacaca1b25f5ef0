#include "base/error.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(Error, every_row_of_the_table_stands_at_the_place_of_its_code) {
    for (std::size_t i = 0; i < kErrors.size(); ++i) EXPECT_EQ(static_cast<std::size_t>(kErrors[i].code), i) << kErrors[i].name;
    EXPECT_EQ(kErrors.back().code, Errc::internal) << "the last code has no row";
}

TEST(Error, a_full_disk_is_told_from_other_io_errors) {
    EXPECT_EQ(from_errno(ENOSPC).code, Errc::disk_full);
    EXPECT_EQ(from_errno(EIO).code, Errc::io);
    EXPECT_EQ(from_errno(EROFS).code, Errc::permission);
}

TEST(Error, a_result_takes_an_error_or_a_value) {
    const auto half = [](int x) -> Result<int> {
        if (x % 2 != 0) return Error{Errc::invalid};
        return x / 2;
    };
    EXPECT_EQ(half(4).value(), 2);
    EXPECT_EQ(half(3).error().code, Errc::invalid);
}

}  // namespace
}  // namespace sluice::base
