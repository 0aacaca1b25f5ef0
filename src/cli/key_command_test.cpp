#include "cli/key_command.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

KeyListing example() {
    KeyListing out;
    out.sessions_known = true;
    out.rows.push_back({.number = 1, .present = true, .seals = false, .made_ms = 1'000'000, .needed = {}});
    out.rows[0].needed["spool"] = {1, 12, 12U << 20};
    out.rows[0].needed["sessions"] = {1, 812, 0};
    out.rows.push_back({.number = 2, .present = false});
    out.rows[1].needed["journal"] = {2, 1, 100};
    out.rows.push_back({.number = 3, .present = true, .seals = true, .made_ms = 1'090'000, .needed = {}});
    return out;
}

TEST(KeyList, text_says_who_needs_which_key_and_which_is_missing) {
    EXPECT_EQ(key_list_text(example(), 1'100'000),
              "   key  state         age  needed by\n"
              "     1  opens       1m40s  sessions 812 rows, spool 12 files (12.0 MiB)\n"
              "     2  MISSING            journal 1 files (100 B)\n"
              "     3  seals         10s  nothing\n");
    KeyListing unknown = example();
    unknown.sessions_known = false;
    EXPECT_NE(key_list_text(unknown, 1'100'000).find("sessions: not known"), std::string::npos);
}

TEST(KeyList, json_has_the_same) {
    EXPECT_EQ(
        key_list_json(example()),
        R"({"keys":[{"key":1,"file":"keys/master.key","present":true,"seals":false,"made_ms":1000000,"needed":)"
        R"({"sessions":{"items":812,"bytes":0},"spool":{"items":12,"bytes":12582912}}},)"
        R"({"key":2,"file":"keys/master-2.key","present":false,"seals":false,"made_ms":0,"needed":{"journal":{"items":1,"bytes":100}}},)"
        R"({"key":3,"file":"keys/master-3.key","present":true,"seals":true,"made_ms":1090000,"needed":{}}],"sessions_known":true})");
}

}  // namespace
}  // namespace sluice::cli
