#include "cli/unknown_command.hpp"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

class UnknownCommand : public testing::Test {
protected:
    UnknownCommand() {
        app_.name("sluice");
        app_.require_subcommand(1);
        auto* key = app_.add_subcommand("key", "");
        key->require_subcommand(1);
        key->add_subcommand("list", "");
        key->add_subcommand("rotate", "");
        app_.add_subcommand("tap", "");
    }
    std::string said(std::vector<const char*> words) { return unknown_command(app_, words).value_or(""); }
    CLI::App app_;
};

TEST_F(UnknownCommand, a_word_that_is_no_command_is_named_whatever_comes_behind_it) {
    EXPECT_EQ(said({"keys", "--help"}), "sluice: there is no command `keys`; did you mean `key`?");
    EXPECT_EQ(said({"nosuch", "-c", "x"}), "sluice: there is no command `nosuch`; known here: key, tap");
    EXPECT_EQ(said({"key", "lists"}), "sluice key: there is no command `lists`; did you mean `list`?");
}

TEST_F(UnknownCommand, commands_their_words_and_options_are_left_alone) {
    EXPECT_EQ(said({}), "");
    EXPECT_EQ(said({"--help", "nosuch"}), "");
    EXPECT_EQ(said({"key", "--help"}), "");
    EXPECT_EQ(said({"key", "list", "nosuch"}), "");
    EXPECT_EQ(said({"tap", "a/b"}), "");
}

}  // namespace
}  // namespace sluice::cli
