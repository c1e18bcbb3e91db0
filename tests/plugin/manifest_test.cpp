#include "kernel/plugin/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "kernel/plugin/schema_check.h"
#include "kernel/plugin/settings_reader.h"

namespace keelson::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kManifest[] = R"(id: com.example.disk
name: disk
kind: volume
version: 1.2.3
description: A disk
abi: {minimum: 1, maximum: 2}
capabilities: [keelson.volume/0]
requires: [com.example.other]
configSchema:
  type: object
  properties: {size: {type: integer, minimum: 1}}
limits: {concurrentCalls: 4, callTimeoutSeconds: 5, memoryMegabytes: 32, cpuMillis: 500, processes: 10}
privileges: {capabilities: [SYS_ADMIN], seccomp: unconfined}
objects: [{apiVersion: v1, resource: secrets, verbs: [get]}]
orphanGraceSeconds: 5
)";

std::string why(const std::string& yaml) {
    auto parsed = parse_manifest(yaml);
    return parsed ? "" : parsed.error().message();
}

TEST(Manifest, IsRead) {
    auto manifest = parse_manifest(kManifest);
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_EQ(manifest->id, "com.example.disk");
    EXPECT_EQ(manifest->library, "disk.so");
    EXPECT_EQ(manifest->abi_maximum, 2u);
    EXPECT_THAT(manifest->requires_plugins, ElementsAre("com.example.other"));
    EXPECT_EQ(manifest->limits.concurrent_calls, 4u);
    EXPECT_EQ(manifest->limits.call_timeout_ms, 5000u);
    EXPECT_EQ(manifest->limits.memory_bytes, 32u << 20);
    EXPECT_FALSE(manifest->privileges.seccomp);
    EXPECT_THAT(manifest->privileges.capabilities, ElementsAre("SYS_ADMIN"));
    EXPECT_EQ(manifest->objects.at(0).resource, "secrets");
    EXPECT_EQ(manifest->orphan_grace_seconds, 5u);
    EXPECT_THAT(manifest->config_schema, HasSubstr("\"minimum\":1"));
}

TEST(Manifest, FailuresNameTheLine) {
    std::string text = kManifest;
    EXPECT_THAT(why(text + "versoin: 1\n"), HasSubstr("line 16: unknown key 'versoin'"));
    EXPECT_THAT(why("id: [\n"), HasSubstr("line "));
    EXPECT_THAT(why(text.replace(text.find("concurrentCalls: 4"), 18, "concurrentCalls: 0")),
                HasSubstr("line 12: 'concurrentCalls' must be between 1 and 256"));
}

TEST(Manifest, WrongValuesAreRefused) {
    auto with = [](const std::string& from, const std::string& to) {
        std::string text = kManifest;
        return why(text.replace(text.find(from), from.size(), to));
    };
    EXPECT_THAT(with("name: disk", "name: ../disk"), HasSubstr("'name' must"));
    EXPECT_THAT(with("name: disk", "name: Disk"), HasSubstr("'name' must"));
    EXPECT_THAT(with("com.example.disk", "disk"), HasSubstr("'id' must"));
    EXPECT_THAT(with("kind: volume", "kind: thing"), HasSubstr("'kind' must"));
    EXPECT_THAT(with("version: 1.2.3", "library: ../x.so\nversion: 1.2.3"), HasSubstr("'library' must"));
    EXPECT_THAT(with("version: 1.2.3", "sha256: abc\nversion: 1.2.3"), HasSubstr("'sha256' must"));
    EXPECT_THAT(with("minimum: 1,", "minimum: 3,"), HasSubstr("minimum is above maximum"));
    EXPECT_THAT(with("[keelson.volume/0]", "[]"), HasSubstr("'capabilities' must"));
    EXPECT_THAT(with("seccomp: unconfined", "seccomp: no"), HasSubstr("'seccomp' must"));
}

TEST(PluginSettings, AreReadWithTheirLines) {
    const YAML::Node node = YAML::Load(
        "name: disk\nisolation: in-process\nconfig:\n  size: 0\n  names: [a, '1']\nlimits: {concurrentCalls: "
        "2}\n");
    PluginSettings settings = read_plugin_settings(node);
    EXPECT_EQ(settings.name, "disk");
    EXPECT_EQ(settings.isolation, Isolation::in_process);
    EXPECT_EQ(settings.config, R"({"names":["a","1"],"size":0})");
    EXPECT_EQ(settings.limits->concurrent_calls, 2u);
    auto checked = check_against_schema(
        R"({"type":"object","properties":{"size":{"type":"integer","minimum":1},"names":{}}})",
        settings.config, settings.config_lines);
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error().message(), HasSubstr("line 4: config/size: "));
}

TEST(PluginSettings, UnknownKeysOfTheConfigurationAreNamed) {
    const YAML::Node node = YAML::Load("name: disk\nconfig:\n  sizee: 1\n");
    PluginSettings settings = read_plugin_settings(node);
    auto checked = check_against_schema(
        R"({"type":"object","properties":{"size":{"type":"integer"}},"additionalProperties":false})",
        settings.config, settings.config_lines);
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error().message(),
                HasSubstr("line 3: config/sizee: unknown key 'sizee' (known here: size)"));
}

}  // namespace
}  // namespace keelson::plugin
