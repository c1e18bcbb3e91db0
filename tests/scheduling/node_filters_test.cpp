// The filters on single nodes, by what Kubernetes says when all nodes are refused.
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

constexpr const char* kNoPreemption =
    " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for "
    "scheduling.";
constexpr const char* kNoVictims =
    " no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for "
    "incoming "
    "pod.";

struct NodeCase {
    const char* name;
    const char* node;
    const char* running;  // a pod that is there already, or empty
    const char* pod;
    const char* reason;  // empty: it fits
    bool may_preempt = false;
};

class NodeFilterTest : public ::testing::TestWithParam<NodeCase> {};

TEST_P(NodeFilterTest, Decides) {
    const NodeCase& test = GetParam();
    World world;
    world.node(test.node);
    if (*test.running != '\0') world.running("n1", test.running);
    std::string expected = "n1";
    if (*test.reason != '\0')
        expected = std::string("0/1 nodes are available: ") + test.reason + "." +
                   (test.may_preempt ? kNoVictims : kNoPreemption);
    EXPECT_EQ(world.outcome(test.pod), expected);
}

constexpr const char* kPlain = "{metadata: {name: n1}}";
constexpr const char* kCordoned = "{metadata: {name: n1}, spec: {unschedulable: true}}";
constexpr const char* kTainted =
    "{metadata: {name: n1}, spec: {taints: [{key: k, value: v, effect: NoSchedule}]}}";
constexpr const char* kLabelled = "{metadata: {name: n1, labels: {cores: '8', disk: ssd}}}";

INSTANTIATE_TEST_SUITE_P(
    Cordon, NodeFilterTest,
    ::testing::Values(
        NodeCase{"KeepsPodsOut", kCordoned, "", "{}", "1 node(s) were unschedulable"},
        NodeCase{"IsTolerated", kCordoned, "",
                 "{spec: {tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists}]}}", ""}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Taints, NodeFilterTest,
    ::testing::Values(
        NodeCase{"KeepPodsOut", kTainted, "", "{}", "1 node(s) had untolerated taint(s)"},
        NodeCase{"AreToleratedByValue", kTainted, "", "{spec: {tolerations: [{key: k, value: v}]}}", ""},
        NodeCase{"AreNotToleratedByAnotherValue", kTainted, "", "{spec: {tolerations: [{key: k, value: w}]}}",
                 "1 node(s) had untolerated taint(s)"},
        NodeCase{"AreToleratedByExistence", kTainted, "",
                 "{spec: {tolerations: [{operator: Exists, effect: NoSchedule}]}}", ""},
        NodeCase{"AreNotToleratedForAnotherEffect", kTainted, "",
                 "{spec: {tolerations: [{key: k, operator: Exists, effect: NoExecute}]}}",
                 "1 node(s) had untolerated taint(s)"},
        NodeCase{"ThatOnlyPreferDoNotRefuse",
                 "{metadata: {name: n1}, spec: {taints: [{key: k, effect: PreferNoSchedule}]}}", "", "{}",
                 ""}),
    [](const auto& test) { return std::string(test.param.name); });

#define AFFINITY(terms)                                                                                      \
    "{spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: " \
    "[" terms "]}}}}}"

constexpr const char* kNoMatch = "1 node(s) didn't match Pod's node affinity/selector";

INSTANTIATE_TEST_SUITE_P(
    NodeAffinity, NodeFilterTest,
    ::testing::Values(
        NodeCase{"SelectorMatches", kLabelled, "", "{spec: {nodeSelector: {disk: ssd}}}", ""},
        NodeCase{"SelectorRefuses", kLabelled, "", "{spec: {nodeSelector: {disk: tape}}}", kNoMatch},
        NodeCase{"In", kLabelled, "",
                 AFFINITY("{matchExpressions: [{key: disk, operator: In, values: [hdd, ssd]}]}"), ""},
        NodeCase{"NotInRefuses", kLabelled, "",
                 AFFINITY("{matchExpressions: [{key: disk, operator: NotIn, values: [ssd]}]}"), kNoMatch},
        NodeCase{"NotInAcceptsWithoutLabel", kPlain, "",
                 AFFINITY("{matchExpressions: [{key: disk, operator: NotIn, values: [ssd]}]}"), ""},
        NodeCase{"Exists", kPlain, "", AFFINITY("{matchExpressions: [{key: disk, operator: Exists}]}"),
                 kNoMatch},
        NodeCase{"DoesNotExist", kPlain, "",
                 AFFINITY("{matchExpressions: [{key: disk, operator: DoesNotExist}]}"), ""},
        NodeCase{"GreaterThan", kLabelled, "",
                 AFFINITY("{matchExpressions: [{key: cores, operator: Gt, values: ['7']}]}"), ""},
        NodeCase{"LessThanRefuses", kLabelled, "",
                 AFFINITY("{matchExpressions: [{key: cores, operator: Lt, values: ['8']}]}"), kNoMatch},
        NodeCase{"AnyTermIsEnough", kLabelled, "",
                 AFFINITY("{matchExpressions: [{key: a, operator: Exists}]}, "
                          "{matchExpressions: [{key: disk, operator: Exists}]}"),
                 ""},
        NodeCase{"EmptyTermMatchesNothing", kLabelled, "", AFFINITY("{}"), kNoMatch},
        NodeCase{"FieldsNameTheNode", kPlain, "",
                 AFFINITY("{matchFields: [{key: metadata.name, operator: In, values: [n1]}]}"), ""},
        NodeCase{"FieldsNameAnother", kPlain, "",
                 AFFINITY("{matchFields: [{key: metadata.name, operator: In, values: [n2]}]}"),
                 "1 node(s) didn't satisfy plugin(s) [NodeAffinity]"}),
    [](const auto& test) { return std::string(test.param.name); });

#define PORT(text) "{spec: {containers: [{name: c, ports: [{containerPort: 80, " text "}]}]}}"

constexpr const char* kNoPort = "1 node(s) didn't have free ports for the requested pod ports";

INSTANTIATE_TEST_SUITE_P(
    HostPorts, NodeFilterTest,
    ::testing::Values(
        NodeCase{"Conflict", kPlain, "{metadata: {name: r}, spec: {containers: [{ports: [{hostPort: 80}]}]}}",
                 PORT("hostPort: 80"), kNoPort, true},
        NodeCase{"OtherPort", kPlain,
                 "{metadata: {name: r}, spec: {containers: [{ports: [{hostPort: 80}]}]}}",
                 PORT("hostPort: 81"), ""},
        NodeCase{"OtherProtocol", kPlain,
                 "{metadata: {name: r}, spec: {containers: [{ports: [{hostPort: 80, protocol: UDP}]}]}}",
                 PORT("hostPort: 80"), ""},
        NodeCase{"OtherAddress", kPlain,
                 "{metadata: {name: r}, spec: {containers: [{ports: [{hostPort: 80, hostIP: 127.0.0.1}]}]}}",
                 PORT("hostPort: 80, hostIP: 127.0.0.2"), ""},
        NodeCase{"AnyAddressConflictsWithEach", kPlain,
                 "{metadata: {name: r}, spec: {containers: [{ports: [{hostPort: 80, hostIP: 127.0.0.1}]}]}}",
                 PORT("hostPort: 80, hostIP: 0.0.0.0"), kNoPort, true}),
    [](const auto& test) { return std::string(test.param.name); });

#define REQUEST(text) "{spec: {containers: [{name: c, resources: {requests: {" text "}}}]}}"
#define RUNNING(text) \
    "{metadata: {name: r}, spec: {containers: [{name: c, resources: {requests: {" text "}}}]}}"

INSTANTIATE_TEST_SUITE_P(
    Resources, NodeFilterTest,
    ::testing::Values(
        NodeCase{"CpuFits", kPlain, RUNNING("cpu: '3'"), REQUEST("cpu: '1'"), ""},
        NodeCase{"CpuIsTaken", kPlain, RUNNING("cpu: '3'"), REQUEST("cpu: 1001m"), "1 Insufficient cpu",
                 true},
        NodeCase{"CpuIsMoreThanTheNodeHas", kPlain, "", REQUEST("cpu: '5'"), "1 Insufficient cpu"},
        NodeCase{"SeveralAreMissing", kPlain, RUNNING("cpu: '3', memory: 7Gi"),
                 REQUEST("cpu: '2', memory: 2Gi"), "1 Insufficient cpu, 1 Insufficient memory", true},
        NodeCase{"Disk", kPlain, "", REQUEST("ephemeral-storage: 200Gi"), "1 Insufficient ephemeral-storage"},
        NodeCase{"ExtendedResource", kPlain, "", REQUEST("example.com/gpu: '1'"),
                 "1 Insufficient example.com/gpu"},
        NodeCase{"ExtendedResourceFits",
                 "{metadata: {name: n1}, status: {allocatable: {example.com/gpu: '1'}}}", "",
                 REQUEST("example.com/gpu: '1'"), ""},
        NodeCase{"ExtendedResourceIsTaken",
                 "{metadata: {name: n1}, status: {allocatable: {example.com/gpu: '1'}}}",
                 RUNNING("example.com/gpu: '1'"), REQUEST("example.com/gpu: '1'"),
                 "1 Insufficient example.com/gpu", true},
        NodeCase{"TooManyPods", "{metadata: {name: n1}, status: {allocatable: {pods: '1'}}}", RUNNING(""),
                 REQUEST(""), "1 Too many pods", true}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(NodeNameTest, APodThatNamesANodeGoesThere) {
    World world;
    world.three_nodes();
    EXPECT_TRUE(world.always_goes_to("n2", "{spec: {nodeName: n2}}"));
}

TEST(NodeAffinityTest, TermsThatNameNoCommonNodeConflict) {
    World world;
    world.three_nodes();
    EXPECT_EQ(world.outcome(AFFINITY("{matchFields: [{key: metadata.name, operator: In, values: [n1]}, "
                                     "{key: metadata.name, operator: In, values: [n2]}]}")),
              "0/3 nodes are available: pod affinity terms conflict. not found");
}

}  // namespace
}  // namespace keelson::scheduling
