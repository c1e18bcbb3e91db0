#include "tests/scheduling/world.h"

#include <gtest/gtest.h>

#include "kernel/object/yaml.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;

void set_default(object::Value map, object::Arena& arena, std::string_view name, std::string_view value) {
    if (!map.has(name)) map.set(arena, name, object::Value::string(arena, value));
}

}  // namespace

object::Value World::parse(std::string_view yaml) {
    auto parsed = object::parse_yaml(arena.copy(yaml), arena);
    EXPECT_TRUE(parsed) << yaml;
    return parsed ? *parsed : object::Value::map(arena);
}

void World::node(std::string_view yaml) {
    object::Value value = parse(yaml);
    object::Value metadata = value.child_map(arena, "metadata");
    set_default(metadata.child_map(arena, "labels"), arena, "kubernetes.io/hostname",
                metadata["name"].as_string());
    object::Value allocatable = value.child_map(arena, "status").child_map(arena, "allocatable");
    set_default(allocatable, arena, "cpu", "4");
    set_default(allocatable, arena, "memory", "8Gi");
    set_default(allocatable, arena, "pods", "110");
    set_default(allocatable, arena, "ephemeral-storage", "100Gi");
    cluster.set_node(core_v1::Node(value));
}

void World::three_nodes() {
    node("{metadata: {name: n1, labels: {topology.kubernetes.io/zone: a}}}");
    node("{metadata: {name: n2, labels: {topology.kubernetes.io/zone: a}}}");
    node("{metadata: {name: n3, labels: {topology.kubernetes.io/zone: b, disk: ssd}}}");
}

PodPointer World::pod(std::string_view yaml) {
    object::Value value = parse(yaml);
    object::Value metadata = value.child_map(arena, "metadata");
    set_default(metadata, arena, "name", "p");
    set_default(metadata, arena, "namespace", "default");
    set_default(metadata, arena, "uid", "uid-" + std::string(metadata["name"].as_string()));
    set_default(value.child_map(arena, "spec"), arena, "schedulerName", "default-scheduler");
    return reader.read(core_v1::Pod(value));
}

PodPointer World::running(std::string_view node, std::string_view yaml) {
    PodPointer made = pod(yaml);
    cluster.set_pod(made, std::string(node));
    return made;
}

void World::claim(std::string_view yaml) {
    ClaimInfo made = read_claim(core_v1::PersistentVolumeClaim(parse(yaml)));
    if (made.namespace_name.empty()) made.namespace_name = "default";
    if (made.uid.empty()) made.uid = "uid-" + made.name;
    cluster.storage.claims[made.namespace_name + "/" + made.name] = made;
}

void World::volume(std::string_view yaml) {
    VolumeInfo made = read_persistent_volume(core_v1::PersistentVolume(parse(yaml)));
    cluster.storage.volumes[made.name] = made;
}

void World::storage_class(std::string_view yaml) {
    const object::Value value = parse(yaml);
    cluster.storage.classes[std::string(value["metadata"]["name"].as_string())] =
        read_storage_class(api_types::storage_v1::StorageClass(value));
}

Decision World::decide(std::string_view yaml) {
    return decider.decide(*pod(yaml), "");
}

std::string World::outcome(std::string_view yaml) {
    const Decision decision = decide(yaml);
    return decision.is_placed() ? decision.node : decision.message;
}

bool World::always_goes_to(std::string_view node, std::string_view yaml) {
    for (int count = 0; count < 20; ++count)
        if (decide(yaml).node != node) return false;
    return true;
}

}  // namespace keelson::scheduling
