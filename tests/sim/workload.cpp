#include "tests/sim/workload.h"

#include <utility>

#include "kernel/client/collections.h"
#include "kernel/object/json.h"

namespace keelson::sim {

using base::Task;
using client::Address;
using object::Document;

namespace collections = client::collections;

namespace {

Document document_of(const std::string& json) {
    Document document;
    auto root = object::parse_json_copy(json, document.arena);
    if (root) document.root = *root;
    return document;
}

Address address_of(const Seen& object) {
    const std::size_t slash = object.resource.find('/');
    std::string group = object.resource.substr(0, slash);
    if (group == "core") group.clear();
    return {group, "v1", object.resource.substr(slash + 1), object.namespace_name, object.name, ""};
}

std::string text_of(const Address& address) {
    return address.resource + " " + address.namespace_name + "/" + address.name;
}

}  // namespace

// --- The calls.

Task<void> Workload::create(Address address, std::string json) {
    const Document wanted = document_of(json);
    Address to = address;
    to.name.clear();
    auto creating = api_.create(to, wanted.root, {});
    const Object created = co_await creating;
    diary_.note("user creates " + text_of(address) + (created ? "" : ": " + created.error().message()));
}

Task<void> Workload::merge(Address address, std::string json) {
    const Document wanted = document_of(json);
    auto patching = api_.patch(address, client::PatchType::merge, wanted.root, {});
    const Object patched = co_await patching;
    diary_.note("user changes " + text_of(address) + " " + json +
                (patched ? "" : ": " + patched.error().message()));
}

Task<void> Workload::remove(Address address, std::string policy) {
    client::DeleteOptions options;
    options.propagation_policy = policy;
    auto removing = api_.remove(address, options);
    const Object removed = co_await removing;
    diary_.note("user deletes " + text_of(address) + " " + policy +
                (removed ? "" : ": " + removed.error().message()));
}

// The same name and content again, as fast as can be.
Task<void> Workload::recreate(SeenPointer object) {
    const Address address = address_of(*object);
    auto removing = remove(address, "Background");
    co_await removing;
    Document again;
    again.root = object->document.root.clone(again.arena);
    again.root.erase("status");
    for (const char* own : {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields",
                            "annotations", "finalizers"})
        again.root["metadata"].erase(own);
    std::string json = object::to_json(again.root);
    co_await base::sleep_for(dice_.milliseconds(0, 300));
    auto creating = create(address, std::move(json));
    co_await creating;
}

// --- The choices.

std::string Workload::some_namespace() {
    return dice_.chance(0.6) ? "default" : "n" + std::to_string(dice_.between(0, 1));
}

std::string Workload::some_policy() {
    return dice_.pick(std::vector<std::string>{"Background", "Background", "Foreground", "Orphan"});
}

SeenPointer Workload::some(std::string_view resource) {
    std::vector<SeenPointer> found;
    for (const SeenPointer& object : model_.all(resource))
        if (object->controller_uid.empty() && !object->is_being_deleted) found.push_back(object);
    return found.empty() ? nullptr : dice_.pick(found);
}

std::string Workload::pod_template(const std::string& app, bool ends) {
    const std::int64_t cpu = settings_.crowds ? dice_.between(400, 1500) : dice_.between(50, 500);
    const std::string priority =
        !settings_.is_calm && dice_.chance(0.15) ? R"("priorityClassName":"high",)" : "";
    return R"({"metadata":{"labels":{"app":")" + app + R"("}},"spec":{)" + priority +
           (ends ? R"("restartPolicy":"Never",)" : "") +
           R"("automountServiceAccountToken":false,"terminationGracePeriodSeconds":5,)" +
           R"("containers":[{"name":"c","image":")" + some_image() + R"(","resources":{"requests":{"cpu":")" +
           std::to_string(cpu) + R"(m"}}}]}})";
}

std::string Workload::deployment_json(const std::string& name) {
    std::string strategy = R"({"type":"Recreate"})";
    if (!dice_.chance(0.15)) {
        const std::int64_t surge = dice_.between(0, 2);
        const std::int64_t unavailable = surge == 0 ? 1 : dice_.between(0, 2);
        strategy = R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":)" + std::to_string(surge) +
                   R"(,"maxUnavailable":)" + std::to_string(unavailable) + "}}";
        if (dice_.chance(0.25)) strategy = R"({"type":"RollingUpdate"})";
    }
    return R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":")" + name +
           R"("},"spec":{"progressDeadlineSeconds":60,"revisionHistoryLimit":)" +
           std::to_string(dice_.between(0, 3)) + R"(,"replicas":)" +
           std::to_string(dice_.between(0, settings_.crowds ? 12 : 6)) +
           R"(,"selector":{"matchLabels":{"app":")" + name + R"("}},"strategy":)" + strategy +
           R"(,"template":)" + pod_template(name, false) + "}}";
}

// --- The actions.

Task<void> Workload::prepare() {
    for (const char* name : {"n0", "n1"}) {
        auto creating = create(
            collections::namespaces.address("", name),
            R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":")" + std::string(name) + R"("}})");
        co_await creating;
    }
    if (settings_.has_quota) {
        const std::string most = std::to_string(dice_.between(6, 15));
        auto limiting = create(collections::resource_quotas.address("default", "quota"),
                               R"({"kind":"ResourceQuota","apiVersion":"v1","metadata":{"name":"quota"},)"
                               R"("spec":{"hard":{"pods":")" +
                                   most + R"("}}})");
        co_await limiting;
    }
    auto creating = create(
        collections::priority_classes.address("", "high"),
        R"({"kind":"PriorityClass","apiVersion":"scheduling.k8s.io/v1","metadata":{"name":"high"},"value":1000})");
    co_await creating;
}

Task<void> Workload::act() {
    while (!is_stopped_) {
        auto acting = one_action();
        co_await acting;
        const auto longest_ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(settings_.longest_pause).count();
        co_await base::sleep_for(dice_.milliseconds(1, longest_ms));
    }
}

Task<void> Workload::one_action() {
    const std::int64_t choice = dice_.between(0, 99);
    if (choice < 45 || settings_.recreates) return act_on_deployments();
    if (choice < 63) return act_on_others();
    if (choice < 75) return act_on_jobs();
    if (choice < 81) return act_on_namespaces();
    if (settings_.is_calm) return act_on_deployments();
    return choice < 91 ? act_on_nodes() : evict_something();
}

Task<void> Workload::act_on_deployments() {
    const SeenPointer deployment = some("apps/deployments");
    const std::int64_t choice = dice_.between(0, 99);
    if (!deployment || choice < 25) {
        const std::string name = "web-" + std::to_string(dice_.between(0, 2));
        return create(collections::deployments.address(some_namespace(), name), deployment_json(name));
    }
    const Address address = address_of(*deployment);
    if (choice < (settings_.recreates ? 70 : 35)) return recreate(deployment);
    if (choice < 50)
        return merge(address, R"({"spec":{"replicas":)" +
                                  std::to_string(dice_.between(0, settings_.crowds ? 12 : 6)) + "}}");
    if (choice < 85) {
        const auto containers = deployment->at({"spec", "template", "spec", "containers"});
        Document changed;
        const object::Value list = containers.clone(changed.arena);
        list.at(0).set(changed.arena, "image", object::Value::string(changed.arena, some_image()));
        return merge(address,
                     R"({"spec":{"template":{"spec":{"containers":)" + object::to_json(list) + "}}}}");
    }
    if (choice < 92) {
        const bool is_paused = deployment->at({"spec", "paused"}).as_boolean();
        return merge(address, is_paused ? R"({"spec":{"paused":false}})" : R"({"spec":{"paused":true}})");
    }
    return remove(address, some_policy());
}

Task<void> Workload::act_on_others() {
    const std::int64_t choice = dice_.between(0, 99);
    const std::string number = std::to_string(dice_.between(0, 1));
    const char* resource = choice < 45   ? "apps/statefulsets"
                           : choice < 65 ? "apps/daemonsets"
                           : choice < 85 ? "apps/replicasets"
                                         : "core/services";
    const std::string_view kind = choice < 45   ? "StatefulSet"
                                  : choice < 65 ? "DaemonSet"
                                  : choice < 85 ? "ReplicaSet"
                                                : "Service";
    const SeenPointer present = some(resource);
    if (present && dice_.chance(0.6)) {
        const Address address = address_of(*present);
        if (dice_.chance(0.2)) return recreate(present);
        if (dice_.chance(0.3)) return remove(address, some_policy());
        if (kind == "Service") return remove(address, "Background");
        if (kind != "DaemonSet" && dice_.chance(0.6))
            return merge(address, R"({"spec":{"replicas":)" + std::to_string(dice_.between(0, 4)) + "}}");
        const std::string app = present->at({"spec", "selector", "matchLabels", "app"}).to_string();
        return merge(address, R"({"spec":{"template":)" + pod_template(app, false) + "}}");
    }
    const std::string name = std::string(resource).substr(5, 2) + "-" + number;
    const Address address{choice < 85 ? "apps" : "", "v1", std::string(resource).substr(5),
                          some_namespace(),          name, ""};
    const std::string head = R"({"kind":")" + std::string(kind) + R"(","apiVersion":")" +
                             (choice < 85 ? "apps/v1" : "v1") + R"(","metadata":{"name":")" + name +
                             R"("},"spec":{)";
    if (kind == "Service")
        return create(address,
                      head + R"("selector":{"app":"web-)" + number + R"("},"ports":[{"port":80}]}})");
    const std::string replicas =
        kind == "DaemonSet" ? "" : R"("replicas":)" + std::to_string(dice_.between(0, 3)) + ",";
    const std::string more = kind != "StatefulSet"
                                 ? ""
                                 : R"("serviceName":"s","podManagementPolicy":")" +
                                       std::string(dice_.chance(0.5) ? "Parallel" : "OrderedReady") + R"(",)";
    return create(address, head + replicas + more + R"("selector":{"matchLabels":{"app":")" + name +
                               R"("}},"template":)" + pod_template(name, false) + "}}");
}

Task<void> Workload::act_on_jobs() {
    const SeenPointer present = some(dice_.chance(0.7) ? "batch/jobs" : "batch/cronjobs");
    if (present && dice_.chance(0.35)) return remove(address_of(*present), some_policy());
    const std::string completions = std::to_string(dice_.between(1, 5));
    const std::string name = "job-" + std::to_string(dice_.between(0, 4));
    const std::string spec =
        R"({"parallelism":)" + std::to_string(dice_.between(1, 3)) + R"(,"completions":)" + completions +
        (dice_.chance(0.4) ? R"(,"completionMode":"Indexed")" : "") +
        (dice_.chance(0.4) ? R"(,"ttlSecondsAfterFinished":)" + std::to_string(dice_.between(0, 20)) : "") +
        R"(,"template":)" + pod_template(name, true) + "}";
    const std::string head = R"(,"apiVersion":"batch/v1","metadata":{"name":")" + name + R"("},"spec":)";
    if (dice_.chance(0.75))
        return create(collections::jobs.address(some_namespace(), name),
                      R"({"kind":"Job")" + head + spec + "}");
    return create(collections::cron_jobs.address(some_namespace(), name),
                  R"({"kind":"CronJob")" + head + R"({"schedule":"* * * * *","concurrencyPolicy":")" +
                      dice_.pick(std::vector<std::string>{"Allow", "Forbid", "Replace"}) +
                      R"(","jobTemplate":{"spec":)" + spec + "}}}");
}

Task<void> Workload::act_on_namespaces() {
    const std::string name = "n" + std::to_string(dice_.between(0, 1));
    const Address address = collections::namespaces.address("", name);
    if (model_.get("core/namespaces", "", name)) return remove(address, "Background");
    return create(address, R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":")" + name + R"("}})");
}

Task<void> Workload::act_on_nodes() {
    const SeenPointer node = some("core/nodes");
    if (!node) co_return;
    const Address address = address_of(*node);
    const bool is_cordoned = node->at({"spec", "unschedulable"}).as_boolean();
    if (dice_.chance(0.5)) {
        auto cordoning = merge(address, is_cordoned ? R"({"spec":{"unschedulable":null}})"
                                                    : R"({"spec":{"unschedulable":true}})");
        co_await cordoning;
        co_return;
    }
    // As kubectl taint does: everything that is there, with one more or less.
    Document taints;
    taints.root = object::Value::list(taints.arena);
    bool is_tainted = false;
    for (const object::Value taint : node->at({"spec", "taints"}).items()) {
        if (taint["key"].as_string() == "sim")
            is_tainted = true;
        else
            taints.root.push_back(taints.arena, taint.clone(taints.arena));
    }
    if (!is_tainted) {
        const object::Value taint = object::Value::map(taints.arena);
        taint.set(taints.arena, "key", object::Value::reference("sim"));
        taint.set(taints.arena, "effect",
                  object::Value::reference(dice_.chance(0.3) ? "NoExecute" : "NoSchedule"));
        taints.root.push_back(taints.arena, taint);
    }
    std::string json = R"({"metadata":{"resourceVersion":")" + std::to_string(node->revision) +
                       R"("},"spec":{"taints":)" + object::to_json(taints.root) + "}}";
    auto tainting = merge(address, std::move(json));
    co_await tainting;
}

Task<void> Workload::evict_something() {
    std::vector<SeenPointer> pods = model_.all("core/pods");
    if (pods.empty()) co_return;
    Address address = address_of(*dice_.pick(pods));
    if (dice_.chance(0.5)) {
        auto removing = remove(address, "Background");
        co_await removing;
        co_return;
    }
    Address eviction = address;
    eviction.subresource = "eviction";
    const Document wanted =
        document_of(R"({"kind":"Eviction","apiVersion":"policy/v1","metadata":{"name":")" + address.name +
                    R"(","namespace":")" + address.namespace_name + R"("}})");
    auto creating = api_.create(eviction, wanted.root, {});
    const Object created = co_await creating;
    diary_.note("user evicts " + text_of(address) + (created ? "" : ": " + created.error().message()));
}

Task<void> Workload::leave_in_order() {
    if (settings_.has_quota) {
        auto freeing = remove(collections::resource_quotas.address("default", "quota"), "Background");
        co_await freeing;
    }
    for (const SeenPointer& node : model_.all("core/nodes")) {
        if (node->at({"spec", "unschedulable"}).as_boolean()) {
            auto opening = merge(address_of(*node), R"({"spec":{"unschedulable":null}})");
            co_await opening;
        }
        bool is_tainted = false;
        for (const object::Value taint : node->at({"spec", "taints"}).items())
            is_tainted |= taint["key"].as_string() == "sim";
        if (!is_tainted) continue;
        auto cleaning = merge(address_of(*node), R"({"spec":{"taints":null}})");
        co_await cleaning;
    }
    for (const SeenPointer& job : model_.all("batch/cronjobs")) {
        auto suspending = merge(address_of(*job), R"({"spec":{"suspend":true}})");
        co_await suspending;
    }
}

}  // namespace keelson::sim
