#include "kernel/resource/field_labels.h"

#include <algorithm>

namespace keelson::resource {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using object::Resource;
using object::Value;

std::string text_of(Value value) {
    switch (value.kind()) {
        case object::Kind::string:
            return value.to_string();
        case object::Kind::boolean:
            return value.as_boolean() ? "true" : "false";
        case object::Kind::integer:
            return std::to_string(value.as_integer());
        default:
            return "";
    }
}

// Kinds with selectable fields of their own word the refusal in their own way.
std::string refusal(const Resource& resource, std::string_view path) {
    std::string name(path);
    if (resource.field_selectors.size() > (resource.namespaced ? 2u : 1u)) {
        if (resource.kind == "Job" || resource.kind == "ResourceSlice")
            return "field label \"" + name + "\" not supported for " + std::string(resource.kind);
        if (resource.group.empty() || resource.group == "certificates.k8s.io" || resource.kind == "Event")
            return "field label not supported: " + name;
    }
    if (resource.group == "apps") return "field label not supported: " + name;
    return "\"" + name + "\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
}

bool is_supported(const Resource& resource, std::string_view path) {
    // Every kind takes metadata.namespace; cluster-scoped objects have an empty one.
    return path == "metadata.name" || path == "metadata.namespace" ||
           std::ranges::find(resource.field_selectors, path) != resource.field_selectors.end();
}

}  // namespace

Result<object::FieldSelector> parse_field_selector(const Resource& resource, std::string_view text) {
    std::string alias_free(text);
    if (resource.kind == "Pod") {
        constexpr std::string_view kAlias = "spec.host=";
        if (alias_free.starts_with(kAlias)) alias_free.replace(0, kAlias.size(), "spec.nodeName=");
    }
    KEELSON_TRY(object::FieldSelector selector, object::FieldSelector::parse(alias_free));
    for (const object::FieldRequirement& requirement : selector.requirements())
        if (!is_supported(resource, requirement.path))
            return Status(Reason::bad_request, refusal(resource, requirement.path));
    return selector;
}

std::string field_value(const Resource& resource, Value object, std::string_view path) {
    if (resource.kind == "Event") {
        if (path == "source") {
            std::string component = text_of(object["source"]["component"]);
            return component.empty() ? text_of(object["reportingComponent"]) : component;
        }
        if (path == "reportingComponent" || path == "reportingController")
            return text_of(object["reportingComponent"]);
        if (path.starts_with("regarding."))
            return text_of(object["involvedObject"][path.substr(std::string_view("regarding.").size())]);
    }
    if (resource.kind == "Pod") {
        if (path == "spec.hostNetwork") return object["spec"]["hostNetwork"].as_boolean() ? "true" : "false";
        if (path == "status.podIP") return text_of(object["status"]["podIP"]);
    }
    if (resource.kind == "Node" && path == "spec.unschedulable")
        return object["spec"]["unschedulable"].as_boolean() ? "true" : "false";
    if (resource.kind == "Job" && path == "status.successful")
        return std::to_string(object["status"]["succeeded"].as_integer());
    if (resource.kind == "ReplicationController" && path == "status.replicas")
        return std::to_string(object["status"]["replicas"].as_integer());
    Value current = object;
    while (true) {
        std::size_t dot = path.find('.');
        current = current[path.substr(0, dot)];
        if (dot == std::string_view::npos) return text_of(current);
        path.remove_prefix(dot + 1);
    }
}

}  // namespace keelson::resource
