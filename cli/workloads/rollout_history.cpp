#include "cli/workloads/rollout_history.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "cli/describe/description.h"
#include "cli/describe/parts.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kRevision = "deployment.kubernetes.io/revision";
constexpr const char* kCause = "kubernetes.io/change-cause";

std::int64_t number_in(const std::string& text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

bool is_owned_by(const Object& object, const Object& owner) {
    for (const Object& reference : member(object, {"metadata", "ownerReferences"}))
        if (text_at(reference, "uid") == text_at(member(owner, "metadata"), "uid")) return true;
    return false;
}

Result<std::vector<Object>> owned(Api& api, const Item& item, const std::string& plural) {
    const SelectFlags select{.labels = describing::selector_query(member(item.object, {"spec", "selector"}))};
    const auto list =
        api.ask({.path = "/apis/apps/v1/namespaces/" + encode_segment(item.namespace_name) + "/" + plural,
                 .query = selector_query(&select)});
    if (!list) return pass_on(list);
    std::vector<Object> found;
    for (const Object& object : member(*list, "items"))
        if (is_owned_by(object, item.object)) found.push_back(object);
    return found;
}

Revision of_replica_set(const Object& set) {
    const Object& annotations = member(set, {"metadata", "annotations"});
    return {number_in(text_at(annotations, kRevision)), text_at(annotations, kCause),
            member(set, {"spec", "template"}), set};
}

// The revision's data is a patch that replaces the set's template; its mark says so.
Revision of_controller_revision(const Object& revision) {
    Object pod_template = member(revision, {"data", "spec", "template"});
    if (pod_template.is_object()) pod_template.erase("$patch");
    return {describing::number(member(revision, "revision")),
            text_at(member(revision, {"metadata", "annotations"}), kCause), pod_template, revision};
}

}  // namespace

Result<std::vector<Revision>> read_history(Api& api, const Item& item) {
    const std::string& kind = item.resource->kind;
    const bool is_deployment = kind == "Deployment";
    if (!is_deployment && kind != "DaemonSet" && kind != "StatefulSet")
        return fail("no history viewer has been implemented for \"" + kind + "\"");
    const auto sources = owned(api, item, is_deployment ? "replicasets" : "controllerrevisions");
    if (!sources) return pass_on(sources);
    std::vector<Revision> history;
    for (const Object& source : *sources) {
        Revision revision = is_deployment ? of_replica_set(source) : of_controller_revision(source);
        if (revision.number > 0) history.push_back(std::move(revision));
    }
    std::sort(history.begin(), history.end(),
              [](const Revision& left, const Revision& right) { return left.number < right.number; });
    return history;
}

Result<Revision> pick_revision(const std::vector<Revision>& history, const Item& item, std::int64_t number) {
    if (number > 0) {
        for (const Revision& revision : history)
            if (revision.number == number) return revision;
        return fail("unable to find specified revision " + std::to_string(number) + " in history");
    }
    if (history.size() < 2)
        return fail("no rollout history found for " + lower_case(item.resource->kind) + " \"" + item.name +
                    "\"");
    return history[history.size() - 2];
}

}  // namespace keelson::cli::kube
