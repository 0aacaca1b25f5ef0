// What env::FileSystem promises, checked on the machine's files and on the simulated disk.
#include "env/posix/file_system.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "sim/disk.hpp"

namespace {

using sluice::base::Bytes;
using sluice::base::ByteView;
using sluice::base::Errc;
using sluice::env::OpenMode;

/// A folder to work in, on the real disk, removed at the end.
class RealDisk {
public:
    RealDisk() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-contract-XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) root_ = pattern;
    }
    ~RealDisk() {
        std::error_code ignored;  // nothing to do about leftovers in the temporary folder
        std::filesystem::remove_all(root_, ignored);
    }
    RealDisk(const RealDisk&) = delete;
    RealDisk& operator=(const RealDisk&) = delete;
    sluice::env::FileSystem& files() { return files_; }
    const std::string& root() const { return root_; }

private:
    sluice::posix::PosixFileSystem files_;
    std::string root_;
};

class Simulated {
public:
    Simulated() { EXPECT_TRUE(disk_.make_directory(root_)); }
    sluice::env::FileSystem& files() { return disk_; }
    const std::string& root() const { return root_; }

private:
    sluice::sim::SimDisk disk_{1};
    std::string root_ = "/data";
};

template <class Disk>
class FileSystemContract : public ::testing::Test {
protected:
    sluice::env::FileSystem& files() { return disk_.files(); }
    std::string path(const std::string& name) { return disk_.root() + "/" + name; }
    std::unique_ptr<sluice::env::File> created(const std::string& name) {
        auto file = files().open(path(name), OpenMode::create_new);
        EXPECT_TRUE(file);
        return file ? std::move(*file) : nullptr;
    }
    static Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }
    static std::string read_all(sluice::env::File& file) {
        const auto size = file.size();
        EXPECT_TRUE(size);
        Bytes out(*size + 10);
        const auto got = file.read_at(0, out);
        EXPECT_TRUE(got);
        return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*got)};
    }
    Disk disk_;
};

using Disks = ::testing::Types<RealDisk, Simulated>;
TYPED_TEST_SUITE(FileSystemContract, Disks);

TYPED_TEST(FileSystemContract, WrittenBytesAreReadBackAndTheFileGrows) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(0, this->bytes("hello")));
    ASSERT_TRUE(file->write_at(3, this->bytes("p me")));
    EXPECT_EQ(this->read_all(*file), "help me");
    EXPECT_EQ(*file->size(), 7U);
}

TYPED_TEST(FileSystemContract, HolesReadAsZero) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(4, this->bytes("x")));
    EXPECT_EQ(this->read_all(*file), std::string("\0\0\0\0x", 5));
}

TYPED_TEST(FileSystemContract, ReadingPastTheEndGivesWhatIsThere) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(0, this->bytes("abc")));
    Bytes out(8);
    EXPECT_EQ(*file->read_at(1, out), 2U);
    EXPECT_EQ(*file->read_at(3, out), 0U);
    EXPECT_EQ(*file->read_at(100, out), 0U);
}

TYPED_TEST(FileSystemContract, ReservingChangesNothingThatIsRead) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(0, this->bytes("abc")));
    ASSERT_TRUE(file->reserve(4096));
    EXPECT_EQ(this->read_all(*file), "abc");
    EXPECT_EQ(*file->size(), 3U);
    ASSERT_TRUE(file->write_at(3, this->bytes("def")));
    EXPECT_TRUE(file->sync());
    EXPECT_EQ(this->read_all(*file), "abcdef");
}

TYPED_TEST(FileSystemContract, TruncateCutsAndExtendsWithZeros) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(0, this->bytes("abcdef")));
    ASSERT_TRUE(file->truncate(2));
    EXPECT_EQ(this->read_all(*file), "ab");
    ASSERT_TRUE(file->truncate(4));
    EXPECT_EQ(this->read_all(*file), std::string("ab\0\0", 4));
}

TYPED_TEST(FileSystemContract, CreateNewRefusesAnExistingFile) {
    this->created("a");
    const auto again = this->files().open(this->path("a"), OpenMode::create_new);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::exists);
}

TYPED_TEST(FileSystemContract, OpeningWhatIsMissingIsNotFound) {
    for (const OpenMode mode : {OpenMode::read, OpenMode::read_write}) {
        const auto file = this->files().open(this->path("missing"), mode);
        ASSERT_FALSE(file);
        EXPECT_EQ(file.error().code, Errc::not_found);
    }
    const auto nowhere = this->files().open(this->path("no/folder"), OpenMode::create_new);
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, AFileOpenedForReadingIsNotWritten) {
    ASSERT_TRUE(this->created("a")->write_at(0, this->bytes("abc")));
    auto file = this->files().open(this->path("a"), OpenMode::read);
    ASSERT_TRUE(file);
    EXPECT_FALSE((*file)->write_at(0, this->bytes("x")));
    EXPECT_EQ(this->read_all(**file), "abc");
}

TYPED_TEST(FileSystemContract, AFolderCannotBeOpenedAsAFile) {
    ASSERT_TRUE(this->files().make_directory(this->path("folder")));
    EXPECT_FALSE(this->files().open(this->path("folder"), OpenMode::read));
}

TYPED_TEST(FileSystemContract, RenameReplacesTheTarget) {
    ASSERT_TRUE(this->created("old")->write_at(0, this->bytes("old")));
    ASSERT_TRUE(this->created("new")->write_at(0, this->bytes("new")));
    ASSERT_TRUE(this->files().rename(this->path("new"), this->path("old")));
    auto file = this->files().open(this->path("old"), OpenMode::read);
    ASSERT_TRUE(file);
    EXPECT_EQ(this->read_all(**file), "new");
    EXPECT_EQ(this->files().open(this->path("new"), OpenMode::read).error().code, Errc::not_found);
    EXPECT_EQ(this->files().rename(this->path("new"), this->path("x")).error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, ARemovedFileIsGoneButStaysReadableForWhoHasItOpen) {
    auto file = this->created("a");
    ASSERT_TRUE(file->write_at(0, this->bytes("abc")));
    ASSERT_TRUE(this->files().remove(this->path("a")));
    EXPECT_EQ(this->read_all(*file), "abc");
    EXPECT_EQ(this->files().open(this->path("a"), OpenMode::read).error().code, Errc::not_found);
    EXPECT_EQ(this->files().remove(this->path("a")).error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, ListsNamesInOrder) {
    this->created("b");
    this->created("a");
    ASSERT_TRUE(this->files().make_directory(this->path("c/d")));
    ASSERT_TRUE(this->files().sync_directory(this->path("c")));
    const auto names = this->files().list(this->disk_.root());
    ASSERT_TRUE(names);
    EXPECT_EQ(*names, (std::vector<std::string>{"a", "b", "c"}));
    const auto inside = this->files().list(this->path("c"));
    ASSERT_TRUE(inside);
    EXPECT_EQ(*inside, std::vector<std::string>{"d"});
    EXPECT_EQ(this->files().list(this->path("missing")).error().code, Errc::not_found);
    EXPECT_EQ(this->files().sync_directory(this->path("missing")).error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, MakingAFolderTwiceIsFineAndOverAFileIsNot) {
    ASSERT_TRUE(this->files().make_directory(this->path("x/y/z")));
    ASSERT_TRUE(this->files().make_directory(this->path("x/y/z")));
    this->created("file");
    EXPECT_FALSE(this->files().make_directory(this->path("file")));
    EXPECT_EQ(*this->files().permissions(this->path("x/y")), 0700U);
}

TYPED_TEST(FileSystemContract, NewFilesAreForTheirOwnerOnly) {
    this->created("a");
    EXPECT_EQ(*this->files().permissions(this->path("a")), 0600U);
    EXPECT_EQ(this->files().permissions(this->path("missing")).error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, AStampChangesWithTheFile) {
    auto file = this->created("a");
    const auto empty = this->files().stamp(this->path("a"));
    ASSERT_TRUE(empty);
    EXPECT_EQ(*this->files().stamp(this->path("a")), *empty);
    ASSERT_TRUE(file->write_at(0, sluice::base::as_bytes("text")));
    const auto written = this->files().stamp(this->path("a"));
    ASSERT_TRUE(written);
    EXPECT_NE(*written, *empty);
    EXPECT_EQ(written->size, 4U);
    this->created("b");
    ASSERT_TRUE(this->files().rename(this->path("b"), this->path("a")));
    EXPECT_NE(*this->files().stamp(this->path("a")), *written);
    EXPECT_EQ(this->files().stamp(this->path("missing")).error().code, Errc::not_found);
}

TYPED_TEST(FileSystemContract, ALockIsHeldByOneAndEndsWithItsObject) {
    auto first = this->files().lock(this->path("lock"));
    ASSERT_TRUE(first);
    const auto second = this->files().lock(this->path("lock"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::in_use);
    first->reset();
    EXPECT_TRUE(this->files().lock(this->path("lock")));
}

}  // namespace
