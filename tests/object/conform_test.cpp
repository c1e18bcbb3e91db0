#include "kernel/object/conform.h"

#include <gtest/gtest.h>

#include "kernel/object/json.h"

namespace keelson::object {
namespace {

struct Outcome {
    std::string text;  // canonical JSON or "error: ..."
    std::vector<std::string> unknown;
};

Outcome conform_text(std::string_view type, std::string_view text) {
    Arena arena;
    Outcome outcome;
    auto raw = parse_json(text, arena);
    auto value = conform(*find_type(type), *raw, arena, &outcome.unknown);
    outcome.text = value ? to_json(*value) : "error: " + value.error().message();
    return outcome;
}

TEST(Conform, PutsMembersInDeclarationOrderAndDropsWhatGoOmits) {
    EXPECT_EQ(conform_text("core/v1.Pod", R"({"spec":{"nodeName":"","hostNetwork":false,
        "containers":[{"image":"i","name":"c","env":[]}]},"metadata":{"labels":{"b":"1","a":"2"},"name":"p"},"kind":"Pod"})")
                  .text,
              R"({"kind":"Pod","metadata":{"name":"p","labels":{"a":"2","b":"1"}},)"
              R"("spec":{"containers":[{"name":"c","image":"i","resources":{}}]},"status":{}})");
}

TEST(Conform, KeepsSetPointersAndNullsOfAlwaysWrittenLists) {
    EXPECT_EQ(conform_text("core/v1.PodSpec", R"({"automountServiceAccountToken":false})").text,
              R"({"containers":null,"automountServiceAccountToken":false})");
}

TEST(Conform, WordsTypeErrorsAsGoDoes) {
    EXPECT_EQ(conform_text("core/v1.Pod", R"({"spec":{"containers":3}})").text,
              "error: json: cannot unmarshal number into Go struct field PodSpec.spec.containers of type "
              "[]v1.Container");
    EXPECT_EQ(
        conform_text("core/v1.Pod", R"({"spec":{"containers":[{"image":7}]}})").text,
        "error: json: cannot unmarshal number into Go struct field Container.spec.containers.image of type "
        "string");
    EXPECT_EQ(conform_text("core/v1.Pod", R"({"metadata":3})").text,
              "error: json: cannot unmarshal number into Go struct field Pod.metadata of type v1.ObjectMeta");
    EXPECT_EQ(conform_text("core/v1.ConfigMap", R"({"data":{"a":5}})").text,
              "error: json: cannot unmarshal number into Go struct field ConfigMap.data of type string");
    EXPECT_EQ(conform_text("core/v1.ConfigMap", R"({"binaryData":{"k":"@@"}})").text,
              "error: illegal base64 data at input byte 0");
}

TEST(Conform, NamesUnknownFieldsWithTheirPaths) {
    EXPECT_EQ(conform_text("core/v1.Pod", R"({"spec":{"containers":[{"nope":1}],"x":1},"y":2})").unknown,
              (std::vector<std::string>{"spec.containers[0].nope", "spec.x", "y"}));
}

TEST(Conform, BringsQuantitiesAndTimesIntoCanonicalForm) {
    EXPECT_EQ(
        conform_text("core/v1.ResourceRequirements", R"({"limits":{"cpu":0.5,"memory":"1024Mi"}})").text,
        R"({"limits":{"cpu":"500m","memory":"1Gi"}})");
    EXPECT_EQ(
        conform_text("meta/v1.ObjectMeta", R"({"deletionTimestamp":"2020-01-02T03:04:05.5+01:00"})").text,
        R"({"deletionTimestamp":"2020-01-02T02:04:05Z"})");
}

TEST(Conform, IsIdempotent) {
    std::string once =
        conform_text("apps/v1.Deployment", R"({"spec":{"template":{"spec":{"volumes":[{"name":"v",
        "configMap":{"name":"c"}}]}}}})")
            .text;
    EXPECT_EQ(conform_text("apps/v1.Deployment", once).text, once);
}

}  // namespace
}  // namespace keelson::object
