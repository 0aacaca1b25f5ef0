#include "cli/key_listing.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "flow/spool/spool.hpp"
#include "gateway/named_keys.hpp"
#include "gateway/spool_sealer.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

KeyListing example() {
    KeyListing out;
    out.sessions_known = true;
    out.rows.push_back({.number = 1, .file = KeyFileState::good, .seals = false, .made_ms = 1'000'000, .needed = {}});
    out.rows[0].needed["spool"] = {1, 12, 12U << 20};
    out.rows[0].needed["sessions"] = {1, 812, 0};
    out.rows.push_back({.number = 2, .file = KeyFileState::missing});
    out.rows[1].needed["journal"] = {2, 1, 100};
    out.rows.push_back({.number = 3, .file = KeyFileState::good, .seals = true, .made_ms = 1'090'000, .needed = {}});
    return out;
}

TEST(KeyList, text_says_who_needs_which_key_and_which_is_missing) {
    EXPECT_EQ(key_list_text(example(), 1'100'000),
              "   key  state           age  needed by\n"
              "     1  opens         1m40s  sessions 812 rows, spool 12 files (12.0 MiB)\n"
              "     2  MISSING              journal 1 file (100 B)\n"
              "     3  seals           10s  nothing\n");
    KeyListing unknown = example();
    unknown.sessions_known = false;
    EXPECT_NE(key_list_text(unknown, 1'100'000).find("sessions: not known"), std::string::npos);
}

TEST(KeyList, a_file_that_is_not_the_key_is_named_with_what_it_is) {
    KeyListing listing;
    listing.sessions_known = true;
    for (const auto state : {KeyFileState::other, KeyFileState::no_key, KeyFileState::unreadable})
        listing.rows.push_back({.number = static_cast<identity::KeyNumber>(listing.rows.size() + 1), .file = state, .made_ms = 1'090'000});
    listing.rows.back().seals = true;
    EXPECT_FALSE(listing.good());
    const std::string text = key_list_text(listing, 1'100'000);
    for (const char* line : {"     1  OTHER FILE      10s  nothing\n", "     2  NO KEY          10s  nothing\n",
                             "     3  UNREADABLE      10s  nothing\n", "keys/master.key is a key, but not the one",
                             "keys/master-2.key is no key: expected exactly 32 bytes", "keys/master-3.key may be read by others"})
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    const std::string json = key_list_json(listing);
    for (const char* problem : {"\"problem\":\"other_file\"", "\"problem\":\"no_key\"", "\"problem\":\"unreadable\""})
        EXPECT_NE(json.find(problem), std::string::npos) << json;
}

TEST(KeyList, json_has_the_same) {
    EXPECT_EQ(
        key_list_json(example()),
        R"({"keys":[{"key":1,"file":"keys/master.key","present":true,"problem":null,"seals":false,"made_ms":1000000,"needed":)"
        R"({"sessions":{"items":812,"bytes":0},"spool":{"items":12,"bytes":12582912}}},)"
        R"({"key":2,"file":"keys/master-2.key","present":false,"problem":"missing","seals":false,"made_ms":0,"needed":{"journal":{"items":1,"bytes":100}}},)"
        R"({"key":3,"file":"keys/master-3.key","present":true,"problem":null,"seals":true,"made_ms":1090000,"needed":{}}],"sessions_known":true})");
}

/// A spool and the file of its key, on real files.
class KeyListFiles : public testing::Test {
public:
    KeyListFiles() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-keys-XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) top_ = pattern;
        config_.gateway.data.value = top_ + "/mine";
    }
    ~KeyListFiles() override {
        std::error_code ignored;  // nothing to do about leftovers in the temporary folder
        std::filesystem::remove_all(top_, ignored);
    }

protected:
    void make(const std::string& name) {
        const std::string data = top_ + "/" + name;
        std::filesystem::create_directories(data);
        const auto keys = identity::KeyFiles(files_, data).open_or_create(entropy_);
        ASSERT_TRUE(keys);
        gateway::SpoolSealer sealer(*keys);
        spool::Options options;
        options.directory = data + "/spool";
        options.bytes_max = spool::kSpoolBytesMin;
        options.classes = {{"sample", 2, {}}};
        auto spool = spool::Spool::open({files_, clock_, entropy_, sealer}, options);
        ASSERT_TRUE(spool);
        ASSERT_TRUE((*spool)->append({data::ClassIndex(0), "r", base::from_ms(1'700'000'000'123), base::as_bytes("{}")}));
        ASSERT_TRUE((*spool)->commit());
    }
    KeyFileState state() {
        const auto listing = list_keys(files_, config_);
        EXPECT_TRUE(listing && listing->rows.size() == 1 && listing->sessions_known);
        return listing->rows.at(0).file;
    }

    posix::PosixFileSystem files_;
    posix::PosixClock clock_;
    posix::PosixEntropy entropy_;
    std::string top_;
    config::GatewayConfig config_;
};

TEST_F(KeyListFiles, a_key_is_compared_with_what_names_it) {
    make("mine");
    make("other");
    EXPECT_EQ(state(), KeyFileState::good);
    const std::string key = top_ + "/mine/keys/master.key";
    std::filesystem::rename(key, top_ + "/away");
    EXPECT_EQ(state(), KeyFileState::missing);
    EXPECT_EQ(gateway::greatest_named_key(files_, top_ + "/mine"), 1U);
    EXPECT_EQ(gateway::greatest_named_key(files_, top_ + "/nowhere"), 0U);
    std::filesystem::copy_file(top_ + "/other/keys/master.key", key);
    EXPECT_EQ(state(), KeyFileState::other);
}

TEST_F(KeyListFiles, a_segment_of_another_spool_does_not_make_the_right_key_wrong) {
    make("mine");
    make("other");
    for (const auto& each : std::filesystem::directory_iterator(top_ + "/other/spool"))
        if (each.path().extension() == ".seg")
            std::filesystem::copy_file(each.path(), top_ + "/mine/spool/00-00000000000000ff.seg",
                                       std::filesystem::copy_options::skip_existing);
    ASSERT_TRUE(std::filesystem::exists(top_ + "/mine/spool/00-00000000000000ff.seg"));
    EXPECT_EQ(state(), KeyFileState::good);
}

}  // namespace
}  // namespace sluice::cli
