#include "kernel/object/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

using testing::HasSubstr;

bool selects(std::string_view selector, std::string_view labels_json) {
    Arena arena;
    auto parsed = LabelSelector::parse(selector);
    EXPECT_TRUE(parsed) << selector << ": " << parsed.error().message();
    return parsed && parsed->matches(*parse_json(labels_json, arena));
}

std::string label_error(std::string_view selector) {
    auto parsed = LabelSelector::parse(selector);
    return parsed ? std::string() : parsed.error().message();
}

std::string normal_form(std::string_view selector) {
    auto parsed = LabelSelector::parse(selector);
    return parsed ? parsed->to_string() : "error: " + parsed.error().message();
}

TEST(LabelSelector, MatchesByOperator) {
    constexpr std::string_view kLabels = R"({"app":"web","tier":"front","n":"5","e":""})";
    for (std::string_view yes : {"",
                                 "app=web",
                                 "app==web",
                                 "app = web",
                                 "app!=db",
                                 "x!=y",
                                 "app",
                                 "!x",
                                 "app in (web,db)",
                                 "app in(web)",
                                 "app notin (db)",
                                 "x notin (a)",
                                 "app=web,tier=front",
                                 "n>4",
                                 "n<6",
                                 "e=",
                                 "e in (,a)",
                                 "e",
                                 " app = web , n > 4 ",
                                 "in!=x",
                                 "x notin ()"})
        EXPECT_TRUE(selects(yes, kLabels)) << yes;
    for (std::string_view no : {"app=db", "app!=web", "!app", "x", "app in (db)", "app notin (web)",
                                "app=web,tier=back", "n>5", "n<5", "x>1", "app>1", "e=a", "x in ()", "x="})
        EXPECT_FALSE(selects(no, kLabels)) << no;
    EXPECT_FALSE(selects("app", "null"));
    EXPECT_TRUE(selects("!app", "null"));
}

TEST(LabelSelector, HasANormalForm) {
    EXPECT_EQ(normal_form("b,a=1"), "a=1,b");
    EXPECT_EQ(normal_form("a==1"), "a=1");
    EXPECT_EQ(normal_form("a in (2,1,2)"), "a in (1,2)");
    EXPECT_EQ(normal_form("a notin (2 , 1)"), "a notin (1,2)");
    EXPECT_EQ(normal_form("! a"), "!a");
    EXPECT_EQ(normal_form("a>1,b<2"), "a>1,b<2");
    EXPECT_EQ(normal_form("example.org/a=1"), "example.org/a=1");
    EXPECT_EQ(normal_form(""), "");
}

TEST(LabelSelector, RefusesNonsense) {
    for (std::string_view bad :
         {",",   "a,",         "a,,b",  "a=b=c", "a=(b)",      "a in b", "a in (b", "a in b)", "in (b)",
          "=a",  "!",          "!!a",   "a b",   "a>b",        "a>",     "a=-b",    "-a=b",    "a/b/c",
          "(a)", "a in ((b))", "a=b c", "&",     "a in (b c)", "\xff",   "!a=b"})
        EXPECT_NE(label_error(bad), "") << bad;
    EXPECT_THAT(label_error("a in b"), HasSubstr("unable to parse requirement: found 'b' expected: '('"));
    EXPECT_THAT(label_error("a,"), HasSubstr("found '', expected: identifier after ','"));
    EXPECT_THAT(label_error("a b"), HasSubstr("found 'b', expected: in, notin, =, ==, !=, gt, lt"));
    EXPECT_THAT(label_error("a=" + std::string(64, 'x')), HasSubstr("must be no more than 63"));
    EXPECT_THAT(label_error("a>x"), HasSubstr("for 'Gt', 'Lt' operators, the value must be an integer"));
}

TEST(LabelSelector, IsBounded) {
    EXPECT_NE(label_error(std::string(100'000, '(')), "");
    EXPECT_NE(label_error(std::string(100'000, '!')), "");
    std::string many;
    for (int i = 0; i < 20'000; ++i) many += (i ? ",a" : "a") + std::to_string(i);
    EXPECT_EQ(label_error(many), "");
}

bool object_selects(std::string_view selector_json, std::string_view labels_json) {
    Arena arena;
    auto parsed = LabelSelector::from_object(*parse_json(selector_json, arena));
    return parsed && parsed->matches(*parse_json(labels_json, arena));
}

TEST(LabelSelector, ComesFromObjects) {
    EXPECT_TRUE(object_selects("{}", R"({"a":"1"})")) << "an empty one selects all";
    EXPECT_FALSE(object_selects("null", R"({"a":"1"})")) << "none selects nothing";
    EXPECT_TRUE(object_selects(R"({"matchLabels":{"a":"1"}})", R"({"a":"1","b":"2"})"));
    EXPECT_FALSE(object_selects(R"({"matchLabels":{"a":"1","c":"3"}})", R"({"a":"1","b":"2"})"));
    EXPECT_TRUE(object_selects(R"({"matchExpressions":[{"key":"a","operator":"In","values":["2","1"]},
        {"key":"b","operator":"Exists"},{"key":"c","operator":"DoesNotExist"},{"key":"a","operator":"NotIn","values":["3"]}]})",
                               R"({"a":"1","b":"2"})"));
    Arena arena;
    EXPECT_FALSE(LabelSelector::from_object(
        *parse_json(R"({"matchExpressions":[{"key":"a","operator":"Like"}]})", arena)));
    EXPECT_EQ(LabelSelector::from_labels(*parse_json(R"({"b":"2","a":"1"})", arena)).to_string(), "a=1,b=2");
}

std::string field_of(std::string_view path) {
    if (path == "metadata.name") return "web";
    if (path == "status.phase") return "Running";
    return {};
}

TEST(FieldSelector, ComparesTexts) {
    auto selects = [](std::string_view text) {
        auto parsed = FieldSelector::parse(text);
        EXPECT_TRUE(parsed) << text;
        return parsed && parsed->matches(field_of);
    };
    for (std::string_view yes :
         {"", "metadata.name=web", "metadata.name==web", "status.phase!=Pending",
          "metadata.name=web,status.phase=Running", "spec.nodeName=", "metadata.name=web,"})
        EXPECT_TRUE(selects(yes)) << yes;
    for (std::string_view no :
         {"metadata.name=db", "status.phase!=Running", "metadata.name=web,status.phase=x"})
        EXPECT_FALSE(selects(no)) << no;
}

TEST(FieldSelector, UnescapesValues) {
    auto parsed = FieldSelector::parse(R"(a=b\,c\=d\\e,f=g)");
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->requirements().size(), 2u);
    EXPECT_EQ(parsed->requirements()[0].value, R"(b,c=d\e)");
    EXPECT_EQ(*parsed->required("f"), "g");
    EXPECT_EQ(parsed->required("nope"), nullptr);
}

TEST(FieldSelector, RefusesNonsense) {
    for (std::string_view bad : {"a", "a,b=c", R"(a=b\)", R"(a=\x)", "a=b=c"})
        EXPECT_FALSE(FieldSelector::parse(bad)) << bad;
    EXPECT_THAT(FieldSelector::parse("nope").error().message(),
                HasSubstr("invalid selector: 'nope'; can't understand 'nope'"));
}

}  // namespace
}  // namespace keelson::object
