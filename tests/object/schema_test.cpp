#include "kernel/object/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kernel/object/conform.h"
#include "kernel/object/defaults.h"
#include "kernel/object/json.h"
#include "tests/support/object_generator.h"

namespace keelson::object {
namespace {

using keelson::testing::ObjectGenerator;
using keelson::testing::top_level_types;

TEST(Schema, FindsTypesByIdAndKind) {
    const Type* pod = find_type("core/v1.Pod");
    ASSERT_NE(pod, nullptr);
    EXPECT_EQ(pod->short_name(), "Pod");
    EXPECT_EQ(pod->shape, Shape::structure);
    EXPECT_EQ(find_kind("", "v1", "Pod"), pod);
    EXPECT_EQ(find_kind("apps", "v1", "Pod"), nullptr);
    EXPECT_EQ(find_kind("", "v2", "Pod"), nullptr);
    EXPECT_EQ(find_kind("", "v1", "pod"), nullptr);
    EXPECT_EQ(find_type("core/v1.Nothing"), nullptr);
    EXPECT_EQ(find_type(""), nullptr);
}

TEST(Schema, SomeKindsExistInEveryGroup) {
    const Type* options = find_kind("apps", "v1", "DeleteOptions");
    ASSERT_NE(options, nullptr);
    EXPECT_EQ(find_kind("", "v1", "DeleteOptions"), options);
    EXPECT_EQ(find_kind("nobody.example", "v1", "DeleteOptions"), nullptr);
    EXPECT_NE(find_kind("", "v1", "Status"), nullptr);
}

TEST(Schema, FieldsKnowTheirTypes) {
    const Field* containers = find_type("core/v1.PodSpec")->field("containers");
    ASSERT_NE(containers, nullptr);
    EXPECT_EQ(containers->type->shape, Shape::list);
    EXPECT_EQ(containers->type->element, find_type("core/v1.Container"));
    EXPECT_EQ(containers->patch_key, "name");
    EXPECT_TRUE(containers->has(Field::patch_merge));
    const Field* ports = find_type("core/v1.Container")->field("ports");
    EXPECT_EQ(ports->list_type, ListType::map);
    EXPECT_EQ(ports->list_keys, "containerPort,protocol");
    EXPECT_EQ(find_type("core/v1.Pod")->field("nope"), nullptr);
    EXPECT_EQ(find_type("core/v1.Volume")->field("emptyDir")->inline_numbers[0], 2)
        << "the sources of a volume are embedded";
}

TEST(Schema, FindsResources) {
    const Resource* deployments = find_resource("apps", "v1", "deployments");
    ASSERT_NE(deployments, nullptr);
    EXPECT_EQ(deployments->kind, "Deployment");
    EXPECT_TRUE(deployments->namespaced);
    EXPECT_TRUE(deployments->has_status());
    ASSERT_NE(deployments->subresource("scale"), nullptr);
    EXPECT_EQ(deployments->subresource("scale")->kind, "Scale");
    EXPECT_EQ(deployments->subresource("binding"), nullptr);
    EXPECT_EQ(find_resource_of_kind("apps", "v1", "Deployment"), deployments);
    EXPECT_EQ(find_resource("apps", "v1", "pods"), nullptr);
    EXPECT_EQ(api_version_of(*deployments), "apps/v1");
    EXPECT_EQ(api_version_of(*find_resource("", "v1", "pods")), "v1");
    EXPECT_TRUE(is_known_group_version("batch", "v1"));
    EXPECT_FALSE(is_known_group_version("batch", "v2alpha1"));
    EXPECT_FALSE(find_resource("", "v1", "nodes")->namespaced);
}

TEST(Schema, VersionsOfOneResourceShareTheirStorage) {
    const Resource* first = find_resource("autoscaling", "v1", "horizontalpodautoscalers");
    const Resource* second = find_resource("autoscaling", "v2", "horizontalpodautoscalers");
    EXPECT_EQ(first->storage_index, second->index);
    EXPECT_EQ(second->storage_index, second->index);
    EXPECT_EQ(builtin_resources()[first->storage_index].version, "v2");
}

TEST(Schema, IsConsistent) {
    std::set<std::string_view> ids;
    for (const Type* type : builtin_types()) {
        SCOPED_TRACE(std::string(type->id));
        EXPECT_TRUE(ids.insert(type->id).second);
        EXPECT_EQ(find_type(type->id), type);
        EXPECT_EQ(type->element != nullptr, type->shape == Shape::list || type->shape == Shape::map);
        std::set<std::string_view> names;
        for (const Field& field : type->fields) {
            EXPECT_NE(field.type, nullptr);
            EXPECT_TRUE(names.insert(field.name).second) << field.name;
            EXPECT_EQ(type->field(field.name), &field);
            EXPECT_EQ(field.list_type == ListType::map, !field.list_keys.empty()) << field.name;
        }
    }
    std::uint16_t index = 0;
    for (const Resource& resource : builtin_resources()) {
        SCOPED_TRACE(std::string(resource.name));
        EXPECT_EQ(resource.index, index++);
        ASSERT_NE(resource.type, nullptr);
        EXPECT_EQ(resource.type->shape, Shape::structure);
        EXPECT_EQ(find_resource(resource.group, resource.version, resource.name), &resource);
        const Resource& stored = builtin_resources()[resource.storage_index];
        EXPECT_EQ(stored.storage_index, stored.index);
        EXPECT_EQ(stored.namespaced, resource.namespaced);
        for (const Subresource& subresource : resource.subresources) EXPECT_NE(subresource.verbs, 0);
    }
}

TEST(Schema, KnowsFeatureGates) {
    EXPECT_FALSE(gate_enabled("NoSuchGate"));
    EXPECT_FALSE(gate_enabled(""));
}

// What must hold for every type, shown with made-up objects.
class EveryType : public ::testing::TestWithParam<const Type*> {
  protected:
    static Value conformed(const Type& type, Value raw, Arena& arena) {
        auto value = conform(type, raw, arena);
        EXPECT_TRUE(value) << value.error().message() << "\n" << to_json(raw);
        return value ? *value : Value();
    }
};

TEST_P(EveryType, HasOneCanonicalForm) {
    const Type& type = *GetParam();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        ObjectGenerator generator(seed, {.percent_set = seed % 2 ? 100 : 40});
        Arena arena;
        Value once = conformed(type, generator.generate(type, arena), arena);
        std::string text = to_json(once);
        EXPECT_EQ(to_json(conformed(type, once, arena)), text);
        Value parsed = conformed(type, *parse_json(text, arena), arena);
        EXPECT_EQ(to_json(parsed), text);
        EXPECT_EQ(to_json(canonical(type, parsed, arena)), text);
        // Members in another order are the same object.
        Value shuffled = once.clone(arena);
        shuffled.sort_members();
        EXPECT_EQ(to_json(conformed(type, shuffled, arena)), text);
        std::vector<std::string> unknown;
        ASSERT_TRUE(conform(type, once, arena, &unknown));
        EXPECT_TRUE(unknown.empty()) << unknown.front();
    }
}

TEST_P(EveryType, IsDefaultedOnce) {
    const Type& type = *GetParam();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        ObjectGenerator generator(seed, {.percent_set = static_cast<int>(seed * 15)});
        Arena arena;
        Value value = conformed(type, generator.generate(type, arena), arena);
        apply_defaults(type, value, arena);
        Value once = canonical(type, value, arena);
        std::string text = to_json(once);
        apply_defaults(type, once, arena);
        EXPECT_EQ(to_json(canonical(type, once, arena)), text);
    }
}

TEST_P(EveryType, EmptyIsCanonical) {
    const Type& type = *GetParam();
    Arena arena;
    Value empty = conformed(type, Value::map(arena), arena);
    EXPECT_EQ(to_json(conformed(type, empty, arena)), to_json(empty));
    EXPECT_TRUE(is_zero(type, empty)) << to_json(empty);
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, EveryType, ::testing::ValuesIn(top_level_types()), [](const auto& info) {
    std::string name(info.param->id);
    for (char& c : name)
        if (c == '/' || c == '.') c = '_';
    return name;
});

}  // namespace
}  // namespace keelson::object
