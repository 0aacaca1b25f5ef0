// Changes of rules are on disk and in force together, or not at all.
#include "gateway/rule_book.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/rule_checker.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

using Status = RuleOutcome::Status;
using Kind = RuleOrder::Kind;

/// The real files, of which the call with a certain number fails.
class FailingFiles final : public env::FileSystem {
public:
    int fail_at = -1;
    int calls = 0;

    base::Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override {
        if (fails()) return base::Error{base::Errc::disk_full};
        auto file = real_.open(path, mode);
        if (!file) return file.error();
        return std::unique_ptr<env::File>(std::make_unique<Failing>(*this, std::move(*file)));
    }
    base::Status rename(const std::string& from, const std::string& to) override { return fails() ? full() : real_.rename(from, to); }
    base::Status remove(const std::string& path) override { return fails() ? full() : real_.remove(path); }
    base::Status make_directory(const std::string& path) override { return real_.make_directory(path); }
    base::Status sync_directory(const std::string& path) override { return fails() ? full() : real_.sync_directory(path); }
    base::Result<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
    base::Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override { return real_.lock(path); }
    base::Result<unsigned> permissions(const std::string& path) override { return real_.permissions(path); }
    base::Result<env::FileStamp> stamp(const std::string& path) override { return real_.stamp(path); }

private:
    class Failing final : public env::File {
    public:
        Failing(FailingFiles& files, std::unique_ptr<env::File> file) : files_(files), file_(std::move(file)) {}
        base::Status write_at(std::uint64_t offset, base::ByteView bytes) override {
            return files_.fails() ? full() : file_->write_at(offset, bytes);
        }
        base::Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) override { return file_->read_at(offset, out); }
        base::Status sync() override { return files_.fails() ? full() : file_->sync(); }
        base::Status reserve(std::uint64_t size) override { return file_->reserve(size); }
        base::Status truncate(std::uint64_t size) override { return file_->truncate(size); }
        [[nodiscard]] base::Result<std::uint64_t> size() const override { return file_->size(); }

    private:
        FailingFiles& files_;
        std::unique_ptr<env::File> file_;
    };
    static base::Status full() { return base::Error{base::Errc::disk_full}; }
    bool fails() { return calls++ == fail_at; }
    posix::PosixFileSystem real_;
};

class RuleBookTest : public testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-rules-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        data_ = pattern;
        std::filesystem::create_directory(data_ + "/state");
        take(
            "- {id: hot, sql: \"SELECT v FROM 's/+' WHERE v > 80\", to: [{topic: alerts}]}\n"
            "- {id: all, sql: \"SELECT v FROM 's/+'\", to: [{cloud: sample}]}\n");
        start();
    }
    void TearDown() override {
        book_.reset();
        std::filesystem::remove_all(data_);
    }

    [[nodiscard]] static config::GatewayConfig read(const std::string& rules) {
        posix::PosixFileSystem files;
        RuleChecker checker(files);
        auto loaded = config::read_gateway("gateway: {id: x}\nrules:\n" + rules, "g.yaml", nullptr, &checker);
        EXPECT_EQ(loaded.text(), "");
        return loaded.config;
    }
    void take(const std::string& rules) { config_ = read(rules); }
    /// As after a restart.
    void start() {
        identity::Secret secret;
        book_.emplace(config_, rules::Catalog{});
        (void)book_->open(
            std::make_unique<RuleOverlayStore>(files_, entropy_, identity::KeyRing(identity::MasterKey(secret)), data_, bytes_max_));
    }
    RuleOutcome change(Kind kind, const std::string& id, const std::string& body = {}) {
        return book_->change({.kind = kind, .id = id, .body = body}, [this](const auto& rules) {
            if (!quiet_) return false;
            forced_ = rules;
            return true;
        });
    }
    RuleOutcome put(const std::string& id, const std::string& sql) {
        return change(Kind::put, id, R"({"sql": ")" + sql + R"(", "to": [{"topic": "t"}]})");
    }
    /// "hot:running all:paused(api)"
    [[nodiscard]] std::string shown() const {
        static constexpr const char* kNames[] = {"running", "paused", "removed", "unusable"};
        std::string out;
        for (const auto& row : book_->list("").rows) {
            out += (out.empty() ? "" : " ") + row.id + ":" + kNames[static_cast<int>(row.state)] + (row.from_api ? "(api)" : "");
            EXPECT_EQ(row.place.has_value(), row.state == RuleRow::State::running || row.state == RuleRow::State::paused);
        }
        return out;
    }

    std::string data_;
    FailingFiles files_;
    posix::PosixEntropy entropy_;
    config::GatewayConfig config_;
    std::optional<RuleBook> book_;
    std::size_t bytes_max_ = RuleOverlay::kBytesMax;
    bool quiet_ = true;
    std::shared_ptr<const Ruleset> forced_;
};

TEST_F(RuleBookTest, changes_are_in_force_and_survive_a_restart) {
    EXPECT_EQ(put("new", "SELECT v FROM 'n'").status, Status::created);
    EXPECT_EQ(put("hot", "SELECT v FROM 's/+' WHERE v > 90").status, Status::done);
    EXPECT_EQ(change(Kind::pause, "new").status, Status::done);
    EXPECT_EQ(change(Kind::remove, "all").status, Status::done);
    const std::string wanted = "hot:running(api) all:removed new:paused(api)";
    EXPECT_EQ(shown(), wanted);
    EXPECT_EQ(forced_, book_->ruleset());
    EXPECT_EQ(forced_->plan->rules().size(), 2U);
    EXPECT_EQ(book_->find("hot")->rows[0].file->sql, "SELECT v FROM 's/+' WHERE v > 80");
    start();
    EXPECT_EQ(shown(), wanted);
    EXPECT_EQ(change(Kind::resume, "new").status, Status::done);
    EXPECT_EQ(change(Kind::revert, "hot").status, Status::done);
    EXPECT_EQ(change(Kind::revert, "all").status, Status::done);
    EXPECT_EQ(change(Kind::remove, "new").status, Status::done);
    start();
    EXPECT_EQ(shown(), "hot:running all:running");
}

TEST_F(RuleBookTest, what_is_not_there_cannot_be_changed) {
    for (const Kind kind : {Kind::remove, Kind::revert, Kind::pause, Kind::resume})
        EXPECT_EQ(change(kind, "nosuch").status, Status::unknown);
    EXPECT_EQ(change(Kind::remove, "hot").status, Status::done);
    for (const Kind kind : {Kind::remove, Kind::pause, Kind::resume}) EXPECT_EQ(change(kind, "hot").status, Status::unknown);
    EXPECT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::created);
    EXPECT_EQ(shown(), "hot:running(api) all:running");
}

TEST_F(RuleBookTest, mistakes_are_told_with_their_places_and_change_nothing) {
    const auto wrong = put("new", "SELECT a,\\n nosuch(v) FROM 'n'");
    EXPECT_EQ(wrong.status, Status::wrong);
    ASSERT_EQ(wrong.problems.size(), 1U);
    EXPECT_EQ(wrong.problems[0].problem.key, "sql");
    EXPECT_EQ(*wrong.problems[0].in_sql, (config::Position{2, 2}));
    EXPECT_EQ(wrong.problems[0].problem.at, (config::Position{1, 22})) << "where it stands in the body";
    for (const char* body :
         {"", "[", "[1]", "{}", "{\"sql\": 1}", "{\"sql\": \"SELECT 1 FROM 'a'\", \"to\": [{\"cloud\": \"nosuch\"}]}",
          "{\"sql\": \"SELECT v FROM 'a'\", \"to\": [{\"topic\": \"t/{w}\"}]}", "{\"sql\": \"SELECT v FROM 'a'\", \"to\": [], \"more\": 1}",
          "{\"id\": \"other\", \"sql\": \"SELECT v FROM 'a'\", \"to\": [{\"topic\": \"t\"}]}"}) {
        const auto outcome = change(Kind::put, "new", body);
        EXPECT_EQ(outcome.status, Status::wrong) << body;
        EXPECT_FALSE(outcome.problems.empty()) << body;
    }
    EXPECT_EQ(change(Kind::put, "no/name", R"({"sql": "SELECT v FROM 'a'", "to": [{"topic": "t"}]})").status, Status::wrong);
    EXPECT_EQ(shown(), "hot:running all:running");
    EXPECT_EQ(files_.calls, 1) << "only what there was at the start was looked for";
}

TEST_F(RuleBookTest, a_body_may_be_yaml_and_json_may_escape) {
    EXPECT_EQ(change(Kind::put, "y", "sql: |\n  SELECT v\n  FROM 'y'\nto: [{topic: t}]\n").status, Status::created);
    EXPECT_EQ(change(Kind::put, "j", "{\t\"sql\":\n\t\"SELECT '\\ud83d\\ude00\\u00e9\\/' AS x FROM 'y'\",\n\t\"to\": [{\"topic\": \"t\"}]}")
                  .status,
              Status::created);
    EXPECT_EQ(book_->find("j")->rows[0].text.sql, "SELECT '\xF0\x9F\x98\x80\xC3\xA9/' AS x FROM 'y'");
}

TEST_F(RuleBookTest, whatever_storage_call_fails_nothing_changes_and_the_next_one_works) {
    ASSERT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::done);
    for (int call = 0;; ++call) {
        files_.calls = 0;
        files_.fail_at = call;
        const auto outcome = put("hot", "SELECT w FROM 'x'");
        files_.fail_at = -1;
        if (outcome.status == Status::done && files_.calls <= call) break;
        if (outcome.status == Status::done) {  // removing an old draft may fail
            ASSERT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::done);
            continue;
        }
        EXPECT_EQ(outcome.status, Status::storage) << call;
        EXPECT_EQ(book_->find("hot")->rows[0].text.sql, "SELECT v FROM 'x'") << call;
        start();
        EXPECT_EQ(book_->find("hot")->rows[0].text.sql, "SELECT v FROM 'x'") << "after a restart, call " << call;
        ASSERT_LT(call, 100);
    }
    EXPECT_EQ(book_->find("hot")->rows[0].text.sql, "SELECT w FROM 'x'");
}

TEST_F(RuleBookTest, shards_that_do_not_come_to_rest_leave_everything_as_it_was) {
    quiet_ = false;
    EXPECT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::busy);
    EXPECT_EQ(shown(), "hot:running all:running");
    start();
    EXPECT_EQ(shown(), "hot:running all:running");
}

TEST_F(RuleBookTest, a_file_that_says_something_new_about_a_rule_has_the_last_word) {
    ASSERT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::done);
    ASSERT_EQ(change(Kind::remove, "all").status, Status::done);
    const auto force = [](const auto&) { return true; };
    EXPECT_EQ(book_->take_file(read("- {id: hot, sql: \"SELECT v FROM 's/+' WHERE v > 80\", to: [{topic: alerts}]}\n"
                                    "- {id: all, sql: \"SELECT w FROM 's/+'\", to: [{cloud: sample}]}\n"),
                               {}, force),
              Status::done);
    EXPECT_EQ(shown(), "hot:running(api) all:running");
    start();
    EXPECT_EQ(shown(), "hot:running(api) all:running") << "given up for good";
    EXPECT_EQ(book_->take_file(read("- {id: other, sql: \"SELECT v FROM 's/+'\", to: [{topic: alerts}]}\n"), {},
                               [](const auto&) { return false; }),
              Status::busy);
    EXPECT_EQ(shown(), "hot:running(api) all:running") << "not in force, not taken";
}

TEST_F(RuleBookTest, what_cannot_be_used_any_more_is_shown_and_the_file_counts) {
    take("- {id: hot, sql: \"SELECT v FROM 's/+'\", to: [{topic: alerts}]}\nuplink: {classes: {mine: {priority: 3, ttl: 1d}}}\n");
    start();
    const std::string to_mine = R"({"sql": "SELECT v FROM 'x'", "to": [{"cloud": "mine"}]})";
    ASSERT_EQ(change(Kind::put, "hot", to_mine).status, Status::done);
    ASSERT_EQ(change(Kind::put, "new", to_mine).status, Status::created);
    take("- {id: hot, sql: \"SELECT v FROM 's/+'\", to: [{topic: alerts}]}\n");
    start();
    EXPECT_EQ(shown(), "hot:running new:unusable(api)");
    EXPECT_NE(book_->find("hot")->rows[0].problems.at(0).find("`mine` is not declared"), std::string::npos);
    EXPECT_EQ(put("new", "SELECT v FROM 'x'").status, Status::done);
    EXPECT_EQ(shown(), "hot:running new:running(api)");
}

TEST_F(RuleBookTest, a_damaged_file_is_put_aside_and_the_rules_of_the_configuration_run) {
    ASSERT_EQ(put("hot", "SELECT v FROM 'secret/topic'").status, Status::done);
    const std::string path = RuleOverlayStore::path_in(data_);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes.find("secret"), std::string::npos) << "nothing readable at rest";
    file.clear();
    file.seekp(20);
    file.put(static_cast<char>(bytes[20] ^ 1));
    file.close();
    start();
    EXPECT_EQ(shown(), "hot:running all:running");
    EXPECT_TRUE(std::filesystem::exists(path + ".unreadable"));
    EXPECT_EQ(put("hot", "SELECT v FROM 'x'").status, Status::done);
}

TEST_F(RuleBookTest, too_many_changes_are_refused) {
    bytes_max_ = 64 * 1024;
    start();
    const std::string sql = "SELECT v FROM 'n' WHERE t <> '" + std::string(6'000, 'x') + "'";
    Status last = Status::created;
    int count = 0;
    for (; last == Status::created && count < 100; ++count) last = put("r" + std::to_string(count), sql).status;
    EXPECT_EQ(last, Status::too_large);
    EXPECT_GE(count, 10);
    EXPECT_EQ(change(Kind::remove, "r0").status, Status::done);
    EXPECT_EQ(put("one-more", sql).status, Status::created);
}

}  // namespace
}  // namespace sluice::gateway
