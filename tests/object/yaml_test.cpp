#include "kernel/object/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// YAML as JSON, or "error: ..."
std::string json_of(std::string_view yaml, std::vector<std::string>* duplicates = nullptr) {
    Arena arena;
    auto value = parse_yaml(yaml, arena, duplicates);
    return value ? to_json(*value) : "error: " + value.error().message();
}

std::string yaml_of(std::string_view json) {
    Arena arena;
    std::string out;
    write_yaml(*parse_json(json, arena), out);
    return out;
}

TEST(Yaml, ResolvesPlainScalarsAsYaml11) {
    for (std::string_view word : {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
        EXPECT_EQ(json_of(word), "true") << word;
    for (std::string_view word : {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
        EXPECT_EQ(json_of(word), "false") << word;
    for (std::string_view word : {"~", "null", "Null", "NULL"}) EXPECT_EQ(json_of(word), "null") << word;
    EXPECT_EQ(json_of("a:"), R"({"a":null})");
    for (std::string_view word : {"yEs", "tRue", "oN", "nULL", "nil", "none"})
        EXPECT_EQ(json_of(word), "\"" + std::string(word) + "\"");
}

TEST(Yaml, ResolvesNumbers) {
    EXPECT_EQ(json_of("12"), "12");
    EXPECT_EQ(json_of("-12"), "-12");
    EXPECT_EQ(json_of("+12"), "12");
    EXPECT_EQ(json_of("1_000"), "1000");
    EXPECT_EQ(json_of("0755"), "493");
    EXPECT_EQ(json_of("0o755"), "493");
    EXPECT_EQ(json_of("0x1F"), "31");
    EXPECT_EQ(json_of("-0x1f"), "-31");
    EXPECT_EQ(json_of("0b101"), "5");
    EXPECT_EQ(json_of("0"), "0");
    EXPECT_EQ(json_of("089"), "89") << "no octal number, so a decimal one with a point that is not written";
    EXPECT_EQ(json_of("1.5"), "1.5");
    EXPECT_EQ(json_of(".5"), "0.5");
    EXPECT_EQ(json_of("1e3"), "1000");
    EXPECT_EQ(json_of("-9223372036854775808"), "-9223372036854775808");
    EXPECT_EQ(json_of("9223372036854775807"), "9223372036854775807");
}

TEST(Yaml, LeavesOtherTextsAlone) {
    for (std::string_view text : {"2026-01-02", "2026-01-02T03:04:05Z", "10:30", "1.2.3", "1e", "0x", "12abc",
                                  "10.0.0.0/8", "+", "a_1", "_1", "100m"})
        EXPECT_EQ(json_of(text), "\"" + std::string(text) + "\"");
}

TEST(Yaml, QuotedScalarsAreStrings) {
    EXPECT_EQ(json_of("['yes', \"12\", '~', \"\", 'it''s', \"a\\tb\\u00e4\"]"),
              R"(["yes","12","~","","it's","a\tb)"
              "\xc3\xa4\"]");
    EXPECT_EQ(json_of("!!str 12"), "\"12\"");
    EXPECT_EQ(json_of("a: |\n  12\n"), R"({"a":"12\n"})");
    EXPECT_EQ(json_of("a: >-\n  b\n  c\n"), R"({"a":"b c"})");
}

TEST(Yaml, KeysAreStrings) {
    EXPECT_EQ(json_of("1: a\ntrue: b\n1.5: c\nx: d"), R"({"1":"a","true":"b","1.5":"c","x":"d"})");
    EXPECT_THAT(json_of("? [a]\n: b"), HasSubstr("error: "));
}

TEST(Yaml, NamesDuplicateKeysWithTheirLines) {
    std::vector<std::string> duplicates;
    EXPECT_EQ(json_of("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", &duplicates), R"({"a":3,"b":{"c":2}})");
    EXPECT_THAT(duplicates, ElementsAre(HasSubstr("line 4: key \"c\" already set in map"),
                                        HasSubstr("line 5: key \"a\" already set in map")));
}

TEST(Yaml, ReadsTheFirstDocumentOnly) {
    EXPECT_EQ(json_of("---\na: 1\n---\nb: 2\n"), R"({"a":1})");
    EXPECT_EQ(json_of(""), "null");
    EXPECT_EQ(json_of("# nothing\n"), "null");
}

TEST(Yaml, JsonIsYaml) {
    EXPECT_EQ(json_of(R"({"a":[1,"b",null,{"c":true}]})"), R"({"a":[1,"b",null,{"c":true}]})");
    EXPECT_EQ(json_of("{a: 1, b: [x, z]}"), R"({"a":1,"b":["x","z"]})");
}

TEST(Yaml, ExpandsAliasesAndMerges) {
    EXPECT_EQ(json_of("a: &x {b: 1}\nc: *x\n"), R"({"a":{"b":1},"c":{"b":1}})");
    EXPECT_EQ(json_of("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n"),
              R"({"a":{"b":1,"c":2},"d":{"b":1,"c":3}})");
    EXPECT_THAT(json_of("a: *nobody"), HasSubstr("error: "));
}

TEST(Yaml, RefusesAliasBombs) {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int level = 1; level < 12; ++level) {
        std::string below = "*a" + std::to_string(level - 1);
        bomb += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [";
        for (int i = 0; i < 10; ++i) bomb += (i ? "," : "") + below;
        bomb += "]\n";
    }
    EXPECT_THAT(json_of(bomb), HasSubstr("excessive aliasing"));
    EXPECT_THAT(json_of("a: &a [*a, *a]"), HasSubstr("error: "));
}

TEST(Yaml, BoundsTheDepth) {
    EXPECT_THAT(json_of(std::string(100'000, '[')), HasSubstr("error: "));
    EXPECT_THAT(json_of(std::string(100'000, '{')), HasSubstr("error: "));
    std::string blocks;
    for (int depth = 0; depth < 2000; ++depth) blocks += "- ";
    EXPECT_THAT(json_of(blocks + "x"), HasSubstr("error: "));
    std::string nested;
    for (int depth = 0; depth < 2000; ++depth)
        nested += std::string(static_cast<std::size_t>(depth), ' ') + "a:\n";
    EXPECT_THAT(json_of(nested), HasSubstr("error: "));
}

TEST(Yaml, ErrorsNameTheLine) {
    EXPECT_THAT(json_of("a: 1\nb: [1\nc: 2"), HasSubstr("error: yaml: line "));
    EXPECT_THAT(json_of("a: 'x"), HasSubstr("error: yaml: line 1"));
}

TEST(Yaml, WritesBlocksWithSortedKeys) {
    EXPECT_EQ(yaml_of(R"({"b":1,"a":{"y":[1,{"q":2,"p":[3]}],"x":null},"l":[],"m":{},"n":[[1,2],[]]})"),
              "a:\n"
              "  x: null\n"
              "  \"y\":\n"
              "  - 1\n"
              "  - p:\n"
              "    - 3\n"
              "    q: 2\n"
              "b: 1\n"
              "l: []\n"
              "m: {}\n"
              "\"n\":\n"
              "- - 1\n"
              "  - 2\n"
              "- []\n");
    EXPECT_EQ(yaml_of("[1,2]"), "- 1\n- 2\n");
    EXPECT_EQ(yaml_of("{}"), "{}\n");
    EXPECT_EQ(yaml_of("true"), "true\n");
}

TEST(Yaml, QuotesWhatWouldReadAsSomethingElse) {
    EXPECT_EQ(yaml_of(R"({"a":"true"})"), "a: \"true\"\n");
    EXPECT_EQ(yaml_of(R"({"a":"12"})"), "a: \"12\"\n");
    EXPECT_EQ(yaml_of(R"({"a":""})"), "a: \"\"\n");
    EXPECT_EQ(yaml_of(R"({"a":"~"})"), "a: \"~\"\n");
    EXPECT_EQ(yaml_of(R"({"a":"2026-01-02"})"), "a: \"2026-01-02\"\n");
    EXPECT_EQ(yaml_of(R"({"a":"b: c"})"), "a: 'b: c'\n");
    EXPECT_EQ(yaml_of(R"({"a":"# b"})"), "a: '# b'\n");
    EXPECT_EQ(yaml_of(R"({"a":"it's"})"), "a: it's\n");
    EXPECT_EQ(yaml_of(R"({"a":"plain text/with:colon"})"), "a: plain text/with:colon\n");
    EXPECT_EQ(yaml_of(R"({"a":"one\ntwo\n"})"), "a: |\n  one\n  two\n");
    EXPECT_EQ(yaml_of(R"({"a":"one\ntwo"})"), "a: |-\n  one\n  two\n");
}

TEST(Yaml, ReadsBackWhatItWrites) {
    for (std::string_view text : {"",          " ",        "a ",          " a",
                                  "-",         "- a",      "?",           "? a",
                                  ":",         ": a",      "a:",          "#",
                                  "a #b",      "[",        "]",           "{",
                                  "}",         "&a",       "*a",          "!a",
                                  "|",         ">",        "'",           "\\\"",
                                  "%a",        "@a",       "`a",          "---",
                                  "...",       "--- a",    "a\\tb",       "\\ta",
                                  "a\\n",      "\\na",     "\\n",         "a\\n\\n",
                                  "\\n\\n",    " a\\nb",   "a\\n b\\n",   "a\\r\\nb",
                                  "a\\u0001b", "\\u007f",  "\\u0085",     "\\u2028",
                                  "\\ufeff",   "\\u00a0",  "<<",          "=",
                                  "0x1",       "1e5",      "1_0",         "12:30",
                                  ".inf",      ".nan",     "null",        "\\ud83d\\ude00",
                                  "a\\n#b\\n", "a, b",     "{a: b}",      "\xc3\xa4",
                                  "0b1",       "1.",       "+1",          "a\\n\\n\\nb",
                                  "\\t\\n",    "a\\n\\tb", "a\\nb  \\nc", "  \\na"}) {
        std::string json = "{\"k\":\"" + std::string(text) + "\",\"l\":[\"" + std::string(text) + "\"],\"" +
                           std::string(text) + "\":1}";
        Arena arena;
        auto value = parse_json(json, arena);
        ASSERT_TRUE(value) << json;
        std::string yaml;
        write_yaml(*value, yaml);
        auto again = parse_yaml(yaml, arena);
        ASSERT_TRUE(again) << json << "\n" << yaml << again.error().message();
        EXPECT_TRUE(again->equals(*value)) << json << "\n" << yaml << to_json(*again);
    }
}

}  // namespace
}  // namespace keelson::object
