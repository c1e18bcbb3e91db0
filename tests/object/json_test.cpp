#include "kernel/object/json.h"

#include <gtest/gtest.h>

namespace keelson::object {
namespace {

std::string round_trip(std::string_view text) {
    Arena arena;
    auto value = parse_json(text, arena);
    return value ? to_json(*value) : "error: " + value.error().message();
}

TEST(Json, KeepsWhatItReads) {
    for (std::string_view text :
         {R"({"a":[1,-2.5,true,null,"x"],"b":{}})", "[]", "\"\"", "0", R"({"z":1,"a":2})", "1e+21", "1.5e-7"})
        EXPECT_EQ(round_trip(text), text);
}

TEST(Json, WordsErrorsAsGoDoes) {
    EXPECT_EQ(round_trip("{bad"), "error: invalid character 'b' looking for beginning of object key string");
    EXPECT_EQ(round_trip(""), "error: unexpected end of JSON input");
    EXPECT_EQ(round_trip("{\"a\":1"), "error: unexpected end of JSON input");
    EXPECT_EQ(round_trip("{\"a\" 1}"), "error: invalid character '1' after object key");
    EXPECT_EQ(round_trip("[1 2]"), "error: invalid character '2' after array element");
    EXPECT_EQ(round_trip("{} x"), "error: invalid character 'x' after top-level value");
    EXPECT_EQ(round_trip("tru "), "error: invalid character ' ' in literal true (expecting 'e')");
    EXPECT_EQ(round_trip("\"\n\""), "error: invalid character '\\n' in string literal");
    EXPECT_EQ(round_trip("\"\\q\""), "error: invalid character 'q' in string escape code");
}

TEST(Json, ReplacesInvalidUtf8AndLoneSurrogates) {
    EXPECT_EQ(round_trip("\"a\xff\""), "\"a\xef\xbf\xbd\"");
    EXPECT_EQ(round_trip(R"("\ud83d\ude00")"), "\"\xf0\x9f\x98\x80\"");
    EXPECT_EQ(round_trip(R"("\ud83dx")"), "\"\xef\xbf\xbdx\"");
}

TEST(Json, BoundsTheDepth) {
    EXPECT_EQ(round_trip(std::string(100000, '[')), "error: exceeded max depth");
}

TEST(Json, NamesDuplicateMembersWithTheirPaths) {
    Arena arena;
    std::vector<std::string> duplicates;
    auto value = parse_json(R"({"data":{"a":1,"a":2},"l":[{"x":1,"x":1}]})", arena, &duplicates);
    ASSERT_TRUE(value);
    EXPECT_EQ(duplicates, (std::vector<std::string>{"data.a", "l[0].x"}));
    EXPECT_EQ((*value)["data"]["a"].as_integer(), 2);
}

TEST(Json, FindsDuplicatesInLargeMaps) {
    std::string text = "{";
    for (int i = 0; i < 100; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
    text += "\"k7\":-1}";
    Arena arena;
    std::vector<std::string> duplicates;
    auto value = parse_json(text, arena, &duplicates);
    ASSERT_TRUE(value);
    EXPECT_EQ(duplicates, std::vector<std::string>{"k7"});
    EXPECT_EQ(value->size(), 100u);
    EXPECT_EQ((*value)["k7"].as_integer(), -1);
}

}  // namespace
}  // namespace keelson::object
