#include "cli/workloads/pod_specs.h"

#include <nlohmann/json.hpp>

namespace keelson::cli::kube {
namespace {

// Lists of the pod's spec that the API merges by the names of their members.
bool is_merged_by_name(const std::string& list) {
    return list == "containers" || list == "initContainers" || list == "env" || list == "volumes";
}

const Object* named(const Object& list, const std::string& name) {
    for (const Object& item : list)
        if (text_at(item, "name") == name) return &item;
    return nullptr;
}

Object list_difference(const Object& before, const Object& after) {
    Object patch = Object::array();
    for (const Object& item : after) {
        const std::string name = text_at(item, "name");
        const Object* old = named(before, name);
        Object change = old == nullptr ? item : strategic_difference(*old, item);
        if (change.is_null()) continue;
        change["name"] = name;
        patch.push_back(std::move(change));
    }
    for (const Object& item : before) {
        const std::string name = text_at(item, "name");
        if (named(after, name) == nullptr) patch.push_back({{"name", name}, {"$patch", "delete"}});
    }
    return patch;
}

bool matches(std::string_view name, std::string_view pattern) {
    if (pattern.empty()) return name.empty();
    if (pattern.front() == '*')
        return matches(name, pattern.substr(1)) || (!name.empty() && matches(name.substr(1), pattern));
    return !name.empty() && name.front() == pattern.front() && matches(name.substr(1), pattern.substr(1));
}

}  // namespace

const Object* find_pod_spec(const Object& object) {
    const std::string kind = text_at(object, "kind");
    const Object* spec = &member(object, "spec");
    if (kind == "CronJob") spec = &member(*spec, {"jobTemplate", "spec"});
    if (kind != "Pod") spec = &member(*spec, {"template", "spec"});
    return spec->is_object() && spec->contains("containers") ? spec : nullptr;
}

Object* find_pod_spec(Object& object) {
    return const_cast<Object*>(find_pod_spec(static_cast<const Object&>(object)));
}

std::vector<Object*> matching_containers(Object& pod_spec, const std::string& pattern) {
    std::vector<Object*> found;
    for (const char* list : {"containers", "initContainers"}) {
        const auto containers = pod_spec.find(list);
        if (containers == pod_spec.end() || !containers->is_array()) continue;
        for (Object& container : *containers)
            if (matches(text_at(container, "name"), pattern)) found.push_back(&container);
    }
    return found;
}

Object strategic_difference(const Object& before, const Object& after) {
    if (before == after) return nullptr;
    Object patch = Object::object();
    for (const auto& [name, value] : after.items()) {
        const Object& old = member(before, name);
        if (old == value) continue;
        if (old.is_object() && value.is_object())
            patch[name] = strategic_difference(old, value);
        else if (is_merged_by_name(name) && old.is_array() && value.is_array()) {
            patch[name] = list_difference(old, value);
            // Else what is new comes first.
            for (const Object& item : value)
                patch["$setElementOrder/" + name].push_back({{"name", text_at(item, "name")}});
        } else
            patch[name] = value;
    }
    for (const auto& [name, value] : before.items())
        if (!after.contains(name)) patch[name] = nullptr;
    return patch;
}

}  // namespace keelson::cli::kube
