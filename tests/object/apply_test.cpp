#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/typed.h"

namespace keelson::object {
namespace {

using testing::HasSubstr;

// An object that managers apply to and update, one after the other.
class Managed {
  public:
    explicit Managed(std::string_view type) : type_(*find_type(type)) {}

    // Empty, or the message of the failure.
    std::string apply(std::string_view manager, std::string_view json, bool force = false,
                      std::string_view subresource = {}) {
        Value configuration = *parse_json_copy(json, arena_);
        auto result = object::apply(type_, live_, configuration, field_manager(manager, subresource), force,
                                    reset_, arena_);
        if (!result) {
            causes = result.error().details() ? result.error().details()->causes : std::vector<base::Cause>();
            reason = result.error().reason();
            return result.error().message();
        }
        live_ = canonical(type_, *result, arena_);
        return {};
    }
    void update(std::string_view manager, std::string_view json) {
        Value updated = *conform(type_, *parse_json_copy(json, arena_), arena_);
        track_update(type_, live_, updated, field_manager(manager, {}), reset_, arena_);
        live_ = canonical(type_, updated, arena_);
    }
    // The object without metadata.
    [[nodiscard]] std::string text() {
        Value copy = live_.clone(arena_);
        copy.erase("metadata");
        return to_json(copy);
    }
    [[nodiscard]] Value live() const { return live_; }
    // The fieldsV1 of a manager; "" when it manages nothing.
    [[nodiscard]] std::string fields(std::string_view manager, std::string_view operation = "Apply") const {
        for (Value entry : live_["metadata"]["managedFields"].items())
            if (entry["manager"].as_string() == manager && entry["operation"].as_string() == operation)
                return to_json(entry["fieldsV1"]);
        return {};
    }

    std::vector<base::Cause> causes;
    base::Reason reason{};

  private:
    FieldManager field_manager(std::string_view name, std::string_view subresource) {
        std::string time = "2026-01-01T00:00:" + std::to_string(10 + step_++) + "Z";
        return {arena_.copy(name), "v1", arena_.copy(subresource), arena_.copy(time)};
    }

    static constexpr std::string_view kStatus[] = {"status"};
    const Type& type_;
    Arena arena_;
    Value live_;
    std::span<const std::string_view> reset_ = kStatus;
    int step_ = 0;
};

constexpr std::string_view kMap = "core/v1.ConfigMap";

std::string map_of(std::string_view data) {
    return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":)" + std::string(data) +
           "}";
}

TEST(Apply, CreatesAndOwnsWhatItMentions) {
    Managed object(kMap);
    EXPECT_EQ(object.apply("a", map_of(R"({"x":"1"})")), "");
    EXPECT_EQ(object.text(), R"({"kind":"ConfigMap","apiVersion":"v1","data":{"x":"1"}})");
    EXPECT_EQ(object.fields("a"), R"({"f:data":{"f:x":{}}})");
    EXPECT_EQ(object.live()["metadata"]["managedFields"].at(0)["fieldsType"].as_string(), "FieldsV1");
}

TEST(Apply, RemovesWhatItNoLongerMentions) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1","y":"2"})"));
    EXPECT_EQ(object.apply("a", map_of(R"({"y":"2"})")), "");
    EXPECT_EQ(object.text(), R"({"kind":"ConfigMap","apiVersion":"v1","data":{"y":"2"}})");
    EXPECT_EQ(object.fields("a"), R"({"f:data":{"f:y":{}}})");
}

TEST(Apply, KeepsWhatOthersOwnToo) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1"})"));
    EXPECT_EQ(object.apply("b", map_of(R"({"x":"1","z":"3"})")), "") << "equal values are shared";
    EXPECT_EQ(object.apply("a", map_of(R"({"y":"2"})")), "");
    EXPECT_THAT(object.text(), HasSubstr(R"("data":{"x":"1","y":"2","z":"3"})"));
    EXPECT_EQ(object.fields("a"), R"({"f:data":{"f:y":{}}})");
    EXPECT_EQ(object.fields("b"), R"({"f:data":{"f:x":{},"f:z":{}}})");
}

TEST(Apply, ReportsConflictsAndForcesThem) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1","y":"1"})"));
    std::string message = object.apply("b", map_of(R"({"x":"2"})"));
    EXPECT_EQ(message, "Apply failed with 1 conflict: conflict with \"a\": .data.x");
    EXPECT_EQ(object.reason, base::Reason::conflict);
    ASSERT_EQ(object.causes.size(), 1u);
    EXPECT_EQ(object.causes[0], (base::Cause{"FieldManagerConflict", "conflict with \"a\"", ".data.x"}));
    EXPECT_THAT(object.text(), HasSubstr(R"("x":"1")"));
    EXPECT_EQ(object.apply("b", map_of(R"({"x":"2"})"), true), "");
    EXPECT_THAT(object.text(), HasSubstr(R"("data":{"x":"2","y":"1"})"));
    EXPECT_EQ(object.fields("a"), R"({"f:data":{"f:y":{}}})");
    EXPECT_EQ(object.fields("b"), R"({"f:data":{"f:x":{}}})");
}

TEST(Apply, NamesEveryConflict) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1","y":"1"})"));
    std::string message = object.apply("b", map_of(R"({"x":"2","y":"2"})"));
    EXPECT_EQ(message, "Apply failed with 2 conflicts: conflicts with \"a\":\n- .data.x\n- .data.y");
    EXPECT_EQ(object.causes.size(), 2u);
}

TEST(Apply, UpdatesTakeFieldsOver) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1","y":"1"})"));
    Arena arena;
    Value changed = object.live().clone(arena);
    changed["data"].set(arena, "x", Value::reference("9"));
    object.update("editor", to_json(changed));
    EXPECT_EQ(object.fields("a"), R"({"f:data":{"f:y":{}}})");
    EXPECT_EQ(object.fields("editor", "Update"), R"({"f:data":{"f:x":{}}})");
    EXPECT_THAT(object.apply("a", map_of(R"({"x":"1","y":"1"})")),
                HasSubstr("conflict with \"editor\" using v1"));
    // Giving a field up leaves it to its other manager.
    EXPECT_EQ(object.apply("a", map_of(R"({"y":"1"})")), "");
    EXPECT_THAT(object.text(), HasSubstr(R"("data":{"x":"9","y":"1"})"));
}

TEST(Apply, TwiceChangesNothing) {
    Managed object(kMap);
    (void)object.apply("a", map_of(R"({"x":"1"})"));
    std::string before = to_json(object.live());
    EXPECT_EQ(object.apply("a", map_of(R"({"x":"1"})")), "");
    EXPECT_EQ(to_json(object.live()), before) << "even the time stays";
}

TEST(Apply, ObjectsFromBeforeHaveAManagerOfTheirOwn) {
    Arena arena;
    const Type& type = *find_type(kMap);
    Value live = *conform(type, *parse_json(R"({"metadata":{"name":"m"},"data":{"x":"1"}})", arena), arena);
    FieldManager manager{"a", "v1", "", "2026-01-01T00:00:00Z"};
    auto result = apply(
        type, live,
        *parse_json(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m"},"data":{"x":"2"}})",
                    arena),
        manager, false, {}, arena);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message(), HasSubstr("conflict with \"before-first-apply\" using v1"));
}

TEST(Apply, RefusesDocumentsThatAreNotOfTheType) {
    Managed object(kMap);
    EXPECT_THAT(object.apply("a", R"({"metadata":{"name":"m","managedFields":[]}})"),
                HasSubstr("metadata.managedFields must be nil"));
    EXPECT_THAT(object.apply("a", R"({"metadata":{"name":"m"},"nope":1})"),
                HasSubstr(".nope: field not declared in schema"));
    Managed pod("core/v1.Pod");
    EXPECT_THAT(
        pod.apply("a", R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c"},{"name":"c"}]}})"),
        HasSubstr("duplicate entries for key [name=\"c\"]"));
}

TEST(Apply, ResetFieldsAreNobodys) {
    Managed pod("core/v1.Pod");
    EXPECT_EQ(
        pod.apply("a", R"({"metadata":{"name":"p"},"spec":{"nodeName":"n"},"status":{"phase":"Running"}})"),
        "");
    EXPECT_EQ(pod.fields("a"), R"({"f:spec":{"f:nodeName":{}}})");
}

std::string pod_of(std::string_view spec) {
    return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":)" + std::string(spec) + "}";
}

TEST(Apply, ListsOfMapsAreMergedByTheirKeys) {
    Managed pod("core/v1.Pod");
    EXPECT_EQ(pod.apply("a", pod_of(R"({"containers":[{"name":"c","image":"1"}]})")), "");
    EXPECT_EQ(
        pod.apply("b", pod_of(R"({"containers":[{"name":"d","image":"2"},{"name":"c","stdin":true}]})")), "");
    Value containers = pod.live()["spec"]["containers"];
    ASSERT_EQ(containers.size(), 2u);
    EXPECT_EQ(pod.fields("b"),
              R"({"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:name":{},"f:stdin":{}},)"
              R"("k:{\"name\":\"d\"}":{".":{},"f:image":{},"f:name":{}}}}})");
    EXPECT_THAT(pod.apply("b", pod_of(R"({"containers":[{"name":"c","image":"3"}]})")),
                HasSubstr(R"(.spec.containers[name="c"].image)"));
    // An item goes when nobody speaks of it any more; fields of the others stay.
    EXPECT_EQ(pod.apply("b", pod_of("{}")), "");
    containers = pod.live()["spec"]["containers"];
    ASSERT_EQ(containers.size(), 1u);
    EXPECT_EQ(containers.at(0)["image"].as_string(), "1");
    EXPECT_FALSE(containers.at(0)["stdin"].as_boolean());
}

TEST(Apply, KeysTakeTheirDefaults) {
    Managed pod("core/v1.Pod");
    EXPECT_EQ(pod.apply("a", pod_of(R"({"containers":[{"name":"c","ports":[{"containerPort":80}]}]})")), "");
    EXPECT_THAT(pod.fields("a"), HasSubstr(R"(k:{\"containerPort\":80,\"protocol\":\"TCP\"})"));
    EXPECT_EQ(
        pod.apply(
            "b",
            pod_of(R"({"containers":[{"name":"c","ports":[{"containerPort":80,"protocol":"TCP","name":"w"},
                                         {"containerPort":80,"protocol":"UDP"}]}]})")),
        "");
    EXPECT_EQ(pod.live()["spec"]["containers"].at(0)["ports"].size(), 2u);
}

TEST(Apply, SetsHaveMembers) {
    Managed object("core/v1.ConfigMap");
    auto with = [](std::string_view finalizers) {
        return R"({"metadata":{"name":"m","finalizers":)" + std::string(finalizers) + "}}";
    };
    EXPECT_EQ(object.apply("a", with(R"(["example.org/x"])")), "");
    EXPECT_EQ(object.apply("b", with(R"(["example.org/y"])")), "");
    EXPECT_EQ(object.fields("a"), R"({"f:metadata":{"f:finalizers":{"v:\"example.org/x\"":{}}}})");
    EXPECT_EQ(to_json(object.live()["metadata"]["finalizers"]), R"(["example.org/x","example.org/y"])");
    EXPECT_EQ(object.apply("a", with("[]")), "");
    EXPECT_EQ(to_json(object.live()["metadata"]["finalizers"]), R"(["example.org/y"])");
}

TEST(Apply, AtomicsAreOwnedAsAWhole) {
    Managed pod("core/v1.Pod");
    EXPECT_EQ(pod.apply("a", pod_of(R"({"nodeSelector":{"x":"1"},"tolerations":[{"key":"k"}]})")), "");
    EXPECT_EQ(pod.fields("a"), R"({"f:spec":{"f:nodeSelector":{},"f:tolerations":{}}})");
    EXPECT_THAT(pod.apply("b", pod_of(R"({"nodeSelector":{"y":"1"}})")), HasSubstr(": .spec.nodeSelector"));
    EXPECT_EQ(pod.apply("b", pod_of(R"({"nodeSelector":{"y":"1"}})"), true), "");
    EXPECT_EQ(to_json(pod.live()["spec"]["nodeSelector"]), R"({"y":"1"})");
}

TEST(TrackUpdate, RecordsCreatorsAndEditors) {
    Managed object(kMap);
    object.update("creator", map_of(R"({"x":"1","y":"1"})"));
    EXPECT_EQ(object.fields("creator", "Update"), R"({"f:data":{".":{},"f:x":{},"f:y":{}}})");
    Arena arena;
    Value changed = object.live().clone(arena);
    changed["data"].erase("x");
    changed["data"].set(arena, "y", Value::reference("2"));
    object.update("editor", to_json(changed));
    EXPECT_EQ(object.fields("creator", "Update"), R"({"f:data":{}})");
    EXPECT_EQ(object.fields("editor", "Update"), R"({"f:data":{"f:y":{}}})");
}

TEST(TrackUpdate, ChangingNothingRecordsNothing) {
    Managed object(kMap);
    object.update("creator", map_of(R"({"x":"1"})"));
    std::string before = to_json(object.live());
    object.update("other", before);
    EXPECT_EQ(to_json(object.live()), before);
}

TEST(TrackUpdate, AnEmptyEntryForgetsTheManagers) {
    Managed object(kMap);
    object.update("creator", map_of(R"({"x":"1"})"));
    Arena arena;
    Value changed = object.live().clone(arena);
    Value list = Value::list(arena);
    list.push_back(arena, Value::map(arena));
    changed["metadata"].set(arena, "managedFields", list);
    object.update("other", to_json(changed));
    EXPECT_TRUE(object.live()["metadata"]["managedFields"].is_absent());
}

TEST(TrackUpdate, FoldsManyManagersTogether) {
    Managed object(kMap);
    object.update("m0", map_of(R"({"k0":"v"})"));
    for (int i = 1; i < 20; ++i) {
        Arena arena;
        Value changed = object.live().clone(arena);
        changed["data"].set(arena, arena.copy("k" + std::to_string(i)), Value::reference("v"));
        object.update("m" + std::to_string(i), to_json(changed));
    }
    EXPECT_LE(object.live()["metadata"]["managedFields"].size(), 10u);
    EXPECT_THAT(object.fields("ancient-changes", "Update"), HasSubstr("f:k0"));
    EXPECT_NE(object.fields("m19", "Update"), "");
}

TEST(FieldSet, ReadsWhatItWrites) {
    Arena arena;
    std::string text =
        R"({"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:l":{"k:{\"name\":\"x\"}":{".":{},"f:y":{}},"v:1":{}}}})";
    FieldSet set = FieldSet::from_value(*parse_json(text, arena));
    EXPECT_EQ(to_json(set.to_value(arena)), text);
    EXPECT_THAT(set.paths(), testing::UnorderedElementsAre(".metadata.labels", ".metadata.labels.a",
                                                           R"(.spec.l[name="x"])", R"(.spec.l[name="x"].y)",
                                                           ".spec.l[=1]"));
    EXPECT_TRUE(FieldSet::from_value(*parse_json("[1]", arena)).empty());
}

TEST(FieldSet, HasTheOperationsOfSets) {
    Arena arena;
    auto set = [&](std::string_view text) { return FieldSet::from_value(*parse_json_copy(text, arena)); };
    FieldSet a = set(R"({"f:x":{},"f:y":{"f:z":{}}})"), b = set(R"({"f:y":{"f:z":{},"f:w":{}}})");
    EXPECT_EQ(a.intersection(b), set(R"({"f:y":{"f:z":{}}})"));
    FieldSet united = a;
    united.unite(b);
    EXPECT_EQ(united, set(R"({"f:x":{},"f:y":{"f:z":{},"f:w":{}}})"));
    FieldSet less = a;
    less.subtract(b);
    EXPECT_EQ(less, set(R"({"f:x":{}})"));
}

}  // namespace
}  // namespace keelson::object
