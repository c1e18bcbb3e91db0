#include "cli/kube/prune.h"

#include <algorithm>
#include <set>

#include "cli/kube/deleting.h"
#include "cli/kube/printing.h"
#include "cli/kube/writing.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kUsualKinds[] = {"core/v1/ConfigMap",

                                       "core/v1/PersistentVolumeClaim",
                                       "core/v1/Pod",
                                       "core/v1/ReplicationController",
                                       "core/v1/Secret",
                                       "core/v1/Service",
                                       "batch/v1/Job",
                                       "batch/v1/CronJob",
                                       "networking.k8s.io/v1/Ingress",
                                       "apps/v1/DaemonSet",
                                       "apps/v1/Deployment",
                                       "apps/v1/ReplicaSet",
                                       "apps/v1/StatefulSet",
                                       "core/v1/Namespace",
                                       "core/v1/PersistentVolume"};

Result<const Resource*> type_of(const Discovery& types, const std::string& text) {
    const std::size_t first = text.find('/');
    const std::size_t second = text.find('/', first + 1);
    if (first == std::string::npos || second == std::string::npos ||
        text.find('/', second + 1) != std::string::npos)
        return fail("invalid GroupVersionKind format: " + text + ", please follow <group/version/kind>");
    const std::string group = text.substr(0, first);
    const std::string version = text.substr(first + 1, second - first - 1);
    const Resource* found =
        types.find_kind(group == "core" ? version : group + "/" + version, text.substr(second + 1));
    if (found == nullptr)
        return fail("--prune-allowlist: the server has no " + text.substr(second + 1) + " in " + group + "/" +
                    version);
    return found;
}

Result<std::vector<const Resource*>> types_to_prune(const Discovery& types,
                                                    const std::vector<std::string>& allowed) {
    std::vector<const Resource*> found;
    for (const std::string& text : allowed) {
        const auto type = type_of(types, text);
        if (!type) return pass_on(type);
        found.push_back(*type);
    }
    if (allowed.empty())
        for (const char* text : kUsualKinds)
            if (const auto type = type_of(types, text)) found.push_back(*type);
    return found;
}

// By kubectl's annotation, or by an entry of a manager that applies.
bool was_applied(const Object& object) {
    if (member(object, {"metadata", "annotations"}).contains(kLastApplied)) return true;
    const Object& entries = member(object, {"metadata", "managedFields"});
    return entries.is_array() && std::any_of(entries.begin(), entries.end(), [](const Object& entry) {
               return text_at(entry, "manager") == "keelctl" && text_at(entry, "operation") == "Apply";
           });
}

std::string uid_of(const Object& object) {
    return text_at(member(object, "metadata"), "uid");
}

}  // namespace

Result<void> prune(Session& session, const PruneWish& wish, const std::vector<Item>& applied) {
    const auto types = session.discovery();
    if (!types) return pass_on(types);
    const auto to_prune = types_to_prune(**types, wish.allowed);
    if (!to_prune) return pass_on(to_prune);
    const auto api = session.api();
    if (!api) return pass_on(api);
    std::set<std::string> kept;
    std::set<std::string> namespaces;
    for (const Item& item : applied) {
        kept.insert(uid_of(item.object));
        if (!item.namespace_name.empty()) namespaces.insert(item.namespace_name);
    }
    const SelectFlags select{.labels = wish.labels};
    const DryRun dry_run = wish.is_dry_on_client   ? DryRun::client
                           : wish.is_dry_on_server ? DryRun::server
                                                   : DryRun::none;
    for (const Resource* type : *to_prune) {
        const std::set<std::string> places = type->is_namespaced ? namespaces : std::set<std::string>{""};
        for (const std::string& place : places) {
            const auto items = list_items(**api, {type, place}, &select);
            if (!items) return pass_on(items);
            for (const Item& item : *items) {
                if (!was_applied(item.object) || kept.contains(uid_of(item.object))) continue;
                if (dry_run != DryRun::client) {
                    const auto deleted = delete_item(**api, item, {.is_dry = dry_run == DryRun::server});
                    if (!deleted && !is_not_found(deleted.error())) return pass_on(deleted);
                    if (deleted && wish.waits && dry_run == DryRun::none)
                        if (auto gone = wait_until_gone(**api, item, *deleted, 0); !gone) return gone;
                }
                print(item.text() + " " + with_dry_run("pruned", dry_run) + "\n");
            }
        }
    }
    return {};
}

}  // namespace keelson::cli::kube
