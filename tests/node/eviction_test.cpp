#include "kernel/node/eviction.h"

#include <fstream>

#include "kernel/object/json.h"
#include "tests/node/agent_fixture.h"

namespace keelson::node {
namespace {

constexpr std::int64_t kMebibyte = 1 << 20;
constexpr std::int64_t kMoreThanThereIs = std::int64_t{1} << 60;

std::shared_ptr<PodRecord> record_of(const std::string& name, const std::string& spec) {
    auto record = std::make_shared<PodRecord>();
    object::Document document;
    document.root = *object::parse_json_copy(
        R"({"metadata":{"name":")" + name + R"(","uid":")" + name + R"("},"spec":)" + spec + "}",
        document.arena);
    record->pod = std::make_shared<const client::CachedObject>(document.root, "Pod", "v1");
    record->uid = name;
    record->is_admitted = true;
    take_containers(*record);
    record->containers.front().current = Container();
    record->containers.front().current->id = name;
    return record;
}

std::string spec(const std::string& more, const std::string& resources = "{}") {
    return R"({"containers":[{"name":"web","resources":)" + resources + "}]" + more + "}";
}

// What containers use of memory and disk.
UsageReading reading_of(const std::vector<std::pair<std::string, std::int64_t>>& bytes) {
    UsageReading reading;
    for (const auto& [id, amount] : bytes) {
        reading.containers[id].usage.working_set_bytes = amount;
        reading.containers[id].usage.file_system_bytes = amount;
    }
    return reading;
}

const Shortage kMemoryIsLow{Pressure::memory, "memory", "100Mi", "51200Ki"};

TEST(Eviction, ThoseOverTheirRequestsGoFirst) {
    const auto modest = record_of("modest", spec("", R"({"requests":{"memory":"100Mi"}})"));
    const auto greedy = record_of("greedy", spec("", R"({"requests":{"memory":"1Mi"}})"));
    const auto chosen =
        choose_eviction(kMemoryIsLow, {modest, greedy},
                        reading_of({{"modest", 90 * kMebibyte}, {"greedy", 2 * kMebibyte}}), {});
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen->record->uid, "greedy");
    EXPECT_EQ(chosen->failure.reason, "Evicted");
    EXPECT_EQ(
        chosen->failure.message,
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51200Ki. Container "
        "web was using 2Mi, request is 1Mi, has larger consumption of memory. ");
}

TEST(Eviction, ThenThoseOfTheLowestPriorityThenTheLargest) {
    const auto important = record_of("important", spec(R"(,"priority":10)"));
    const auto small = record_of("small", spec(""));
    const auto large = record_of("large", spec(""));
    const auto chosen = choose_eviction(
        kMemoryIsLow, {important, small, large},
        reading_of({{"important", 50 * kMebibyte}, {"small", kMebibyte}, {"large", 3 * kMebibyte}}), {});
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen->record->uid, "large");
}

TEST(Eviction, CriticalPodsStay) {
    const auto critical = record_of("critical", spec(R"(,"priority":2000001000)"));
    EXPECT_FALSE(choose_eviction(kMemoryIsLow, {critical}, reading_of({{"critical", kMebibyte}}), {}));
}

TEST(Eviction, AContainerMayNotWriteMoreThanItsLimit) {
    const auto record = record_of("a", spec("", R"({"limits":{"ephemeral-storage":"1Mi"}})"));
    EXPECT_TRUE(has_disk_limit(record->object()));
    EXPECT_FALSE(over_its_disk(*record, reading_of({{"a", kMebibyte}}), {}));
    const auto failure = over_its_disk(*record, reading_of({{"a", kMebibyte + 1}}), {});
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->message, "Container web exceeded its local ephemeral storage limit \"1Mi\". ");
    PodDiskUsage logs;
    logs.log_bytes = kMebibyte;
    const auto together = over_its_disk(*record, reading_of({{"a", 1}}), logs);
    ASSERT_TRUE(together);
    EXPECT_EQ(together->message,
              "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ");
}

TEST(NodePressure, AConditionOutlivesItsCauseForAWhile) {
    const EvictionThresholds thresholds;
    NodePressure pressure(thresholds);
    MachineState state;
    state.available_memory_bytes = 50 * kMebibyte;
    state.disk_bytes = state.available_disk_bytes = 100 * kMebibyte;
    const base::MonotonicTime start{std::chrono::hours(1)};
    pressure.look(state, 0, start);
    ASSERT_EQ(pressure.shortages().size(), 1u);
    EXPECT_EQ(pressure.shortages()[0].threshold, "100Mi");
    EXPECT_EQ(pressure.shortages()[0].available, "51200Ki");
    EXPECT_TRUE(pressure.has(Pressure::memory));
    EXPECT_FALSE(pressure.has(Pressure::disk));
    state.available_memory_bytes = 500 * kMebibyte;
    pressure.look(state, 0, start + std::chrono::minutes(4));
    EXPECT_TRUE(pressure.shortages().empty());
    EXPECT_TRUE(pressure.has(Pressure::memory));
    pressure.look(state, 0, start + std::chrono::minutes(5));
    EXPECT_FALSE(pressure.has(Pressure::memory));
}

TEST(NodePressure, WhatCouldNotBeReadIsNoShortage) {
    const EvictionThresholds thresholds;
    NodePressure pressure(thresholds);
    pressure.look(MachineState(), 0, base::MonotonicTime{std::chrono::hours(1)});
    EXPECT_TRUE(pressure.shortages().empty());
    EXPECT_FALSE(pressure.has(Pressure::memory));
    EXPECT_FALSE(pressure.has(Pressure::disk));
}

TEST_F(AgentTest, APodOfANodeWithoutMemoryIsEvictedAndNoOtherTaken) {
    adjust = [this](NodeSettings& settings) {
        if (is_short_of_memory) settings.eviction.memory_available_bytes = kMoreThanThereIs;
    };
    start();
    create("a");
    ASSERT_EQ(phase("a"), "Running");
    stop();
    is_short_of_memory = true;
    start();
    ASSERT_TRUE(until([this] { return phase("a") == "Failed"; }));
    const resource::Outcome now = pod("a");
    EXPECT_EQ(now.text({"status", "reason"}), "Evicted");
    EXPECT_TRUE(now.text({"status", "message"}).starts_with("The node was low on resource: memory. "));
    EXPECT_EQ(condition("a", "DisruptionTarget"), "True");
    EXPECT_EQ(fake.log.count("stop_container"), 1u);
    create("b");
    EXPECT_EQ(pod("b").text({"status", "reason"}), "Evicted");
    EXPECT_EQ(pod("b").text({"status", "message"}), "The node had condition: [MemoryPressure]. ");
    const resource::Outcome node = cluster.get({"v1/nodes", {}, "n1"});
    for (const object::Value item : node["status"]["conditions"].items())
        if (item["type"].as_string() == "MemoryPressure") {
            EXPECT_EQ(item["status"].as_string(), "True");
        }
}

TEST_F(AgentTest, APodThatFillsItsEmptyDirIsEvicted) {
    start();
    const std::string uid = create(
        "a", R"("volumes":[{"name":"scratch","emptyDir":{"sizeLimit":"64Ki"}}])",
        R"([{"name":"web","image":"web:1","volumeMounts":[{"name":"scratch","mountPath":"/scratch"}]}])");
    ASSERT_EQ(phase("a"), "Running");
    cluster.executor.advance(std::chrono::seconds(11));
    EXPECT_EQ(phase("a"), "Running");
    const std::string path =
        directory.path() + "/root/pods/" + uid + "/volumes/kubernetes.io~empty-dir/scratch/full";
    std::ofstream file(path);
    file << std::string(100'000, 'x') << std::flush;
    ASSERT_TRUE(file) << path;
    ASSERT_TRUE(until([this] { return phase("a") == "Failed"; }));
    EXPECT_EQ(pod("a").text({"status", "message"}),
              "Usage of EmptyDir volume \"scratch\" exceeds the limit \"64Ki\". ");
}

TEST_F(AgentTest, AFullDiskLosesTheImagesThatNothingUses) {
    adjust = [](NodeSettings& settings) { settings.image_keeping = {.high_percent = 0, .low_percent = 0}; };
    fake.images.present["docker.io/library/old:1"] = FakeImages::make("docker.io/library/old:1");
    start();
    create("a");
    ASSERT_TRUE(until([this] { return !fake.images.present.contains("docker.io/library/old:1"); },
                      std::chrono::minutes(5)));
    EXPECT_TRUE(fake.images.present.contains("docker.io/library/web:1"));
}

}  // namespace
}  // namespace keelson::node
