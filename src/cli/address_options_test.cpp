#include "cli/address_options.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

class Address : public testing::Test {
protected:
    Address() {
        char name[] = "/tmp/sluice-address-XXXXXX";
        folder = ::mkdtemp(name);
    }
    ~Address() override {
        ::unlink((folder + "/f").c_str());
        ::rmdir(folder.c_str());
    }
    Address(const Address&) = delete;
    Address& operator=(const Address&) = delete;
    std::string file(const std::string& text) {
        std::ofstream(folder + "/f", std::ios::trunc) << text;
        return folder + "/f";
    }
    std::string problem_of(AddressOptions options) {
        options.flag = "--at";
        problem.clear();
        const bool made = make_endpoint(options, endpoint, problem);
        EXPECT_EQ(made, problem.empty());
        return problem;
    }
    std::string folder;
    std::string problem;
    load::Endpoint endpoint;
};

TEST_F(Address, a_user_and_a_password_come_along) {
    EXPECT_EQ(problem_of({.flag = {}, .url = "mqtt://a", .user = "ana", .password_file = file("secret\r\nmore")}), "");
    EXPECT_EQ(endpoint.user, "ana");
    EXPECT_EQ(endpoint.password, "secret");
    EXPECT_EQ(endpoint.tls, nullptr);
    EXPECT_NE(problem_of({.flag = {}, .url = "mqtt://a", .password_file = file("secret")}).find("--user"), std::string::npos);
    EXPECT_TRUE(
        problem_of({.flag = {}, .url = "mqtt://a", .user = "ana", .password_file = "/nope"}).starts_with("--password-file /nope: "));
}

TEST_F(Address, tls_is_prepared_and_its_files_are_named_when_they_are_wrong) {
    EXPECT_EQ(problem_of({.flag = {}, .url = "mqtts://a", .insecure = true}), "");
    EXPECT_NE(endpoint.tls, nullptr);
    EXPECT_EQ(problem_of({.flag = {}, .url = "mqtts://a"}), "") << "whom the system trusts";
    EXPECT_TRUE(problem_of({.flag = {}, .url = "mqtts://a", .ca = "/nope"}).starts_with("--ca /nope: "));
    EXPECT_EQ(problem_of({.flag = {}, .url = "mqtts://a", .ca = file("x")}),
              "--ca " + folder + "/f: no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
    EXPECT_NE(problem_of({.flag = {}, .url = "mqtt://a", .ca = file("x")}).find("mqtts://"), std::string::npos);
}

TEST_F(Address, one_that_is_none_says_what_is_expected) {
    EXPECT_NE(problem_of({.flag = {}, .url = "tcp://127.0.0.1:99999"}).find("a port being 1 to 65535"), std::string::npos);
    EXPECT_NE(problem_of({.flag = {}, .url = "http://a"}).find("mqtts://HOST:PORT"), std::string::npos);
}

}  // namespace
}  // namespace sluice::cli
