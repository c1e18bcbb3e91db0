#include "cli/workloads/debug_pods.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/kube/local.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {
namespace {

enum class Style { node, copy, ephemeral };

constexpr std::array<const char*, 6> kProfiles{"legacy",   "general",    "baseline",
                                               "netadmin", "restricted", "sysadmin"};
constexpr std::array<const char*, 3> kContainerLists{"containers", "initContainers", "ephemeralContainers"};

const char* list_of(Style style) {
    return style == Style::ephemeral ? "ephemeralContainers" : "containers";
}

Object* find_container(Object& pod, const char* list, const std::string& name) {
    Object& containers = pod["spec"][list];
    for (Object& container : containers)
        if (text_at(container, "name") == name) return &container;
    return nullptr;
}

void add_capabilities(Object& container, std::initializer_list<const char*> names) {
    Object& added = container["securityContext"]["capabilities"]["add"];
    for (const char* name : names)
        if (std::find(added.begin(), added.end(), Object(name)) == added.end()) added.push_back(name);
}

void use_host_namespaces(Object& pod) {
    for (const char* name : {"hostNetwork", "hostPID", "hostIPC"}) pod["spec"][name] = true;
}

void mount_root_of_node(Object& pod, Object& container) {
    pod["spec"]["volumes"].push_back({{"name", "host-root"}, {"hostPath", {{"path", "/"}}}});
    container["volumeMounts"].push_back({{"name", "host-root"}, {"mountPath", "/host"}});
}

void drop_what_is_not_kept(const DebugWish& wish, Object& pod) {
    Object& metadata = pod["metadata"];
    if (!wish.keeps_labels) metadata.erase("labels");
    if (!wish.keeps_annotations) metadata.erase("annotations");
    Object& spec = pod["spec"];
    if (!wish.keeps_init_containers) spec.erase("initContainers");
    for (Object& container : spec["containers"]) {
        if (!wish.keeps_liveness) container.erase("livenessProbe");
        if (!wish.keeps_readiness) container.erase("readinessProbe");
        if (!wish.keeps_startup) container.erase("startupProbe");
    }
}

void apply_legacy(Object& pod, Object& container, Style style) {
    if (style == Style::copy) pod["metadata"].erase("labels");
    if (style != Style::node) return;
    use_host_namespaces(pod);
    mount_root_of_node(pod, container);
}

void restrict_container(Object& container) {
    container["securityContext"] = {{"runAsNonRoot", true},
                                    {"capabilities", {{"drop", {"ALL"}}}},
                                    {"allowPrivilegeEscalation", false},
                                    {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

void apply_profile(const DebugWish& wish, Object& pod, const std::string& name, Style style) {
    Object& container = *find_container(pod, list_of(style), name);
    const std::string& profile = wish.profile;
    if (profile == "legacy") return apply_legacy(pod, container, style);
    const bool is_on_node = style == Style::node;
    if (profile == "restricted") restrict_container(container);
    if (profile == "baseline" || (profile == "general" && is_on_node)) container.erase("securityContext");
    if (profile == "general" && !is_on_node) add_capabilities(container, {"SYS_PTRACE"});
    if (profile == "netadmin") add_capabilities(container, {"NET_ADMIN", "NET_RAW"});
    if (profile == "sysadmin") container["securityContext"]["privileged"] = true;
    if (is_on_node && profile != "restricted" && profile != "baseline") use_host_namespaces(pod);
    if (is_on_node && (profile == "general" || profile == "sysadmin")) mount_root_of_node(pod, container);
    if (style != Style::copy) return;
    drop_what_is_not_kept(wish, pod);
    if (!pod["spec"].contains("shareProcessNamespace")) pod["spec"]["shareProcessNamespace"] = true;
}

Result<Object> with_custom_parts(const DebugWish& wish, Object pod, const std::string& name, Style style) {
    if (wish.custom.is_null()) return pod;
    Object change = wish.custom;
    change["name"] = name;
    const Object patch{{"spec", {{list_of(style), {change}}}}};
    pod["apiVersion"] = "v1";
    pod["kind"] = "Pod";
    return patched_locally(pod, kStrategicPatch, compact(patch));
}

void set_arguments(const DebugWish& wish, Object& container) {
    if (wish.arguments.empty()) return;
    container[wish.are_arguments_only ? "args" : "command"] = wish.arguments;
    if (!wish.are_arguments_only) container.erase("args");
}

void set_variables(const DebugWish& wish, Object& container) {
    if (wish.variables.empty()) return;
    Object variables = Object::array();
    for (const auto& [name, value] : wish.variables) variables.push_back({{"name", name}, {"value", value}});
    container["env"] = std::move(variables);
}

void set_streams(const DebugWish& wish, Object& container) {
    container.erase("stdin");
    container.erase("tty");
    if (wish.has_input) container["stdin"] = true;
    if (wish.has_terminal) container["tty"] = true;
}

// What the wish says of the container, over what there is.
void set_container(const DebugWish& wish, Object& container) {
    set_arguments(wish, container);
    set_variables(wish, container);
    if (!wish.image.empty()) container["image"] = wish.image;
    if (!wish.pull_policy.empty()) container["imagePullPolicy"] = wish.pull_policy;
    set_streams(wish, container);
}

Object new_container(const DebugWish& wish, const std::string& name) {
    Object container{{"name", name}, {"terminationMessagePolicy", "File"}, {"resources", Object::object()}};
    set_container(wish, container);
    return container;
}

void change_images(const DebugWish& wish, Object& pod) {
    const auto all = wish.images.find("*");
    for (Object& container : pod["spec"]["containers"]) {
        const auto own = wish.images.find(text_at(container, "name"));
        if (own != wish.images.end())
            container["image"] = own->second;
        else if (all != wish.images.end())
            container["image"] = all->second;
    }
}

// What of a pod its copy begins with.
Object begin_copy(const DebugWish& wish, const Object& pod) {
    Object copy{{"apiVersion", "v1"},
                {"kind", "Pod"},
                {"metadata", {{"name", wish.copy_name}, {"namespace", namespace_of(pod)}}},
                {"spec", member(pod, "spec")}};
    for (const char* name : {"labels", "annotations"})
        if (const Object& kept = member(pod, {"metadata", name}); kept.is_object())
            copy["metadata"][name] = kept;
    Object& spec = copy["spec"];
    spec.erase("ephemeralContainers");
    if (wish.shares_processes) spec["shareProcessNamespace"] = *wish.shares_processes;
    if (!wish.is_same_node) spec.erase("nodeName");
    change_images(wish, copy);
    return copy;
}

}  // namespace

bool is_debug_profile(const std::string& name) {
    return std::find(kProfiles.begin(), kProfiles.end(), name) != kProfiles.end();
}

bool has_container(const Object& pod, const std::string& name) {
    for (const char* list : kContainerLists)
        for (const Object& container : member(pod, {"spec", list}))
            if (text_at(container, "name") == name) return true;
    return false;
}

Result<Object> with_ephemeral_container(const DebugWish& wish, const Object& pod, const std::string& name) {
    Object changed = pod;
    Object container = new_container(wish, name);
    if (!wish.target.empty()) container["targetContainerName"] = wish.target;
    changed["spec"]["ephemeralContainers"].push_back(std::move(container));
    apply_profile(wish, changed, name, Style::ephemeral);
    return with_custom_parts(wish, std::move(changed), name, Style::ephemeral);
}

Result<Object> debug_pod_on_node(const DebugWish& wish, const std::string& node, const std::string& pod_name,
                                 const std::string& name) {
    Object pod{
        {"apiVersion", "v1"},
        {"kind", "Pod"},
        {"metadata", {{"name", pod_name}, {"labels", {{"app.kubernetes.io/managed-by", "kubectl-debug"}}}}},
        {"spec",
         {{"containers", {new_container(wish, name)}},
          {"nodeName", node},
          {"restartPolicy", "Never"},
          {"tolerations", {{{"operator", "Exists"}}}}}}};
    apply_profile(wish, pod, name, Style::node);
    return with_custom_parts(wish, std::move(pod), name, Style::node);
}

bool copy_needs_name(const DebugWish& wish) {
    return wish.container.empty() && !wish.image.empty();
}

Result<DebugCopy> debug_copy(const DebugWish& wish, const Object& pod, const std::string& made_up) {
    Object copy = begin_copy(wish, pod);
    const std::string& name = wish.container.empty() ? made_up : wish.container;
    if (Object* there = find_container(copy, "containers", name)) {
        set_container(wish, *there);
    } else {
        if (wish.image.empty() && !wish.images.empty()) return DebugCopy{std::move(copy), ""};
        if (wish.image.empty()) return fail("you must specify image when creating new container");
        copy["spec"]["containers"].push_back(new_container(wish, name));
    }
    apply_profile(wish, copy, name, Style::copy);
    auto whole = with_custom_parts(wish, std::move(copy), name, Style::copy);
    if (!whole) return pass_on(whole);
    return DebugCopy{std::move(*whole), name};
}

}  // namespace keelson::cli::kube
