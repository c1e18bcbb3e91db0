// Descriptions without a server: what depends on time, and on objects that cannot be had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/describe/describe.h"

namespace keelson::cli::describing {
namespace {

using testing::HasSubstr;
using testing::Not;

class World final : public Related {
  public:
    Result<Json> list(const std::string& type, const std::string&, const ListQuery& query) override {
        asked.push_back(type + "?" + query.labels + query.fields);
        const auto found = lists.find(type);
        if (found == lists.end()) return fail("they cannot be read");
        return Json{{"items", found->second}};
    }
    Result<Json> get(const std::string&, const std::string&, const std::string& name) override {
        return fail(name + " cannot be read");
    }

    std::map<std::string, Json> lists;
    std::vector<std::string> asked;
};

constexpr std::int64_t kNow = 1'704'164'645;  // 2024-01-02T03:04:05Z

Json config_map() {
    return Json::parse(
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","namespace":"a","uid":"u"},
        "data":{"k":"v"}})");
}

TEST(Events, AreSortedAndTellHowOftenAndHowLongAgo) {
    World world;
    world.lists["events"] = Json::parse(R"([
        {"type":"Warning","reason":"Late","message":"two\n","source":{"component":"c"},"count":3,
         "firstTimestamp":"2024-01-02T02:04:05Z","lastTimestamp":"2024-01-02T03:03:05Z"},
        {"type":"Normal","reason":"Early","message":"one","reportingComponent":"r",
         "firstTimestamp":"2024-01-01T03:04:05Z","lastTimestamp":"2024-01-01T03:04:05Z"},
        {"type":"Normal","reason":"Series","message":"many","reportingComponent":"r","eventTime":"2024-01-02T03:00:00.000000Z",
         "series":{"count":7,"lastObservedTime":"2024-01-02T03:04:00.000000Z"}}])");
    const std::string text = describe(config_map(), world, {.now = kNow});
    EXPECT_THAT(text, HasSubstr("Events:\n"
                                "  Type     Reason  Age                From  Message\n"
                                "  ----     ------  ----               ----  -------\n"
                                "  Normal   Series  5s (x7 over 4m5s)  r     many\n"
                                "  Normal   Early   24h                r     one\n"
                                "  Warning  Late    60s (x3 over 60m)  c     two\n"));
    EXPECT_THAT(world.asked,
                testing::ElementsAre("events?involvedObject.name=m,involvedObject.kind=ConfigMap,"
                                     "involvedObject.uid=u,involvedObject.namespace=a"));
}

TEST(Events, AreLeftOutOnDemandAndWhenTheyCannotBeRead) {
    World world;
    EXPECT_THAT(describe(config_map(), world, {.shows_events = false}), Not(HasSubstr("Events")));
    EXPECT_THAT(describe(config_map(), world, {}), HasSubstr("Events:  <none>\n"));
}

TEST(Pods, BeingDeletedTellForHowLong) {
    World world;
    const Json pod = Json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"a",
        "deletionTimestamp":"2024-01-02T03:02:05Z","deletionGracePeriodSeconds":30},
        "spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Running"}})");
    const std::string text = describe(pod, world, {.now = kNow});
    EXPECT_THAT(text, HasSubstr("Status:                    Terminating (lasts 2m)\n"
                                "Termination Grace Period:  30s\n"));
}

TEST(Nodes, TellWhatCannotBeRead) {
    World world;
    const std::string text = describe(
        Json::parse(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})"), world, {.now = kNow});
    EXPECT_THAT(text, HasSubstr("Lease:              Failed to get lease: n cannot be read\n"));
    EXPECT_THAT(text, HasSubstr("Pods:                         not authorized\n"));
}

TEST(Nodes, AddUpWhatTheirPodsAskFor) {
    World world;
    world.lists["pods"] =
        Json::parse(R"([{"metadata":{"name":"p","namespace":"a","creationTimestamp":"2024-01-02T03:03:05Z"},
        "spec":{"containers":[{"resources":{"requests":{"cpu":"500m","memory":"1Gi"},"limits":{"cpu":"1"}}}],
          "initContainers":[{"resources":{"requests":{"cpu":"800m"}}},
            {"restartPolicy":"Always","resources":{"requests":{"cpu":"100m"}}}],
          "overhead":{"memory":"1Gi"}}}])");
    const std::string text = describe(Json::parse(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},
        "status":{"allocatable":{"cpu":"2","memory":"4Gi","x.y/gpu":"1"}}})"),
                                      world, {.now = kNow});
    EXPECT_THAT(text, HasSubstr("  a                           p       800m (40%)    1 (50%)     2Gi (50%)   "
                                "     0 (0%)         60s\n"));
    EXPECT_THAT(text, HasSubstr("  x.y/gpu            0           0\n"));
}

TEST(AnyKind, IsDescribedByItsMembers) {
    World world;
    world.lists["events"] = Json::array();
    const Json object = Json::parse(
        R"({"apiVersion":"ex.io/v1","kind":"Foo","metadata":{"name":"f","namespace":"a","uid":"u"},
        "spec":{"clusterIPs":["x"],"APIVersion":"y","deepField":{"uid":1},"x_y":null,"list":[{"a":true}]}})");
    EXPECT_EQ(describe(object, world, {.now = kNow}),
              "Name:         f\nNamespace:    a\nLabels:       <none>\nAnnotations:  <none>\nAPI Version:  "
              "ex.io/v1\n"
              "Kind:         Foo\nMetadata:\n  UID:  u\nSpec:\n  API Version:  y\n  Cluster I Ps:\n    x\n"
              "  Deep Field:\n    UID:  1\n  List:\n    A:   true\n  x_y:   <nil>\nEvents:  <none>\n");
}

}  // namespace
}  // namespace keelson::cli::describing
