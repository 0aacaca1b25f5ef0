// A new user's first minutes: what init writes is what check calls good, and nothing is ever overwritten.
#include "cli/init.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/check.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"

namespace sluice::cli {
namespace {

class Init : public ::testing::Test {
protected:
    Init() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice-init-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    ~Init() override { std::filesystem::remove_all(folder_); }

    static std::string contents(const std::string& path) {
        std::stringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
    static unsigned mode(const std::string& path) {
        struct stat state {};
        return ::stat(path.c_str(), &state) == 0 ? state.st_mode & 0777U : 0U;
    }

    std::string folder_;
    posix::PosixFileSystem files_;
    posix::PosixEntropy entropy_;
};

TEST_F(Init, a_gateway_is_good_as_written_and_its_keys_are_private) {
    const std::string plant = folder_ + "/plant-9";
    const InitOutput made = initialise(files_, entropy_, {.cloud = false, .folder = plant + "/", .id = ""});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_NE(made.out.find("sluice gateway -c " + plant + "/gateway.yaml"), std::string::npos) << made.out;
    EXPECT_NE(contents(plant + "/gateway.yaml").find("id: plant-9\n"), std::string::npos) << "the folder's name";
    EXPECT_EQ(contents(plant + "/keys/uplink.token").size(), 65U);
    EXPECT_EQ(mode(plant + "/keys/uplink.token"), 0600U);
    EXPECT_EQ(std::filesystem::file_size(plant + "/var/keys/master.key"), 32U);
    EXPECT_EQ(mode(plant + "/var/keys/master.key"), 0600U);
    EXPECT_EQ(mode(plant + "/var"), 0700U);
    const CheckOutput checked = check_configuration(files_, plant + "/gateway.yaml", false);
    EXPECT_EQ(checked.err, "");
    EXPECT_EQ(checked.out, plant + "/gateway.yaml: good: gateway plant-9, 2 rules\n");
}

TEST_F(Init, a_cloud_is_good_as_written) {
    const InitOutput made = initialise(files_, entropy_, {.cloud = true, .folder = folder_ + "/hq 1", .id = ""});
    EXPECT_EQ(made.code, 0) << made.err;
    const CheckOutput checked = check_configuration(files_, folder_ + "/hq 1/cloud.yaml", false);
    EXPECT_EQ(checked.err, "");
    EXPECT_EQ(checked.out, folder_ + "/hq 1/cloud.yaml: good: cloud hq\n") << "a folder's name that cannot be an id is not taken";
}

TEST_F(Init, nothing_is_overwritten) {
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = false, .folder = folder_, .id = "first"}).code, 0);
    const std::string before = contents(folder_ + "/gateway.yaml");
    const std::string token = contents(folder_ + "/keys/uplink.token");
    const InitOutput again = initialise(files_, entropy_, {.cloud = false, .folder = folder_, .id = "second"});
    EXPECT_EQ(again.code, 2);
    EXPECT_EQ(again.err,
              "sluice init: " + folder_ + "/gateway.yaml exists already and is left as it is: choose another folder, or remove it first\n");
    EXPECT_EQ(contents(folder_ + "/gateway.yaml"), before);
    EXPECT_EQ(contents(folder_ + "/keys/uplink.token"), token);
}

TEST_F(Init, keys_of_an_interrupted_attempt_are_kept) {
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = false, .folder = folder_, .id = "x"}).code, 0);
    const std::string token = contents(folder_ + "/keys/uplink.token");
    std::filesystem::remove(folder_ + "/gateway.yaml");
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = false, .folder = folder_, .id = "x"}).code, 0);
    EXPECT_EQ(contents(folder_ + "/keys/uplink.token"), token);
}

TEST_F(Init, both_tiers_fit_in_one_folder) {
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = false, .folder = folder_, .id = "x"}).code, 0);
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = true, .folder = folder_, .id = "y"}).code, 0);
}

TEST_F(Init, a_wrong_id_and_a_folder_that_cannot_be_made_are_refused) {
    EXPECT_EQ(initialise(files_, entropy_, {.cloud = false, .folder = folder_ + "/x", .id = "a b"}).code, 2);
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/x"));
    std::ofstream(folder_ + "/file") << "x";
    const InitOutput made = initialise(files_, entropy_, {.cloud = false, .folder = folder_ + "/file/x", .id = "x"});
    EXPECT_EQ(made.code, 1);
    EXPECT_NE(made.err, "");
}

TEST(Examples, are_good_as_they_stand) {
    posix::PosixFileSystem files;
    for (const std::string name : {"gateway.yaml", "cloud.yaml", "bridge.yaml"}) {
        const CheckOutput checked = check_configuration(files, SLUICE_SOURCE_DIR "/examples/" + name, false);
        EXPECT_EQ(checked.err, "");
        EXPECT_EQ(checked.code, 0);
    }
}

TEST(Check, prints_problems_to_the_standard_error_and_exits_2) {
    posix::PosixFileSystem files;
    const CheckOutput text = check_configuration(files, "/nonexistent/x.yaml", false);
    EXPECT_EQ(text.err, "/nonexistent/x.yaml:1:1: error: there is no such file; `sluice init` writes one to start from\n");
    EXPECT_EQ(text.out, "");
    EXPECT_EQ(text.code, 2);
    const CheckOutput json = check_configuration(files, "/nonexistent/x.yaml", true);
    EXPECT_EQ(json.err, "");
    EXPECT_EQ(json.code, 2);
    EXPECT_TRUE(
        json.out.starts_with(R"({"tier":"unknown","valid":false,"runnable":false,"problems":[{"file":"/nonexistent/x.yaml","line":1,)"))
        << json.out;
}

}  // namespace
}  // namespace sluice::cli
