#include "cli/streams/pods.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "cli/describe/parts.h"
#include "cli/kube/failures.h"
#include "cli/kube/resources.h"

namespace keelson::cli::streams {
namespace {

constexpr const char* kDefaultContainer = "kubectl.kubernetes.io/default-container";

std::string condition_time(const Object& pod, bool& is_ready) {
    for (const Object& condition : kube::member(pod, {"status", "conditions"})) {
        if (kube::text_at(condition, "type") != "Ready") continue;
        is_ready = kube::text_at(condition, "status") == "True";
        return kube::text_at(condition, "lastTransitionTime");
    }
    return {};
}

std::int64_t restarts(const Object& pod) {
    std::int64_t most = 0;
    for (const Object& status : kube::member(pod, {"status", "containerStatuses"}))
        most = std::max(most, describing::number(kube::member(status, "restartCount")));
    return most;
}

// Smaller is better.
auto rank_of(const Object& pod) {
    const std::string phase = kube::text_at(kube::member(pod, "status"), "phase");
    const int phase_rank = phase == "Running" ? 0 : phase == "Unknown" ? 1 : 2;
    bool is_ready = false;
    const std::string since = condition_time(pod, is_ready);
    return std::tuple(kube::text_at(kube::member(pod, "spec"), "nodeName").empty(), phase_rank, !is_ready,
                      since, restarts(pod),
                      kube::text_at(kube::member(pod, "metadata"), "creationTimestamp"));
}

std::vector<std::string> container_names(const Object& pod, const char* list) {
    std::vector<std::string> names;
    for (const Object& container : kube::member(pod, {"spec", list}))
        names.push_back(kube::text_at(container, "name"));
    return names;
}

// Of an object without a selector, with the name of its type that scripts know.
std::string why_no_pods(const Object& object) {
    const std::string kind = kube::text_at(object, "kind");
    const std::string version = kube::text_at(object, "apiVersion");
    const std::string type = "*" + version.substr(version.find('/') + 1) + "." + kind;
    if (kind == "Service")
        return type + ": invalid service '" + kube::name_of(object) +
               "': Service is defined without a selector";
    return type + ": selector for " + type + " not implemented";
}

}  // namespace

std::string pod_selector(const Object& object) {
    const Object& selector = kube::member(object, {"spec", "selector"});
    const std::string kind = kube::text_at(object, "kind");
    if (kind == "Service" || kind == "ReplicationController")
        return describing::selector_query(Object{{"matchLabels", selector}});
    return describing::selector_query(selector);
}

void sort_pods(std::vector<Object>& pods) {
    std::stable_sort(pods.begin(), pods.end(),
                     [](const Object& left, const Object& right) { return rank_of(left) < rank_of(right); });
}

Result<NamedPods> find_pods(kube::Session& session, const std::string& text) {
    const auto api = session.api();
    if (!api) return pass_on(api);
    const std::vector<std::string> words = text.find('/') == std::string::npos
                                               ? std::vector<std::string>{"pods", text}
                                               : std::vector<std::string>{text};
    const auto selection = kube::select(session, {words});
    if (!selection) return pass_on(selection);
    const kube::Item& item = selection->items.front();
    auto object = (*api)->ask({.path = item.path()});
    if (!object) return pass_on(object);
    if (kube::text_at(*object, "kind") == "Pod") return NamedPods{*object, {*object}};
    const kube::SelectFlags select{.labels = pod_selector(*object)};
    if (select.labels.empty()) return fail("cannot attach to " + why_no_pods(*object));
    const auto pods =
        (*api)->ask({.path = "/api/v1/namespaces/" + encode_segment(item.namespace_name) + "/pods",
                     .query = kube::selector_query(&select)});
    if (!pods) return pass_on(pods);
    NamedPods found{std::move(*object), {}};
    for (const Object& pod : kube::member(*pods, "items")) found.pods.push_back(pod);
    if (found.pods.empty())
        return fail("error trying to reach " + text + ": no pods match its selector " + select.labels);
    sort_pods(found.pods);
    return found;
}

std::vector<std::string> all_containers(const Object& pod) {
    std::vector<std::string> all;
    for (const char* list : {"initContainers", "containers", "ephemeralContainers"})
        for (std::string& name : container_names(pod, list)) all.push_back(std::move(name));
    return all;
}

Result<std::string> pick_container(const Object& pod, const std::string& wanted, bool is_quiet) {
    const auto all = all_containers(pod);
    const auto is_there = [&all](const std::string& name) {
        return std::find(all.begin(), all.end(), name) != all.end();
    };
    // The server says what is wrong with it.
    if (!wanted.empty()) return wanted;
    const std::string preferred =
        kube::text_at(kube::member(pod, {"metadata", "annotations"}), kDefaultContainer);
    if (!preferred.empty() && is_there(preferred)) return preferred;
    const auto main = container_names(pod, "containers");
    if (main.empty()) return fail("pod " + kube::name_of(pod) + " has no containers");
    if (all.size() > 1 && !is_quiet) {
        std::string list;
        for (const std::string& name : main) list += (list.empty() ? "" : ", ") + name;
        for (const std::string& name : container_names(pod, "ephemeralContainers"))
            list += ", " + name + " (ephem)";
        for (const std::string& name : container_names(pod, "initContainers"))
            list += ", " + name + " (init)";
        kube::warn("Defaulted container \"" + main.front() + "\" out of: " + list);
    }
    return main.front();
}

}  // namespace keelson::cli::streams
