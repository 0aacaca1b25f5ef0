// New keys are taken, old ones removed when nobody needs them: on a real disk.
#include "gateway/key_watch.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"

namespace sluice::gateway {
namespace {

class KeyWatchTest : public testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-key-watch-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        data_ = pattern;
        key_files_ = std::make_unique<identity::KeyFiles>(files_, data_);
        desk_ = std::make_unique<KeyDesk>(*key_files_->open_or_create(entropy_));
        watch_ = std::make_unique<KeyWatch>(files_, data_, *desk_, [this](const identity::KeyRing& keys) {
            ++reseals_;
            if (!resealing_works_) return false;
            desk_->report(KeyHolder::rules, keys.newest(), {});
            return true;
        });
    }
    void TearDown() override { std::filesystem::remove_all(data_); }

    void report_all_but_rules(std::vector<HeldKey> spool) {
        const auto newest = desk_->keys()->newest();
        desk_->report(KeyHolder::spool, newest, std::move(spool));
        for (const KeyHolder each : {KeyHolder::journal, KeyHolder::state, KeyHolder::sessions}) desk_->report(each, newest, {});
    }
    [[nodiscard]] std::vector<identity::KeyNumber> on_disk() { return key_files_->numbers().value(); }

    posix::PosixFileSystem files_;
    posix::PosixEntropy entropy_;
    std::string data_;
    std::unique_ptr<identity::KeyFiles> key_files_;
    std::unique_ptr<KeyDesk> desk_;
    std::unique_ptr<KeyWatch> watch_;
    bool resealing_works_ = true;
    unsigned reseals_ = 0;
};

using Numbers = std::vector<identity::KeyNumber>;

TEST_F(KeyWatchTest, a_new_file_is_taken_and_the_old_one_goes_when_nobody_needs_it) {
    watch_->look();
    EXPECT_EQ(desk_->edition(), 1U) << "nothing is new";
    ASSERT_EQ(key_files_->add(entropy_).value(), 2U);
    watch_->look();
    EXPECT_EQ(desk_->keys()->newest(), 2U);
    EXPECT_EQ(on_disk(), (Numbers{1, 2}));
    report_all_but_rules({{1, 3, 100}});
    watch_->look();
    EXPECT_EQ(on_disk(), (Numbers{1, 2})) << "segments still need it";
    report_all_but_rules({{2, 3, 100}});
    watch_->look();
    EXPECT_EQ(on_disk(), Numbers{2});
    EXPECT_EQ(desk_->keys()->numbers(), Numbers{2});
}

TEST_F(KeyWatchTest, what_could_not_be_sealed_again_is_tried_again_and_keeps_the_old_key) {
    ASSERT_TRUE(key_files_->add(entropy_));
    resealing_works_ = false;
    watch_->look();
    report_all_but_rules({});
    watch_->look();
    EXPECT_EQ(on_disk(), (Numbers{1, 2}));
    EXPECT_EQ(reseals_, 2U);
    resealing_works_ = true;
    watch_->look();
    EXPECT_EQ(on_disk(), Numbers{2});
}

TEST_F(KeyWatchTest, a_file_that_is_no_key_is_not_taken_and_one_that_is_gone_is_not_forgotten) {
    std::ofstream(data_ + "/keys/master-2.key") << "short";
    std::filesystem::permissions(data_ + "/keys/master-2.key", std::filesystem::perms::owner_read);
    watch_->look();
    EXPECT_EQ(desk_->keys()->numbers(), Numbers{1});
    std::filesystem::remove(data_ + "/keys/master-2.key");
    ASSERT_TRUE(key_files_->add(entropy_));
    watch_->look();
    std::filesystem::remove(data_ + "/keys/master.key");
    ASSERT_TRUE(key_files_->add(entropy_));
    watch_->look();
    EXPECT_EQ(desk_->keys()->numbers(), (Numbers{1, 2, 3})) << "what is in memory goes on to open";
}

}  // namespace
}  // namespace sluice::gateway
