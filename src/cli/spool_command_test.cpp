// `sluice spool` over a spool on real files.
#include "cli/spool_command.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "cli/spool_export.hpp"
#include "cli/spool_verify.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/spool_sealer.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

class Lines final : public SpoolCatOutput {
public:
    void line(std::string_view text) override { lines.emplace_back(text); }
    std::vector<std::string> lines;
};

class Exported final : public LineOutput {
public:
    base::Status line(std::string_view text) override {
        if (lines.size() == fail_at) return base::Error{base::Errc::disk_full};
        lines.emplace_back(text);
        if (on_line) on_line();
        return {};
    }
    std::vector<std::string> lines;
    std::size_t fail_at = SIZE_MAX;
    std::function<void()> on_line;
};

class SpoolCommand : public ::testing::Test {
public:
    SpoolCommand() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-spool-XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) data_ = pattern;
        sealer_ = std::make_unique<gateway::SpoolSealer>(*identity::KeyFiles(files_, data_).open_or_create(entropy_));
    }
    ~SpoolCommand() override {
        std::error_code ignored;  // nothing to do about leftovers in the temporary folder
        std::filesystem::remove_all(data_, ignored);
    }

protected:
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

TEST(SpoolStat, columns_stand_below_each_other_whatever_classes_are_called) {
    spool::Stats stats;
    for (const char* name : {"alert", "aggregate@historian-of-the-second-plant"}) {
        auto& row = stats.classes.emplace_back();
        row.name = name;
        row.created = 7;
    }
    const std::string text = spool_stat_text(stats, data::Epoch(1));
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) lines.push_back(text.substr(at, text.find('\n', at) - at));
    ASSERT_EQ(lines.size(), 4U);
    const std::size_t end = lines[0].find("created") + std::string("created").size();
    for (std::size_t row : {1U, 2U}) EXPECT_EQ(lines[row].substr(end - 2, 3), " 7 ") << text;
}

TEST_F(SpoolCommand, ExportWritesAllThatWaitsWithItsGapsAndSaysThatItIsComplete) {
    auto running = open(false);
    ASSERT_TRUE(running);
    append(**running, 0, "{\"s\":1}");
    for (int i = 1; i <= 3; ++i) append(**running, 1, "{\"a\":" + std::to_string(i) + "}");
    ASSERT_TRUE((*running)->commit());
    (*running)->acknowledge(data::ClassIndex(1), data::Sequence(1));
    ASSERT_TRUE((*running)->close());
    const std::string epoch = std::to_string((*running)->epoch().value());
    const OpenSpool view = [&] { return open(true); };
    Exported out;
    const auto all = spool_export(view, {}, out);
    ASSERT_TRUE(all);
    EXPECT_TRUE(all->complete());
    const auto event = [&](const char* name, int seq, const char* data) {
        return R"({"class":")" + std::string(name) + R"(","epoch":)" + epoch + R"(,"seq":)" + std::to_string(seq) +
               R"(,"rule":"rule-\"1","ts":1700000000123,"data":)" + data + "}";
    };
    EXPECT_EQ(out.lines, (std::vector<std::string>{
                             event("alert", 2, R"({"a":2})"), event("alert", 3, R"({"a":3})"), event("sample", 1, R"({"s":1})"),
                             R"({"complete":true,"epoch":)" + epoch + R"(,"events":3,"gone":0,"settled":0,"damaged":0,"unread":0})"}));
    Exported later;
    ASSERT_TRUE(spool_export(view, {.only_class = "alert", .after = 2}, later));
    ASSERT_EQ(later.lines.size(), 2U);
    EXPECT_EQ(later.lines[0], event("alert", 3, R"({"a":3})"));
    Exported none;
    EXPECT_EQ(spool_export(view, {.only_class = "nope"}, none).error().code, base::Errc::not_found);
    Exported full;
    full.fail_at = 1;
    EXPECT_EQ(spool_export(view, {}, full).error().code, base::Errc::disk_full);
    EXPECT_EQ(full.lines.size(), 1U);
}

TEST_F(SpoolCommand, ExportGoesOnBehindWhatIsDeliveredMeanwhileAndTellsIt) {
    auto running = open(false);
    ASSERT_TRUE(running);
    const std::string json = "\"" + std::string(1000, 'x') + "\"";
    for (int i = 0; i < 300; ++i) {
        append(**running, 1, json);
        ASSERT_TRUE((*running)->commit());
    }
    Exported out;
    out.on_line = [&] {
        if (out.lines.size() != 20) return;
        (*running)->acknowledge(data::ClassIndex(1), data::Sequence(250));
        ASSERT_TRUE((*running)->maintain());
    };
    const auto done = spool_export([&] { return open(true); }, {}, out);
    ASSERT_TRUE(done);
    EXPECT_TRUE(done->complete());
    EXPECT_GT(done->settled, 100U);
    EXPECT_EQ(done->events + done->settled, 300U);
    EXPECT_EQ(done->gone, 0U);
    EXPECT_NE(out.lines[out.lines.size() - 2].find("\"seq\":300,"), std::string::npos);
}

TEST_F(SpoolCommand, DamageMakesAnExportIncompleteAndVerifySaysWhere) {
    std::string file;
    {
        auto running = open(false);
        ASSERT_TRUE(running);
        for (int i = 0; i < 3; ++i) {
            append(**running, 1, "{}");
            ASSERT_TRUE((*running)->commit());
        }
        ASSERT_TRUE((*running)->close());
    }
    for (const auto& entry : std::filesystem::directory_iterator(data_ + "/spool"))
        if (entry.path().extension() == ".seg") file = entry.path();
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    constexpr int kInTheFirstBlock = 80 + 40;
    bytes.seekg(kInTheFirstBlock);
    const int was = bytes.get();
    bytes.seekp(kInTheFirstBlock);
    bytes.put(static_cast<char>(was ^ 1));
    bytes.close();

    Exported out;
    const auto done = spool_export([&] { return open(true); }, {}, out);
    ASSERT_TRUE(done);
    EXPECT_FALSE(done->complete());
    EXPECT_EQ(done->events, 2U);
    EXPECT_EQ(done->damaged, 1U);
    EXPECT_NE(out.lines.front().find(R"("first":1,"last":1,"gone":"corrupt"})"), std::string::npos);
    EXPECT_NE(out.lines.back().find(R"({"complete":false)"), std::string::npos);

    class Findings final : public spool::VerifyObserver {
    public:
        void on_problem(const spool::Problem& problem) override { problems.push_back(problem); }
        void on_progress(std::uint64_t, std::uint64_t) override {}
        bool wait() override { return false; }
        std::vector<spool::Problem> problems;
    };
    Findings findings;
    const auto verified = spool::verify(files_, *sealer_, data_ + "/spool", findings);
    ASSERT_TRUE(verified);
    ASSERT_EQ(findings.problems.size(), 1U);
    const std::string name = std::filesystem::path(file).filename();
    EXPECT_EQ(problem_text(findings.problems[0]),
              name + ":80: block: the block is not authentic (alert 1); 1 events that wait for the cloud are lost");
    EXPECT_EQ(problem_json(findings.problems[0]),
              R"({"file":")" + name + R"(","offset":80,"problem":"block","class":"alert","first":1,"last":1,"events_lost":1,)" +
                  R"("text":"the block is not authentic; 1 events that wait for the cloud are lost"})");
    EXPECT_EQ(verify_text(*verified).rfind("DAMAGED: 1 problems, 1 waiting events lost; 1 segments, 2 blocks, 2 events, ", 0), 0U);
}

TEST_F(SpoolCommand, AnExportedFileIsThereWholeOrNotAtAll) {
    const std::string path = data_ + "/out.ndjson";
    {
        auto out = FileLines::create(files_, path);
        ASSERT_TRUE(out);
        ASSERT_TRUE((*out)->line("half"));
    }
    EXPECT_TRUE(std::filesystem::is_empty(data_) || !std::filesystem::exists(path));
    for (const auto& entry : std::filesystem::directory_iterator(data_))
        EXPECT_EQ(entry.path().filename().string().rfind("out.", 0), std::string::npos);
    auto out = FileLines::create(files_, path);
    ASSERT_TRUE(out);
    const std::string long_line(200'000, 'y');
    ASSERT_TRUE((*out)->line(long_line));
    ASSERT_TRUE((*out)->line("end"));
    EXPECT_FALSE(std::filesystem::exists(path));
    ASSERT_TRUE((*out)->finish());
    std::ifstream written(path);
    const std::string content((std::istreambuf_iterator<char>(written)), std::istreambuf_iterator<char>());
    EXPECT_EQ(content, long_line + "\nend\n");
    EXPECT_EQ(*files_.permissions(path), 0600U);
    EXPECT_EQ(FileLines::create(files_, data_ + "/nowhere/x").error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace sluice::cli
