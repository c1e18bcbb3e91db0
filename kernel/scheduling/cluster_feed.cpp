#include "kernel/scheduling/cluster_feed.h"

#include "kernel/client/collections.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/policy_v1.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;
namespace storage_v1 = api_types::storage_v1;
namespace apps_v1 = api_types::apps_v1;

using client::ObjectPointer;
using Kind = ClusterEvent::Kind;

constexpr client::Collection kCsiDrivers{"storage.k8s.io", "v1", "csidrivers"};
constexpr client::Collection kCsiCapacities{"storage.k8s.io", "v1", "csistoragecapacities"};

const client::CachedObject& either(const ObjectPointer& before, const ObjectPointer& now) {
    return now ? *now : *before;
}

bool has_ended(core_v1::Pod pod) {
    const std::string_view phase = pod.status().phase();
    return phase == "Succeeded" || phase == "Failed";
}

std::string nominated_node(const ObjectPointer& object) {
    if (!object) return {};
    return std::string(core_v1::Pod(object->root()).status().nominated_node_name());
}

// Heartbeats change nothing of this.
bool is_alike(const NodeInfo& one, const NodeInfo& other) {
    return one.is_unschedulable == other.is_unschedulable && one.labels == other.labels &&
           one.taints == other.taints && one.allocatable == other.allocatable && one.images == other.images;
}

// What a hint looks at, without the pods.
NodeInfo outline(const NodeInfo& node) {
    NodeInfo made;
    made.name = node.name;
    made.exists = true;
    made.is_unschedulable = node.is_unschedulable;
    made.labels = node.labels;
    made.taints = node.taints;
    made.allocatable = node.allocatable;
    return made;
}

std::string controller_key(std::string_view kind, const client::ObjectKey& key) {
    return std::string(kind) + "/" + key.namespace_name + "/" + key.name;
}

}  // namespace

void ClusterFeed::watch(client::Informers& informers, const client::Collection& collection, Handler handler) {
    informers.of(collection)
        .add_handler(
            [weak = weak_from_this(), handler](const ObjectPointer& before, const ObjectPointer& now) {
                if (const auto alive = weak.lock()) (alive.get()->*handler)(before, now);
            });
}

void ClusterFeed::attach(client::Informers& informers) {
    watch(informers, client::collections::namespaces, &ClusterFeed::namespace_changed);
    watch(informers, client::collections::nodes, &ClusterFeed::node);
    watch(informers, client::collections::storage_classes, &ClusterFeed::storage_class);
    watch(informers, client::collections::persistent_volumes, &ClusterFeed::volume);
    watch(informers, client::collections::persistent_volume_claims, &ClusterFeed::claim);
    watch(informers, client::collections::csi_nodes, &ClusterFeed::csi_node);
    watch(informers, kCsiDrivers, &ClusterFeed::csi_driver);
    watch(informers, kCsiCapacities, &ClusterFeed::csi_capacity);
    watch(informers, client::collections::services, &ClusterFeed::service);
    watch(informers, client::collections::replication_controllers, &ClusterFeed::replication_controller);
    watch(informers, client::collections::replica_sets, &ClusterFeed::replica_set);
    watch(informers, client::collections::stateful_sets, &ClusterFeed::stateful_set);
    watch(informers, client::collections::pod_disruption_budgets, &ClusterFeed::budget);
    watch(informers, client::collections::pods, &ClusterFeed::pod);
}

void ClusterFeed::tell(const ClusterEvent& event) {
    queue_.happened(event, clock_.now());
    on_change_();
}

void ClusterFeed::tell_of(Kind kind) {
    ClusterEvent event;
    event.kind = kind;
    tell(event);
}

void ClusterFeed::pod(const ObjectPointer& before, const ObjectPointer& now) {
    // The same name again is another pod.
    if (before && (!now || now->uid() != before->uid())) pod_gone(*before);
    if (!now) return;
    core_v1::Pod pod(now->root());
    if (has_ended(pod)) return pod_gone(*now);
    const std::string node(pod.spec().node_name());
    if (!node.empty()) return pod_on_node(reader_.read(pod), node);

    const std::string uid(now->uid());
    if (!scheduler_names_.contains(std::string(pod.spec().scheduler_name()))) return;
    if (cluster_.has_pod(uid)) return;  // on its way to a node; this is what it was before
    if (now->is_being_deleted()) return pod_gone(*now);
    const std::string nominated = nominated_node(now);
    const bool is_news = nominated != (before && before->uid() == now->uid() ? nominated_node(before) : "");
    queue_.add(reader_.read(pod), is_news ? std::optional(nominated) : std::nullopt, clock_.now());
    on_change_();
}

void ClusterFeed::pod_on_node(const PodPointer& pod, const std::string& node) {
    queue_.remove(pod->uid);
    const PodPointer known = cluster_.pod(pod->uid);
    const bool was_assumed = cluster_.is_assumed(pod->uid);
    if (known && !was_assumed && known->shape == pod->shape &&
        known->started_seconds == pod->started_seconds && known->is_being_deleted == pod->is_being_deleted &&
        known->is_preempted == pod->is_preempted)
        return;
    cluster_.set_pod(pod, node);
    ClusterEvent event;
    event.kind = known && !was_assumed ? Kind::pod_changed : Kind::pod_added;
    event.pod_before = known && !was_assumed ? known.get() : nullptr;
    event.pod = pod.get();
    tell(event);
}

void ClusterFeed::pod_gone(const client::CachedObject& object) {
    const std::string uid(object.uid());
    PodPointer gone = cluster_.pod(uid);
    // Room was kept for it.
    if (QueuedPod* queued = queue_.find(uid); !gone && queued && !queue_.nominations().node_of(uid).empty())
        gone = queued->pod;
    cluster_.remove_pod(uid);
    queue_.remove(uid);
    if (!gone) return;
    ClusterEvent event;
    event.kind = Kind::pod_removed;
    event.pod_before = gone.get();
    tell(event);
}

void ClusterFeed::node(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    const NodeInfo* known = cluster_.node(name);
    NodeInfo old;
    if (known) old = outline(*known);
    ClusterEvent event;
    event.node_before = known ? &old : nullptr;
    if (!now) {
        cluster_.remove_node(name);
        event.kind = Kind::node_removed;
        return tell(event);
    }
    core_v1::Node node(now->root());
    NodeInfo fresh;
    fresh.set_node(node);
    if (known && is_alike(fresh, *known)) return;
    cluster_.set_node(node);
    event.kind = known ? Kind::node_changed : Kind::node_added;
    event.node = cluster_.node(name);
    tell(event);
}

void ClusterFeed::claim(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string key = either(before, now).key().text();
    if (!now) {
        cluster_.storage.claims.erase(key);
        return;
    }
    cluster_.storage.claims[key] = read_claim(core_v1::PersistentVolumeClaim(now->root()));
    ClusterEvent event;
    event.kind = Kind::claim_changed;
    event.claim = key;
    tell(event);
}

void ClusterFeed::volume(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    if (!now) {
        cluster_.storage.volumes.erase(name);
        return;
    }
    cluster_.storage.volumes[name] = read_persistent_volume(core_v1::PersistentVolume(now->root()));
    tell_of(Kind::volume_changed);
}

void ClusterFeed::storage_class(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    if (!now) {
        cluster_.storage.classes.erase(name);
        return;
    }
    cluster_.storage.classes[name] = read_storage_class(storage_v1::StorageClass(now->root()));
    tell_of(before ? Kind::storage_class_changed : Kind::storage_class_added);
}

void ClusterFeed::csi_node(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    cluster_.storage.node_limits.erase(name);
    if (!now) return;
    for (storage_v1::CSINodeDriver driver : storage_v1::CSINode(now->root()).spec().drivers())
        if (driver.allocatable().has_count())
            cluster_.storage.node_limits[name].emplace_back(driver.name(), driver.allocatable().count());
    tell_of(Kind::csi_node_changed);
}

void ClusterFeed::csi_driver(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    if (now)
        cluster_.storage.drivers_with_capacity[name] =
            storage_v1::CSIDriver(now->root()).spec().storage_capacity();
    else
        cluster_.storage.drivers_with_capacity.erase(name);
    tell_of(Kind::csi_driver_changed);
}

void ClusterFeed::csi_capacity(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string key = either(before, now).key().text();
    if (!now) {
        cluster_.storage.capacities.erase(key);
        return;
    }
    cluster_.storage.capacities[key] = read_capacity(storage_v1::CSIStorageCapacity(now->root()));
    tell_of(Kind::csi_capacity_changed);
}

void ClusterFeed::namespace_changed(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string& name = either(before, now).key().name;
    if (now)
        cluster_.set_namespace(name, Labels(core_v1::Namespace(now->root()).metadata().labels()));
    else
        cluster_.remove_namespace(name);
}

void ClusterFeed::service(const ObjectPointer& before, const ObjectPointer& now) {
    const client::ObjectKey& key = either(before, now).key();
    auto& services = cluster_.workloads.services;
    services[key.namespace_name].erase(key.name);
    if (now)
        services[key.namespace_name].emplace(
            key.name, Selector::from_labels(core_v1::Service(now->root()).spec().selector()));
    else if (services[key.namespace_name].empty())
        services.erase(key.namespace_name);
}

void ClusterFeed::replication_controller(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string key = controller_key("ReplicationController", either(before, now).key());
    cluster_.workloads.controllers.erase(key);
    if (now)
        cluster_.workloads.controllers.emplace(
            key, Selector::from_labels(core_v1::ReplicationController(now->root()).spec().selector()));
}

void ClusterFeed::replica_set(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string key = controller_key("ReplicaSet", either(before, now).key());
    cluster_.workloads.controllers.erase(key);
    if (now)
        cluster_.workloads.controllers.emplace(
            key, Selector::from(apps_v1::ReplicaSet(now->root()).spec().selector()));
}

void ClusterFeed::stateful_set(const ObjectPointer& before, const ObjectPointer& now) {
    const std::string key = controller_key("StatefulSet", either(before, now).key());
    cluster_.workloads.controllers.erase(key);
    if (now)
        cluster_.workloads.controllers.emplace(
            key, Selector::from(apps_v1::StatefulSet(now->root()).spec().selector()));
}

void ClusterFeed::budget(const ObjectPointer& before, const ObjectPointer& now) {
    const client::CachedObject& object = either(before, now);
    if (!now) {
        cluster_.budgets.erase(object.key().text());
        return;
    }
    api_types::policy_v1::PodDisruptionBudget budget(now->root());
    Budget& kept = cluster_.budgets[object.key().text()];
    kept.namespace_name = object.key().namespace_name;
    kept.selector = Selector::from(budget.spec().selector());
    kept.allowed = budget.status().disruptions_allowed();
    kept.disrupted_pods.clear();
    for (const auto& [name, time] : budget.status().disrupted_pods()) kept.disrupted_pods.emplace_back(name);
}

}  // namespace keelson::scheduling
