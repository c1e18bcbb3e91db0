// Who comes next, who waits, and what brings them back.
#include <gtest/gtest.h>

#include "kernel/scheduling/queue.h"
#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class QueueTest : public ::testing::Test {
  protected:
    PodPointer add(const std::string& yaml) {
        PodPointer pod = world_.pod(yaml);
        queue_.add(pod, std::nullopt, now_);
        return pod;
    }
    std::string take() {
        QueuedPod* next = queue_.take(now_);
        return next ? next->pod->name : "";
    }
    // Takes the pod and has it refused.
    void refuse(const PodPointer& pod, PluginId plugin) {
        EXPECT_EQ(take(), pod->name);
        PluginSet plugins;
        plugins.insert(plugin);
        queue_.put_aside(pod->uid, plugins, now_);
    }
    void happened(ClusterEvent::Kind kind, const PodPointer& pod) {
        ClusterEvent event;
        event.kind = kind;
        if (kind == ClusterEvent::Kind::pod_removed)
            event.pod_before = pod.get();
        else
            event.pod = pod.get();
        queue_.happened(event, now_);
    }

    World world_;
    PodQueue queue_{world_.cluster};
    base::MonotonicTime now_{std::chrono::hours(1)};
};

TEST_F(QueueTest, ImportantPodsComeFirstThenOldOnes) {
    add("{metadata: {name: a}}");
    now_ += seconds(1);
    add("{metadata: {name: b}, spec: {priority: 5}}");
    now_ += seconds(1);
    add("{metadata: {name: c}}");
    EXPECT_EQ(take(), "b");
    EXPECT_EQ(take(), "a");
    EXPECT_EQ(take(), "c");
    EXPECT_EQ(take(), "");
}

TEST_F(QueueTest, GatedPodsWaitUntilTheirGatesAreGone) {
    add("{metadata: {name: a}, spec: {schedulingGates: [{name: g}]}}");
    EXPECT_EQ(queue_.gated(), 1U);
    EXPECT_EQ(take(), "");
    add("{metadata: {name: a}}");
    EXPECT_EQ(queue_.gated(), 0U);
    EXPECT_EQ(take(), "a");
}

TEST_F(QueueTest, RefusedPodsWaitForWhatMayHelp) {
    const PodPointer pod = add("{metadata: {name: a}}");
    const PodPointer other = world_.pod("{metadata: {name: other}}");
    refuse(pod, PluginId::node_resources_fit);
    happened(ClusterEvent::Kind::pod_added, other);
    EXPECT_EQ(queue_.aside(), 1U);
    happened(ClusterEvent::Kind::pod_removed, other);
    EXPECT_EQ(queue_.aside(), 0U);
    EXPECT_EQ(queue_.backing_off(), 1U);
}

TEST_F(QueueTest, PausesGrowWithRefusals) {
    const PodPointer pod = add("{metadata: {name: a}}");
    const PodPointer other = world_.pod("{metadata: {name: other}}");
    for (const seconds pause : {seconds(1), seconds(2), seconds(4), seconds(8), seconds(10), seconds(10)}) {
        refuse(pod, PluginId::node_resources_fit);
        happened(ClusterEvent::Kind::pod_removed, other);
        EXPECT_EQ(queue_.next_due(), now_ + pause);
        now_ += pause - milliseconds(1);
        queue_.advance(now_);
        EXPECT_EQ(queue_.active(), 0U);
        now_ += milliseconds(1);
        queue_.advance(now_);
        EXPECT_EQ(queue_.active(), 1U);
    }
}

TEST_F(QueueTest, WithNothingElseToDoAPauseIsCutShort) {
    const PodPointer pod = add("{metadata: {name: a}}");
    refuse(pod, PluginId::node_resources_fit);
    happened(ClusterEvent::Kind::pod_removed, world_.pod("{metadata: {name: other}}"));
    EXPECT_TRUE(queue_.has_next());
    EXPECT_EQ(take(), "a");
}

TEST_F(QueueTest, ErrorsAreWaitedOut) {
    const PodPointer pod = add("{metadata: {name: a}}");
    EXPECT_EQ(take(), "a");
    queue_.put_back(pod->uid, now_);
    EXPECT_FALSE(queue_.has_next());
    EXPECT_EQ(take(), "");
    now_ += seconds(1);
    queue_.advance(now_);
    EXPECT_EQ(take(), "a");
}

TEST_F(QueueTest, AfterFiveMinutesEverythingIsTriedAgain) {
    const PodPointer pod = add("{metadata: {name: a}}");
    refuse(pod, PluginId::node_affinity);
    EXPECT_EQ(queue_.next_due(), now_ + minutes(5));
    now_ += minutes(5);
    queue_.advance(now_);
    EXPECT_EQ(take(), "a");
}

TEST_F(QueueTest, PodsThatGoAreForgottenWhereverTheyAre) {
    const PodPointer active = add("{metadata: {name: active}}");
    queue_.remove(active->uid);
    const PodPointer aside = add("{metadata: {name: aside}}");
    refuse(aside, PluginId::node_affinity);
    queue_.nominations().set(aside, "n1");
    queue_.remove(aside->uid);
    const PodPointer taken = add("{metadata: {name: taken}}");
    EXPECT_EQ(take(), "taken");
    queue_.remove(taken->uid);
    queue_.put_aside(taken->uid, PluginSet(), now_);
    EXPECT_EQ(queue_.active() + queue_.aside() + queue_.gated(), 0U);
    EXPECT_TRUE(queue_.nominations().empty());
}

TEST_F(QueueTest, ANewTolerationBringsAPodBack) {
    const PodPointer pod = add("{metadata: {name: a}}");
    refuse(pod, PluginId::taint_toleration);
    add("{metadata: {name: a}, status: {phase: Pending}}");
    EXPECT_EQ(queue_.aside(), 1U);
    add("{metadata: {name: a}, spec: {tolerations: [{operator: Exists}]}}");
    EXPECT_EQ(queue_.aside(), 0U);
}

TEST_F(QueueTest, APodIsNotTriedWhileItsVictimsGo) {
    const PodPointer pod = add("{metadata: {name: a}}");
    refuse(pod, PluginId::node_resources_fit);
    queue_.preemption_started(pod->uid);
    happened(ClusterEvent::Kind::pod_removed, world_.pod("{metadata: {name: victim}}"));
    EXPECT_EQ(queue_.aside(), 1U);
    queue_.preemption_ended(pod->uid, false, now_);
    EXPECT_EQ(queue_.aside(), 0U);
    EXPECT_EQ(queue_.backing_off(), 1U);
}

TEST_F(QueueTest, AFailedPreemptionIsTriedAgain) {
    const PodPointer pod = add("{metadata: {name: a}}");
    refuse(pod, PluginId::node_resources_fit);
    queue_.preemption_started(pod->uid);
    queue_.preemption_ended(pod->uid, true, now_);
    EXPECT_EQ(queue_.active(), 1U);
}

TEST_F(QueueTest, NominationsFollowTheStatus) {
    const PodPointer pod = world_.pod("{metadata: {name: a}}");
    queue_.add(pod, "n1", now_);
    EXPECT_EQ(queue_.nominations().node_of(pod->uid), "n1");
    queue_.add(pod, std::nullopt, now_);
    EXPECT_EQ(queue_.nominations().node_of(pod->uid), "n1");
    queue_.add(pod, "", now_);
    EXPECT_EQ(queue_.nominations().node_of(pod->uid), "");
}

// What brings back a pod that one plugin refused.
struct HintCase {
    const char* name;
    PluginId plugin;
    const char* pod;
    ClusterEvent::Kind kind;
    const char* before;  // YAML of a pod or node, or empty
    const char* now;
    bool helps;
};

class HintTest : public ::testing::TestWithParam<HintCase> {};

TEST_P(HintTest, Decides) {
    using Kind = ClusterEvent::Kind;
    const HintCase& test = GetParam();
    World world;
    ClusterEvent event;
    event.kind = test.kind;
    PodPointer pod_before, pod_now;
    NodeInfo node_before, node_now;
    const bool about_node = test.kind >= Kind::node_added && test.kind <= Kind::node_removed;
    if (*test.before != '\0' && about_node) {
        node_before.set_node(api_types::core_v1::Node(world.parse(test.before)));
        event.node_before = &node_before;
    } else if (*test.before != '\0') {
        pod_before = world.pod(test.before);
        event.pod_before = pod_before.get();
    }
    if (*test.now != '\0' && about_node) {
        node_now.set_node(api_types::core_v1::Node(world.parse(test.now)));
        event.node = &node_now;
    } else if (*test.now != '\0') {
        pod_now = world.pod(test.now);
        event.pod = pod_now.get();
    }
    EXPECT_EQ(may_help(test.plugin, *world.pod(test.pod), event, world.cluster), test.helps);
}

using Kind = ClusterEvent::Kind;
constexpr const char* kOneCpu = "{spec: {containers: [{name: c, resources: {requests: {cpu: '1'}}}]}}";
constexpr const char* kSmallNode =
    "{metadata: {name: n1}, status: {allocatable: {cpu: 500m, memory: 1Gi, pods: '10'}}}";
constexpr const char* kLargeNode =
    "{metadata: {name: n1}, status: {allocatable: {cpu: '2', memory: 1Gi, pods: '10'}}}";
constexpr const char* kSpread =
    "{metadata: {labels: {app: web}}, spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, "
    "labelSelector: {matchLabels: {app: web}}}]}}";
constexpr const char* kApart =
    "{spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: "
    "{matchLabels: {app: web}}, topologyKey: zone}]}}}}";

INSTANTIATE_TEST_SUITE_P(
    Events, HintTest,
    ::testing::Values(
        HintCase{"FitNewLargeNode", PluginId::node_resources_fit, kOneCpu, Kind::node_added, "", kLargeNode,
                 true},
        HintCase{"FitNewSmallNode", PluginId::node_resources_fit, kOneCpu, Kind::node_added, "", kSmallNode,
                 false},
        HintCase{"FitNodeGrew", PluginId::node_resources_fit, kOneCpu, Kind::node_changed, kSmallNode,
                 kLargeNode, true},
        HintCase{"FitNodeAlike", PluginId::node_resources_fit, kOneCpu, Kind::node_changed, kLargeNode,
                 kLargeNode, false},
        HintCase{"CordonLifted", PluginId::node_unschedulable, "{}", Kind::node_changed,
                 "{metadata: {name: n1}, spec: {unschedulable: true}}", "{metadata: {name: n1}}", true},
        HintCase{"StillCordoned", PluginId::node_unschedulable, "{}", Kind::node_changed,
                 "{metadata: {name: n1}, spec: {unschedulable: true}}",
                 "{metadata: {name: n1, labels: {a: b}}, spec: {unschedulable: true}}", false},
        HintCase{"TaintGone", PluginId::taint_toleration, "{}", Kind::node_changed,
                 "{metadata: {name: n1}, spec: {taints: [{key: k, effect: NoSchedule}]}}",
                 "{metadata: {name: n1}}", true},
        HintCase{"LabelCame", PluginId::node_affinity, "{spec: {nodeSelector: {disk: ssd}}}",
                 Kind::node_changed, "{metadata: {name: n1}}", "{metadata: {name: n1, labels: {disk: ssd}}}",
                 true},
        HintCase{"OtherLabelCame", PluginId::node_affinity, "{spec: {nodeSelector: {disk: ssd}}}",
                 Kind::node_changed, "{metadata: {name: n1}}", "{metadata: {name: n1, labels: {disk: hdd}}}",
                 false},
        HintCase{"PortFreed", PluginId::node_ports, "{spec: {containers: [{ports: [{hostPort: 80}]}]}}",
                 Kind::pod_removed, "{spec: {containers: [{ports: [{hostPort: 80}]}]}}", "", true},
        HintCase{"OtherPortFreed", PluginId::node_ports, "{spec: {containers: [{ports: [{hostPort: 80}]}]}}",
                 Kind::pod_removed, "{spec: {containers: [{ports: [{hostPort: 81}]}]}}", "", false},
        HintCase{"SpreadPodCame", PluginId::pod_topology_spread, kSpread, Kind::pod_added, "",
                 "{metadata: {labels: {app: web}}}", true},
        HintCase{"SpreadOtherPodCame", PluginId::pod_topology_spread, kSpread, Kind::pod_added, "",
                 "{metadata: {labels: {app: db}}}", false},
        HintCase{"ApartPodWent", PluginId::inter_pod_affinity, kApart, Kind::pod_removed,
                 "{metadata: {labels: {app: web}}}", "", true},
        HintCase{"ApartOtherPodWent", PluginId::inter_pod_affinity, kApart, Kind::pod_removed,
                 "{metadata: {labels: {app: db}}}", "", false},
        HintCase{"ApartPodCame", PluginId::inter_pod_affinity, kApart, Kind::pod_added, "",
                 "{metadata: {labels: {app: web}}}", false}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace keelson::scheduling
