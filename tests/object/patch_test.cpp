#include "kernel/object/patch.h"

#include <gtest/gtest.h>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

std::string outcome(const base::Result<Value>& result) {
    return result ? to_json(*result) : "error: " + result.error().message();
}

std::string json_patched(std::string_view target, std::string_view patch) {
    Arena arena;
    Value before = *parse_json(target, arena);
    std::string text = to_json(before);
    auto result = json_patch(before, *parse_json(patch, arena), arena);
    EXPECT_EQ(to_json(before), text) << "the target was changed";
    return outcome(result);
}

TEST(JsonPatch, CarriesOutTheSixOperations) {
    EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"add","path":"/b","value":{"c":2}}])"),
              R"({"a":1,"b":{"c":2}})");
    EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"add","path":"/a","value":2}])"), R"({"a":2})");
    EXPECT_EQ(json_patched(R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])"), R"({"b":2})");
    EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"replace","path":"/a","value":null}])"), R"({"a":null})");
    EXPECT_EQ(json_patched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])"),
              R"({"a":{},"c":1})");
    EXPECT_EQ(json_patched(R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/c"}])"),
              R"({"a":{"b":1},"c":{"b":1}})");
    EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"test","path":"/a","value":1}])"), R"({"a":1})");
    EXPECT_EQ(json_patched("{}", "[]"), "{}");
}

TEST(JsonPatch, AddressesListItems) {
    EXPECT_EQ(json_patched("[1,2]", R"([{"op":"add","path":"/0","value":0}])"), "[0,1,2]");
    EXPECT_EQ(json_patched("[1,2]", R"([{"op":"add","path":"/-","value":3}])"), "[1,2,3]");
    EXPECT_EQ(json_patched("[1,2]", R"([{"op":"add","path":"/2","value":3}])"), "[1,2,3]");
    EXPECT_EQ(json_patched("[1,2]", R"([{"op":"remove","path":"/1"}])"), "[1]");
    EXPECT_EQ(json_patched(R"({"l":[{"x":1}]})", R"([{"op":"replace","path":"/l/0/x","value":2}])"),
              R"({"l":[{"x":2}]})");
}

TEST(JsonPatch, UnescapesPointers) {
    EXPECT_EQ(json_patched(R"({"a/b":1,"c~d":2,"":3})",
                           R"([{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/c~0d"},
        {"op":"replace","path":"/","value":4}])"),
              R"({"":4})");
}

TEST(JsonPatch, RefusesWhatCannotBeDone) {
    for (std::string_view patch :
         {R"([{"op":"remove","path":"/nope"}])", R"([{"op":"replace","path":"/nope","value":1}])",
          R"([{"op":"add","path":"/nope/x","value":1}])", R"([{"op":"add","path":"/l/5","value":1}])",
          R"([{"op":"add","path":"/l/x","value":1}])", R"([{"op":"remove","path":"/l/-"}])",
          R"([{"op":"test","path":"/a","value":2}])", R"([{"op":"test","path":"/nope","value":2}])",
          R"([{"op":"move","from":"/nope","path":"/a"}])", R"([{"op":"move","from":"/l","path":"/l/x"}])",
          R"([{"op":"dance","path":"/a"}])", R"([{"path":"/a"}])", R"([{"op":"add","value":1}])",
          R"([{"op":"add","path":"/b"}])", R"([{"op":"add","path":"b","value":1}])", "[7]",
          R"([{"op":"copy","path":"/a"}])"}) {
        Arena arena;
        auto result = json_patch(*parse_json(R"({"a":1,"l":[1]})", arena), *parse_json(patch, arena), arena);
        ASSERT_FALSE(result) << patch << to_json(*result);
        EXPECT_EQ(result.error().reason(), base::Reason::invalid) << patch;
    }
}

TEST(JsonPatch, IsAllOrNothing) {
    EXPECT_EQ(json_patched(R"({"a":1})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])")
                  .substr(0, 6),
              "error:");
}

TEST(JsonPatch, BoundsItsOperationsAndCopies) {
    std::string many = "[";
    for (int i = 0; i <= 10'000; ++i)
        many += std::string(i ? "," : "") + R"({"op":"test","path":"/a","value":1})";
    EXPECT_TRUE(json_patched(R"({"a":1})", many + "]").starts_with("error: The allowed maximum operations"));
    // Each copy doubles the document.
    std::string doubling = "[";
    for (int i = 0; i < 60; ++i)
        doubling +=
            std::string(i ? "," : "") + R"({"op":"copy","from":"","path":"/c)" + std::to_string(i) + "\"}";
    EXPECT_TRUE(json_patched(R"({"a":"0123456789"})", doubling + "]").starts_with("error:"));
}

std::string merged(std::string_view target, std::string_view patch) {
    Arena arena;
    return to_json(merge_patch(*parse_json(target, arena), *parse_json(patch, arena), arena));
}

// The examples of RFC 7386, appendix A.
TEST(MergePatch, FollowsTheRfc) {
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"a":"c"})"), R"({"a":"c"})");
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"b":"c"})"), R"({"a":"b","b":"c"})");
    EXPECT_EQ(merged(R"({"a":"b"})", R"({"a":null})"), "{}");
    EXPECT_EQ(merged(R"({"a":"b","b":"c"})", R"({"a":null})"), R"({"b":"c"})");
    EXPECT_EQ(merged(R"({"a":["b"]})", R"({"a":"c"})"), R"({"a":"c"})");
    EXPECT_EQ(merged(R"({"a":"c"})", R"({"a":["b"]})"), R"({"a":["b"]})");
    EXPECT_EQ(merged(R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})"), R"({"a":{"b":"d"}})");
    EXPECT_EQ(merged(R"({"a":[{"b":"c"}]})", R"({"a":[1]})"), R"({"a":[1]})");
    EXPECT_EQ(merged(R"(["a","b"])", R"(["c","d"])"), R"(["c","d"])");
    EXPECT_EQ(merged(R"({"a":"b"})", R"(["c"])"), R"(["c"])");
    EXPECT_EQ(merged(R"({"e":null})", R"({"a":1})"), R"({"e":null,"a":1})");
    EXPECT_EQ(merged("[1,2]", R"({"a":"b","c":null})"), R"({"a":"b"})");
    EXPECT_EQ(merged("{}", R"({"a":{"bb":{"ccc":null}}})"), R"({"a":{"bb":{}}})");
}

std::string strategic(std::string_view type, std::string_view target, std::string_view patch) {
    Arena arena;
    Value before = *parse_json(target, arena);
    std::string text = to_json(before);
    auto result = strategic_merge_patch(*find_type(type), before, *parse_json(patch, arena), arena);
    EXPECT_EQ(to_json(before), text) << "the target was changed";
    return outcome(result);
}

constexpr std::string_view kSpec = "core/v1.PodSpec";

TEST(StrategicPatch, MergesListsByTheirKey) {
    EXPECT_EQ(
        strategic(kSpec, R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]})",
                  R"({"containers":[{"name":"b","image":"3"},{"name":"c","image":"4"}]})"),
        R"({"containers":[{"name":"a","image":"1"},{"name":"b","image":"3"},{"name":"c","image":"4"}]})");
    EXPECT_EQ(strategic(kSpec, R"({"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]})",
                        R"({"containers":[{"name":"a","env":[{"name":"Y","value":"2"}]}]})"),
              R"({"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"X","value":"1"}]}]})")
        << "what the patch brings comes first unless it names older items before it";
}

TEST(StrategicPatch, ReplacesListsWithoutAKey) {
    EXPECT_EQ(strategic(kSpec, R"({"tolerations":[{"key":"a"}]})", R"({"tolerations":[{"key":"b"}]})"),
              R"({"tolerations":[{"key":"b"}]})");
    EXPECT_EQ(strategic("core/v1.Container", R"({"args":["a"]})", R"({"args":["b"]})"), R"({"args":["b"]})");
}

TEST(StrategicPatch, MergesListsOfPlainValues) {
    EXPECT_EQ(strategic("meta/v1.ObjectMeta", R"({"finalizers":["a"]})", R"({"finalizers":["b","a"]})"),
              R"({"finalizers":["b","a"]})");
    EXPECT_EQ(strategic("meta/v1.ObjectMeta", R"({"finalizers":["a","b","c"]})",
                        R"({"$deleteFromPrimitiveList/finalizers":["b"]})"),
              R"({"finalizers":["a","c"]})");
}

TEST(StrategicPatch, RemovesWithNull) {
    EXPECT_EQ(strategic("core/v1.ConfigMap", R"({"data":{"a":"1","b":"2"}})", R"({"data":{"a":null}})"),
              R"({"data":{"b":"2"}})");
    EXPECT_EQ(strategic("core/v1.ConfigMap", R"({"data":{"a":"1"}})", R"({"data":null})"), "{}");
}

TEST(StrategicPatch, ObeysDirectives) {
    EXPECT_EQ(strategic(kSpec, R"({"containers":[{"name":"a"},{"name":"b"}]})",
                        R"({"containers":[{"name":"a","$patch":"delete"}]})"),
              R"({"containers":[{"name":"b"}]})");
    EXPECT_EQ(strategic(kSpec, R"({"containers":[{"name":"a"},{"name":"b"}]})",
                        R"({"containers":[{"name":"c"},{"$patch":"replace"}]})"),
              R"({"containers":[{"name":"c"}]})");
    EXPECT_EQ(
        strategic("core/v1.ConfigMap", R"({"data":{"a":"1"}})", R"({"data":{"b":"2","$patch":"replace"}})"),
        R"({"data":{"b":"2"}})");
    EXPECT_EQ(strategic("core/v1.ConfigMap", R"({"data":{"a":"1"}})", R"({"data":{"$patch":"delete"}})"),
              R"({"data":{}})");
    EXPECT_EQ(strategic("core/v1.ConfigMap", R"({"data":{"a":"1"}})", R"({"data":{"$patch":"nonsense"}})")
                  .substr(0, 26),
              "error: unknown patch type:");
}

TEST(StrategicPatch, RetainsOnlyTheNamedKeys) {
    EXPECT_EQ(strategic("apps/v1.DeploymentSpec",
                        R"({"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}})",
                        R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})"),
              R"({"strategy":{"type":"Recreate"}})");
}

TEST(StrategicPatch, OrdersListsAsAsked) {
    EXPECT_EQ(strategic(kSpec, R"({"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]})",
                        R"({"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}]})"),
              R"({"containers":[{"name":"c"},{"name":"b"},{"name":"a"}]})");
    EXPECT_EQ(strategic(kSpec, R"({"containers":[{"name":"a"},{"name":"b"}]})",
                        R"({"$setElementOrder/containers":[{"name":"n"},{"name":"b"},{"name":"a"}],
                            "containers":[{"name":"n","image":"1"}]})"),
              R"({"containers":[{"name":"n","image":"1"},{"name":"b"},{"name":"a"}]})");
    EXPECT_EQ(strategic("meta/v1.ObjectMeta", R"({"finalizers":["a","b"]})",
                        R"({"$setElementOrder/finalizers":["b","a"]})"),
              R"({"finalizers":["b","a"]})");
}

TEST(StrategicPatch, LeavesNoDirectivesInWhatItCreates) {
    std::string result = strategic("core/v1.Pod", "{}",
                                   R"({"spec":{"$setElementOrder/containers":[{"name":"a"}],
                                       "containers":[{"name":"a","ports":[{"containerPort":80,"$patch":"merge"}]}]}})");
    EXPECT_EQ(result.find('$'), std::string::npos) << result;
}

TEST(StrategicPatch, NeedsTheMergeKey) {
    EXPECT_TRUE(strategic(kSpec, R"({"containers":[{"name":"a"}]})", R"({"containers":[{"image":"x"}]})")
                    .starts_with("error: "));
}

TEST(GoText, PrintsAsGoDoes) {
    Arena arena;
    EXPECT_EQ(go_text(*parse_json(R"({"b":["x",1,null],"a":true})", arena)), "map[a:true b:[x 1 <nil>]]");
}

}  // namespace
}  // namespace keelson::object
