// `sluice spool` over a spool on real files.
#include "cli/spool_command.hpp"

#include <filesystem>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/spool_sealer.hpp"
#include "manage/identity/master_key.hpp"

namespace sluice::cli {
namespace {

class Lines final : public SpoolCatOutput {
public:
    void line(std::string_view text) override { lines.emplace_back(text); }
    std::vector<std::string> lines;
};

class SpoolCommand : public ::testing::Test {
protected:
    SpoolCommand() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-spool-XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) data_ = pattern;
        key_ = std::make_unique<identity::MasterKey>(*identity::MasterKey::load_or_create(files_, entropy_, data_));
        sealer_ = std::make_unique<gateway::SpoolSealer>(*key_);
    }
    ~SpoolCommand() override {
        std::error_code ignored;  // nothing to do about leftovers in the temporary folder
        std::filesystem::remove_all(data_, ignored);
    }
    base::Result<std::unique_ptr<spool::Spool>> open(bool read_only) {
        spool::Options options;
        options.directory = data_ + "/spool";
        options.bytes_max = spool::kSpoolBytesMin;
        options.read_only = read_only;
        options.classes = {{"sample", 2, {}}, {"alert", 0, {}}};
        return spool::Spool::open({files_, clock_, entropy_, *sealer_}, options);
    }
    void append(spool::Spool& spool, std::uint8_t event_class, std::string_view json) {
        EXPECT_TRUE(spool.append({data::ClassIndex(event_class), "rule-\"1", base::from_ms(1'700'000'000'123), base::as_bytes(json)}));
    }

    posix::PosixFileSystem files_;
    posix::PosixClock clock_;
    posix::PosixEntropy entropy_;
    std::string data_;
    std::unique_ptr<identity::MasterKey> key_;
    std::unique_ptr<gateway::SpoolSealer> sealer_;
};

TEST_F(SpoolCommand, CatPrintsTheMostImportantClassFirstWhileTheGatewayRuns) {
    auto running = open(false);
    ASSERT_TRUE(running);
    append(**running, 0, "{\"s\":1}");
    append(**running, 1, "{\"a\":1}");
    append(**running, 1, "{\"a\":2}");
    ASSERT_TRUE((*running)->commit());
    auto view = open(true);
    ASSERT_TRUE(view);
    Lines text;
    ASSERT_TRUE(spool_cat(**view, {}, text));
    EXPECT_EQ(text.lines, (std::vector<std::string>{"alert 1 2023-11-14T22:13:20.123Z rule-\"1 {\"a\":1}",
                                                    "alert 2 2023-11-14T22:13:20.123Z rule-\"1 {\"a\":2}",
                                                    "sample 1 2023-11-14T22:13:20.123Z rule-\"1 {\"s\":1}"}));
    Lines json;
    ASSERT_TRUE(spool_cat(**view, {.only_class = "alert", .limit = 1, .json = true}, json));
    EXPECT_EQ(json.lines, (std::vector<std::string>{R"({"class":"alert","seq":1,"ts":1700000000123,"rule":"rule-\"1","data":{"a":1}})"}));
    EXPECT_EQ(spool_cat(**view, {.only_class = "nope"}, json).error().code, base::Errc::not_found);
}

TEST_F(SpoolCommand, StatAddsUpAfterARestart) {
    {
        auto running = open(false);
        ASSERT_TRUE(running);
        for (int i = 0; i < 3; ++i) append(**running, 1, "{}");
        ASSERT_TRUE((*running)->commit());
        (*running)->acknowledge(data::ClassIndex(1), data::Sequence(1));
        (*running)->count_dropped(data::ClassIndex(0), base::DropReason::queue_full, 2);
        ASSERT_TRUE((*running)->close());
    }
    auto again = open(false);
    ASSERT_TRUE(again);
    const auto stats = (*again)->stats();
    const std::string json = spool_stat_json(stats, (*again)->epoch());
    EXPECT_NE(json.find(R"("alert":{"created":3,"delivered":1,"waiting":2,"dropped":{})"), std::string::npos) << json;
    EXPECT_NE(json.find(R"("sample":{"created":2,"delivered":0,"waiting":0,"dropped":{"queue_full":2})"), std::string::npos) << json;
    const std::string text = spool_stat_text(stats, (*again)->epoch());
    EXPECT_NE(text.find("queue_full 2"), std::string::npos) << text;
    EXPECT_EQ(open(false).error().code, base::Errc::in_use);
}

}  // namespace
}  // namespace sluice::cli
