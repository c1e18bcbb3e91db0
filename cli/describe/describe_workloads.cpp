// Deployments, replica sets, replication controllers, stateful sets and daemon sets.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

constexpr const char* kTemplateHash = "pod-template-hash";

std::string count(const Json& object, std::initializer_list<std::string_view> names) {
    return std::to_string(number(at(object, names)));
}

std::string selector_of(const Json& object) {
    return format_selector(at(object, {"spec", "selector"}));
}

Json without_hash(Json pod_template) {
    auto metadata = pod_template.find("metadata");
    if (metadata == pod_template.end()) return pod_template;
    auto labels = metadata->find("labels");
    if (labels == metadata->end() || !labels->is_object()) return pod_template;
    labels->erase(kTemplateHash);
    if (labels->empty()) metadata->erase(labels);
    return pod_template;
}

std::string replica_sets_text(const std::vector<const Json*>& sets) {
    std::vector<std::string> parts;
    for (const Json* set : sets)
        parts.push_back(kube::name_of(*set) + " (" + count(*set, {"status", "replicas"}) + "/" +
                        count(*set, {"spec", "replicas"}) + " replicas created)");
    return or_none(joined(parts, ", "));
}

// The one with the deployment's template, and those of before.
void write_replica_sets(const Context& context) {
    const Json& deployment = context.object;
    const auto list = context.related.list("replicasets.apps", kube::namespace_of(deployment),
                                           {.labels = selector_query(at(deployment, {"spec", "selector"}))});
    if (!list) return;
    std::vector<const Json*> owned;
    for (const Json& set : at(*list, {"items"}))
        for (const Json& owner : at(set, {"metadata", "ownerReferences"}))
            if (text(owner, {"uid"}) == text(deployment, {"metadata", "uid"})) owned.push_back(&set);
    std::stable_sort(owned.begin(), owned.end(), [](const Json* left, const Json* right) {
        return text(*left, {"metadata", "creationTimestamp"}) <
               text(*right, {"metadata", "creationTimestamp"});
    });
    const Json wanted = without_hash(at(deployment, {"spec", "template"}));
    std::vector<const Json*> old, current;
    for (const Json* set : owned) {
        const bool is_current = current.empty() && without_hash(at(*set, {"spec", "template"})) == wanted;
        (is_current ? current : old).push_back(set);
    }
    context.out.field(0, "OldReplicaSets", replica_sets_text(old));
    context.out.field(0, "NewReplicaSet", replica_sets_text(current));
}

void write_update_strategy(Description& out, const Json& set) {
    out.field(0, "Update Strategy", text(set, {"spec", "updateStrategy", "type"}));
    const Json& rolling = at(set, {"spec", "updateStrategy", "rollingUpdate"});
    if (const Json& partition = at(rolling, {"partition"}); !partition.is_null())
        out.field(1, "Partition", text(partition));
    if (const Json& most = at(rolling, {"maxUnavailable"}); !most.is_null())
        out.field(1, "MaxUnavailable", text(most));
}

void write_set(const Context& context, const std::string& selector, const Json& query) {
    const Json& set = context.object;
    Description& out = context.out;
    write_name(out, set);
    out.field(0, "Selector", selector);
    write_metadata(out, set);
    write_controller(out, set);
    out.field(
        0, "Replicas",
        count(set, {"status", "replicas"}) + " current / " + count(set, {"spec", "replicas"}) + " desired");
    out.field(0, "Pods Status", pods_status(context, query));
    write_pod_template(out, at(set, {"spec", "template"}));
    write_short_conditions(out, at(set, {"status", "conditions"}));
    write_events(context);
}

}  // namespace

void describe_deployment(const Context& context) {
    const Json& deployment = context.object;
    Description& out = context.out;
    write_name(out, deployment);
    out.field(0, "CreationTimestamp", long_time(at(deployment, {"metadata", "creationTimestamp"})));
    write_metadata(out, deployment);
    out.field(0, "Selector", selector_of(deployment));
    out.field(0, "Replicas",
              count(deployment, {"spec", "replicas"}) + " desired | " +
                  count(deployment, {"status", "updatedReplicas"}) + " updated | " +
                  count(deployment, {"status", "replicas"}) + " total | " +
                  count(deployment, {"status", "availableReplicas"}) + " available | " +
                  count(deployment, {"status", "unavailableReplicas"}) + " unavailable");
    out.field(0, "StrategyType", text(deployment, {"spec", "strategy", "type"}));
    out.field(0, "MinReadySeconds", count(deployment, {"spec", "minReadySeconds"}));
    const Json& rolling = at(deployment, {"spec", "strategy", "rollingUpdate"});
    if (rolling.is_object())
        out.field(0, "RollingUpdateStrategy",
                  text(rolling, {"maxUnavailable"}) + " max unavailable, " + text(rolling, {"maxSurge"}) +
                      " max surge");
    write_pod_template(out, at(deployment, {"spec", "template"}));
    write_short_conditions(out, at(deployment, {"status", "conditions"}));
    write_replica_sets(context);
    write_events(context);
}

void describe_replica_set(const Context& context) {
    write_set(context, selector_of(context.object), at(context.object, {"spec", "selector"}));
}

void describe_replication_controller(const Context& context) {
    const Json& labels = at(context.object, {"spec", "selector"});
    write_set(context, format_labels(labels), Json{{"matchLabels", labels}});
}

void describe_stateful_set(const Context& context) {
    const Json& set = context.object;
    Description& out = context.out;
    write_name(out, set);
    out.field(0, "CreationTimestamp", long_time(at(set, {"metadata", "creationTimestamp"})));
    out.field(0, "Selector", selector_of(set));
    write_metadata(out, set);
    out.field(
        0, "Replicas",
        count(set, {"spec", "replicas"}) + " desired | " + count(set, {"status", "replicas"}) + " total");
    write_update_strategy(out, set);
    out.field(0, "Pods Status", pods_status(context, at(set, {"spec", "selector"})));
    write_pod_template(out, at(set, {"spec", "template"}));
    const Json& claims = at(set, {"spec", "volumeClaimTemplates"});
    const bool has_claims = claims.is_array() && !claims.empty();
    out.line(0, has_claims ? "Volume Claims:" : "Volume Claims:\t<none>");
    for (const Json& claim : claims) {
        out.field(1, "Name", kube::name_of(claim));
        write_claim_template(out, claim);
    }
    write_events(context);
}

void describe_daemon_set(const Context& context) {
    const Json& set = context.object;
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(set));
    out.field(0, "Selector", selector_of(set));
    out.field(0, "Node-Selector", format_labels(at(set, {"spec", "template", "spec", "nodeSelector"})));
    write_metadata(out, set);
    constexpr std::pair<const char*, const char*> kCounts[] = {
        {"Desired Number of Nodes Scheduled: ", "desiredNumberScheduled"},
        {"Current Number of Nodes Scheduled: ", "currentNumberScheduled"},
        {"Number of Nodes Scheduled with Up-to-date Pods: ", "updatedNumberScheduled"},
        {"Number of Nodes Scheduled with Available Pods: ", "numberAvailable"},
        {"Number of Nodes Misscheduled: ", "numberMisscheduled"}};
    for (const auto& [title, name] : kCounts) out.line(0, title + count(set, {"status", name}));
    out.field(0, "Pods Status", pods_status(context, at(set, {"spec", "selector"})));
    write_pod_template(out, at(set, {"spec", "template"}));
    write_events(context);
}

}  // namespace keelson::cli::describing
