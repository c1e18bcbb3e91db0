#include "kernel/control/node_lifecycle.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "kernel/base/gather.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/coordination_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::coordination_v1::Lease;
using api_types::core_v1::Node;
using api_types::core_v1::NodeCondition;
using api_types::core_v1::Pod;
using api_types::core_v1::PodCondition;
using api_types::core_v1::Taint;
using base::MonotonicTime;
using base::Result;
using base::Task;
using client::EventType;
using client::PatchType;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kNodes = client::collections::nodes;
constexpr std::string_view kLeaseNamespace = "kube-node-lease";
// A node that is silent for so long is not known to be there; a new one has a little longer for its first
// word.
constexpr base::Duration kGrace = std::chrono::seconds(50);
constexpr base::Duration kFirstGrace = std::chrono::seconds(60);
constexpr std::array kHeartbeatConditions = {std::string_view("Ready"), std::string_view("MemoryPressure"),
                                             std::string_view("DiskPressure"),
                                             std::string_view("PIDPressure")};

constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr std::string_view kUnschedulable = "node.kubernetes.io/unschedulable";
constexpr std::string_view kNoSchedule = "NoSchedule";
constexpr std::string_view kNoExecute = "NoExecute";

// A condition in a certain status keeps new pods away.
struct ConditionTaint {
    std::string_view condition;
    std::string_view status;
    std::string_view key;
};
constexpr std::array<ConditionTaint, 6> kConditionTaints = {
    {{"Ready", "False", kNotReady},
     {"Ready", "Unknown", kUnreachable},
     {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
     {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
     {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
     {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"}}};

Node node_of(const ObjectPointer& object) {
    return Node(object->root());
}

std::string_view condition_status(Node node, std::string_view type) {
    return NodeCondition(find_condition(node.status().conditions().untyped(), type)).status();
}

bool is_ready_node(const ObjectPointer& node) {
    return condition_status(node_of(node), "Ready") == "True";
}

bool has_taint(Node node, std::string_view key, std::string_view effect) {
    for (const Taint taint : node.spec().taints())
        if (taint.key() == key && taint.effect() == effect) return true;
    return false;
}

// Taints that are this controller's to give and to take.
bool is_own_taint(Taint taint) {
    if (taint.effect() == kNoExecute) return taint.key() == kNotReady || taint.key() == kUnreachable;
    if (taint.effect() != kNoSchedule) return false;
    return taint.key() == kUnschedulable ||
           std::ranges::any_of(kConditionTaints,
                               [&](const ConditionTaint& known) { return known.key == taint.key(); });
}

struct WantedTaint {
    std::string_view key;
    std::string_view effect;
};

class NodeLifecycleController final : public Controller {
  public:
    explicit NodeLifecycleController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          nodes_(surroundings.informers.of(kNodes)),
          leases_(surroundings.informers.of(client::collections::leases)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder("node-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "node-lifecycle"; }

    void watch(Queue& queue) override {
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            count(before, now, queue);
            if (!now) {
                heard_.erase(before->key().name);
                return;
            }
            hear(now->key().name, heartbeat_of(before), heartbeat_of(now));
            queue.add(now->key());
        });
        leases_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (!now || now->key().namespace_name != kLeaseNamespace) return;
            hear(now->key().name, before ? Lease(before->root()).spec().renew_time() : std::string_view(),
                 Lease(now->root()).spec().renew_time());
            const ObjectPointer node = nodes_.get({"", now->key().name});
            if (node && !is_ready_node(node)) queue.add(node->key());
        });
        index_by_node(pods_);
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer node = nodes_.get(key);
        if (!node) co_return done();
        const base::Duration silence = silence_of(node);
        const base::Duration grace = condition_status(node_of(node), "Ready").empty() ? kFirstGrace : kGrace;
        if (silence >= grace && condition_status(node_of(node), "Ready") != "Unknown") {
            auto marking = mark_unknown(node, writer);
            KEELSON_CO_TRY_VOID(co_await marking);
            co_return done();
        }
        auto tainting = write_taints(node, writer);
        KEELSON_CO_TRY_VOID(co_await tainting);
        if (!is_ready_node(node) && !condition_status(node_of(node), "Ready").empty()) {
            auto marking = mark_pods(node, writer);
            KEELSON_CO_TRY_VOID(co_await marking);
        }
        if (silence < grace) co_return again_after(grace - silence);
        co_return done();
    }

  private:
    static std::string_view heartbeat_of(const ObjectPointer& node) {
        if (!node) return {};
        return NodeCondition(find_condition(node_of(node).status().conditions().untyped(), "Ready"))
            .last_heartbeat_time();
    }

    // Clocks of nodes differ: that it changed counts, not what it says.
    void hear(const std::string& node, std::string_view before, std::string_view now) {
        if (!heard_.contains(node) || before != now) heard_[node] = surroundings_.executor.clock().now();
    }
    [[nodiscard]] base::Duration silence_of(const ObjectPointer& node) const {
        const auto heard = heard_.find(node->key().name);
        if (heard == heard_.end()) return base::Duration::zero();
        return surroundings_.executor.clock().now() - heard->second;
    }
    // The first node that is ready again, or the last that no longer is, matters to all that are not.
    void count(const ObjectPointer& before, const ObjectPointer& now, Queue& queue) {
        const bool was_any = ready_count_ > 0;
        if (before && is_ready_node(before)) --ready_count_;
        if (now && is_ready_node(now)) ++ready_count_;
        const ObjectKey& key = now ? now->key() : before->key();
        if (now && !is_ready_node(now))
            unready_.insert(key);
        else
            unready_.erase(key);
        if (was_any == (ready_count_ > 0)) return;
        for (const ObjectKey& unready : unready_) queue.add(unready);
    }

    Task<Result<void>> mark_unknown(ObjectPointer node, Writer& writer) {
        Document changed = node->clone();
        Arena& arena = changed.arena;
        const Value conditions = Node(changed.root).make_status(arena).make_conditions(arena).untyped();
        const std::string now = object::format_time(object::instant_of(surroundings_.now()));
        for (const std::string_view type : kHeartbeatConditions) {
            const bool is_new = !find_condition(conditions, type).is_set();
            set_condition(
                conditions,
                {type, "Unknown", is_new ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
                 is_new ? "Kubelet never posted node status." : "Kubelet stopped posting node status."},
                surroundings_.now(), arena);
            if (is_new) NodeCondition(find_condition(conditions, type)).set_last_heartbeat_time(arena, now);
        }
        auto updating = writer.update_status(kNodes, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        if (is_ready_node(node))
            events_->record(node->root(), EventType::normal, "NodeNotReady",
                            "Node " + node->key().name + " status is now: NodeNotReady");
        co_return base::ok();
    }

    [[nodiscard]] std::vector<WantedTaint> wanted_taints(Node node) const {
        std::vector<WantedTaint> wanted;
        for (const ConditionTaint& known : kConditionTaints)
            if (condition_status(node, known.condition) == known.status)
                wanted.push_back({known.key, kNoSchedule});
        if (node.spec().unschedulable()) wanted.push_back({kUnschedulable, kNoSchedule});
        const std::string_view ready = condition_status(node, "Ready");
        const bool is_unready = ready == "False" || ready == "Unknown";
        // When no node at all is ready, it is rather we who do not hear: then nobody is made to leave.
        if (is_unready && ready_count_ > 0)
            wanted.push_back({ready == "False" ? kNotReady : kUnreachable, kNoExecute});
        return wanted;
    }

    Task<Result<void>> write_taints(ObjectPointer object, Writer& writer) {
        const Node node = node_of(object);
        // Before its first word nobody knows what to take away.
        if (condition_status(node, "Ready").empty()) co_return base::ok();
        const std::vector<WantedTaint> wanted = wanted_taints(node);
        Document patch;
        Arena& arena = patch.arena;
        patch.root = Value::map(arena);
        const Node changed(patch.root);
        changed.make_metadata(arena).set_resource_version(arena, node.metadata().resource_version());
        const auto taints = changed.make_spec(arena).make_taints(arena);
        bool is_changed = false;
        for (const Taint present : node.spec().taints()) {
            const bool stays =
                !is_own_taint(present) || std::ranges::any_of(wanted, [&](const WantedTaint& taint) {
                    return taint.key == present.key() && taint.effect == present.effect();
                });
            if (stays) taints.add(arena, present);
            is_changed |= !stays;
        }
        const std::string now = object::format_time(object::instant_of(surroundings_.now()));
        for (const WantedTaint& taint : wanted) {
            if (has_taint(node, taint.key, taint.effect)) continue;
            const Taint added = taints.add(arena);
            added.set_key(arena, taint.key);
            added.set_effect(arena, taint.effect);
            added.set_time_added(arena, now);
            is_changed = true;
        }
        if (!is_changed) co_return base::ok();
        auto patching = writer.patch(kNodes, object->key(), PatchType::merge, patch.root, {});
        const Writer::Object patched = co_await patching;
        if (!patched && patched.error().code() != 404) co_return patched.error();
        co_return base::ok();
    }

    // Nobody on the node can say any more that its pods are not ready.
    Task<Result<void>> mark_pods(ObjectPointer node, Writer& writer) {
        std::vector<Task<Result<void>>> tasks;
        for (const ObjectPointer& pod : pods_.indexed(pods_by_node, node->key().name))
            if (is_ready(pod_of(pod))) tasks.push_back(mark_pod(pod, writer));
        auto marking = base::gather(std::move(tasks));
        const std::vector<Result<void>> results = co_await marking;
        for (const Result<void>& result : results)
            if (!result) co_return result.error();
        co_return base::ok();
    }
    Task<Result<void>> mark_pod(ObjectPointer pod, Writer& writer) {
        Document changed = pod->clone();
        Arena& arena = changed.arena;
        const Value conditions = Pod(changed.root).make_status(arena).make_conditions(arena).untyped();
        const PodCondition ready(find_condition(conditions, "Ready"));
        ready.set_status(arena, "False");
        ready.set_last_transition_time(arena, object::format_time(object::instant_of(surroundings_.now())));
        auto updating = writer.update_status(client::collections::pods, changed.root);
        const Writer::Object updated = co_await updating;
        if (!updated && updated.error().code() != 404) co_return updated.error();
        events_->record(pod->root(), EventType::warning, "NodeNotReady", "Node is not ready");
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& nodes_;
    Informer& leases_;
    Informer& pods_;
    std::map<std::string, MonotonicTime, std::less<>> heard_;
    std::set<ObjectKey> unready_;
    std::size_t ready_count_ = 0;
    std::unique_ptr<client::EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_node_lifecycle_controller(const Surroundings& surroundings) {
    return std::make_unique<NodeLifecycleController>(surroundings);
}

}  // namespace keelson::control
