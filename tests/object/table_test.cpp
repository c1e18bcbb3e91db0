#include "kernel/object/table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"
#include "tests/support/object_generator.h"

namespace keelson::object {
namespace {

using keelson::testing::ObjectGenerator;
using keelson::testing::top_level_types;

std::int64_t now() {
    return parse_time("2026-01-01T12:00:00Z")->seconds;
}

// The cell below a column, as JSON.
std::string cell(std::string_view type_id, std::string_view column, std::string_view json) {
    Arena arena;
    const Type& type = *find_type(type_id);
    auto value = conform(type, *parse_json(json, arena), arena);
    EXPECT_TRUE(value) << value.error().message();
    Value cells = table_cells(type, *value, now(), arena);
    auto columns = table_columns(type);
    EXPECT_EQ(cells.size(), columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i)
        if (columns[i].name == column) return to_json(cells.at(i));
    return "no such column";
}

std::string pod_status(std::string_view json) {
    return cell("core/v1.Pod", "Status", json);
}

TEST(Table, PodStatusIsThePhaseUnlessThereIsMoreToSay) {
    EXPECT_EQ(pod_status(R"({"status":{"phase":"Pending"}})"), "\"Pending\"");
    EXPECT_EQ(pod_status(R"({"status":{"phase":"Failed","reason":"Evicted"}})"), "\"Evicted\"");
    EXPECT_EQ(
        pod_status(
            R"({"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}})"),
        "\"SchedulingGated\"");
}

TEST(Table, PodStatusTellsOfContainers) {
    EXPECT_EQ(
        pod_status(
            R"({"status":{"phase":"Running","containerStatuses":[{"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}})"),
        "\"CrashLoopBackOff\"");
    EXPECT_EQ(
        pod_status(
            R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":3}}}]}})"),
        "\"ExitCode:3\"");
    EXPECT_EQ(
        pod_status(
            R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":137,"signal":9}}}]}})"),
        "\"Signal:9\"");
    EXPECT_EQ(
        pod_status(
            R"({"status":{"phase":"Failed","containerStatuses":[{"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}})"),
        "\"Error\"");
    // One has ended well, another runs.
    EXPECT_EQ(pod_status(R"({"status":{"phase":"Running","containerStatuses":[
        {"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"ready":true,"state":{"running":{}}}],
        "conditions":[{"type":"Ready","status":"True"}]}})"),
              "\"Running\"");
    EXPECT_EQ(pod_status(R"({"status":{"phase":"Running","containerStatuses":[
        {"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"ready":true,"state":{"running":{}}}]}})"),
              "\"NotReady\"");
}

TEST(Table, PodStatusTellsOfInitContainers) {
    EXPECT_EQ(
        pod_status(
            R"({"spec":{"initContainers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Pending","initContainerStatuses":[
        {"name":"a","state":{"terminated":{"exitCode":0}}},{"name":"b","state":{"waiting":{"reason":"PodInitializing"}}}]}})"),
        "\"Init:1/2\"");
    EXPECT_EQ(
        pod_status(
            R"({"spec":{"initContainers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[
        {"name":"a","state":{"terminated":{"exitCode":2}}}]}})"),
        "\"Init:ExitCode:2\"");
    EXPECT_EQ(
        pod_status(
            R"({"spec":{"initContainers":[{"name":"a"}]},"status":{"phase":"Pending","initContainerStatuses":[
        {"name":"a","state":{"waiting":{"reason":"ErrImagePull"}}}]}})"),
        "\"Init:ErrImagePull\"");
}

TEST(Table, PodsThatGoAreTerminating) {
    EXPECT_EQ(
        pod_status(
            R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Running"}})"),
        "\"Terminating\"");
    EXPECT_EQ(
        pod_status(
            R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Running","reason":"NodeLost"}})"),
        "\"Unknown\"");
    EXPECT_EQ(
        pod_status(
            R"({"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Succeeded"}})"),
        "\"Succeeded\"");
}

TEST(Table, PodsCountContainersAndRestarts) {
    constexpr std::string_view kPod = R"({"metadata":{"name":"p","creationTimestamp":"2026-01-01T11:00:00Z"},
        "spec":{"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"s","restartPolicy":"Always"},{"name":"i"}]},
        "status":{"phase":"Running","initContainerStatuses":[
            {"name":"s","started":true,"ready":true,"restartCount":2,"state":{"running":{}}},
            {"name":"i","restartCount":5,"state":{"terminated":{"exitCode":0}}}],
          "containerStatuses":[{"ready":true,"restartCount":1,"state":{"running":{}},
            "lastState":{"terminated":{"exitCode":1,"finishedAt":"2026-01-01T11:55:00Z"}}},
            {"ready":false,"state":{"running":{}}}]}})";
    EXPECT_EQ(cell("core/v1.Pod", "Ready", kPod), "\"2/3\"");
    EXPECT_EQ(cell("core/v1.Pod", "Restarts", kPod), "\"3 (5m ago)\"");
    EXPECT_EQ(cell("core/v1.Pod", "Age", kPod), "\"60m\"");
    EXPECT_EQ(cell("core/v1.Pod", "Name", kPod), "\"p\"");
    EXPECT_EQ(cell("core/v1.Pod", "Node", kPod), "\"<none>\"");
}

TEST(Table, FinishedPodsSaySoInTheirRow) {
    Arena arena;
    const Type& type = *find_type("core/v1.Pod");
    auto conditions = [&](std::string_view json) {
        return table_row_conditions(type, *conform(type, *parse_json_copy(json, arena), arena), arena);
    };
    EXPECT_TRUE(conditions(R"({"status":{"phase":"Running"}})").is_unset());
    EXPECT_EQ(conditions(R"({"status":{"phase":"Succeeded"}})").at(0)["type"].as_string(), "Completed");
    EXPECT_EQ(conditions(R"({"status":{"phase":"Failed"}})").size(), 1u);
}

TEST(Table, OtherKinds) {
    EXPECT_EQ(cell("apps/v1.Deployment", "Ready", R"({"spec":{"replicas":3},"status":{"readyReplicas":2}})"),
              "\"2/3\"");
    EXPECT_EQ(
        cell(
            "core/v1.Service", "Port(s)",
            R"({"spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}]}})"),
        "\"80:30080/TCP,53/UDP\"");
    EXPECT_EQ(cell("core/v1.Service", "External-IP", R"({"spec":{"type":"ClusterIP"}})"), "\"<none>\"");
    EXPECT_EQ(
        cell("core/v1.Node", "Status",
             R"({"spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}]}})"),
        "\"Ready,SchedulingDisabled\"");
    EXPECT_EQ(
        cell(
            "core/v1.Node", "Roles",
            R"({"metadata":{"labels":{"node-role.kubernetes.io/worker":"","node-role.kubernetes.io/control-plane":""}}})"),
        "\"control-plane,worker\"");
    EXPECT_EQ(cell("core/v1.ConfigMap", "Data", R"({"data":{"a":"1","b":"2"},"binaryData":{"c":""}})"), "3");
    EXPECT_EQ(cell("core/v1.Namespace", "Status", R"({"status":{"phase":"Active"}})"), "\"Active\"");
}

TEST(Table, EveryKindHasACellForEachColumn) {
    for (const Type* type : top_level_types()) {
        SCOPED_TRACE(std::string(type->id));
        auto columns = table_columns(*type);
        ASSERT_FALSE(columns.empty());
        EXPECT_GE(std::ranges::count(columns, "name", &Column::format), 1);
        for (std::uint64_t seed : {1, 2, 3}) {
            ObjectGenerator generator(seed, {.percent_set = 70});
            Arena arena;
            auto value = conform(*type, generator.generate(*type, arena), arena);
            ASSERT_TRUE(value);
            EXPECT_EQ(table_cells(*type, *value, now(), arena).size(), columns.size());
            Value empty = *conform(*type, Value::map(arena), arena);
            EXPECT_EQ(table_cells(*type, empty, now(), arena).size(), columns.size());
        }
    }
}

}  // namespace
}  // namespace keelson::object
