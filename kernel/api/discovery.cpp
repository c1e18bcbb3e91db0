#include "kernel/api/discovery.h"

#include <algorithm>
#include <vector>

#include "kernel/api/accept.h"
#include "kernel/object/json.h"
#include "kernel/object/schema.h"

namespace keelson::api {
namespace {

using object::Arena;
using object::Resource;
using object::Subresource;
using object::Value;

struct Group {
    std::string_view name;
    std::vector<std::string_view> versions;  // preferred first
};

// The order in which Kubernetes lists its groups, by priority.
constexpr std::string_view kGroupOrder[] = {"",
                                            "apiregistration.k8s.io",
                                            "apps",
                                            "events.k8s.io",
                                            "authentication.k8s.io",
                                            "authorization.k8s.io",
                                            "autoscaling",
                                            "batch",
                                            "certificates.k8s.io",
                                            "networking.k8s.io",
                                            "policy",
                                            "rbac.authorization.k8s.io",
                                            "storage.k8s.io",
                                            "admissionregistration.k8s.io",
                                            "apiextensions.k8s.io",
                                            "scheduling.k8s.io",
                                            "coordination.k8s.io",
                                            "node.k8s.io",
                                            "discovery.k8s.io",
                                            "resource.k8s.io",
                                            "flowcontrol.apiserver.k8s.io"};

using Resources = std::vector<const Resource*>;

std::vector<Group> groups(const Resources& resources) {
    std::vector<Group> result;
    for (const Resource* one : resources) {
        const Resource& resource = *one;
        auto found = std::ranges::find(result, resource.group, &Group::name);
        if (found == result.end()) found = result.insert(result.end(), Group{resource.group, {}});
        if (std::ranges::find(found->versions, resource.version) == found->versions.end())
            found->versions.push_back(resource.version);
    }
    for (Group& group : result) std::ranges::sort(group.versions, std::greater<>());
    auto rank = [](const Group& group) {
        return std::ranges::find(kGroupOrder, group.name) - std::begin(kGroupOrder);
    };
    std::ranges::stable_sort(result, {}, rank);
    return result;
}

std::string group_version(std::string_view group, std::string_view version) {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

Value text(Arena& arena, std::string_view value) {
    return Value::string(arena, value);
}

Value text_list(Arena& arena, std::span<const std::string_view> items) {
    Value list = Value::list(arena, items.size());
    for (std::string_view item : items) list.push_back(arena, Value::reference(item));
    return list;
}

Value verb_list(Arena& arena, std::uint16_t verbs) {
    constexpr std::pair<object::Verb, std::string_view> kVerbs[] = {
        {object::verb_create, "create"},
        {object::verb_delete, "delete"},
        {object::verb_delete_collection, "deletecollection"},
        {object::verb_get, "get"},
        {object::verb_list, "list"},
        {object::verb_patch, "patch"},
        {object::verb_update, "update"},
        {object::verb_watch, "watch"}};
    Value list = Value::list(arena);
    for (auto [bit, name] : kVerbs)
        if (verbs & bit) list.push_back(arena, Value::reference(name));
    return list;
}

Value group_document(const Group& group, Arena& arena) {
    Value versions = Value::list(arena);
    for (std::string_view version : group.versions) {
        Value item = Value::map(arena);
        item.set(arena, "groupVersion", text(arena, group_version(group.name, version)));
        item.set(arena, "version", Value::reference(version));
        versions.push_back(arena, item);
    }
    Value document = Value::map(arena);
    document.set(arena, "name", Value::reference(group.name));
    document.set(arena, "versions", versions);
    document.set(arena, "preferredVersion", versions.at(0));
    return document;
}

Value with_kind(std::string_view kind, std::string_view api_version, Value rest, Arena& arena) {
    Value document = Value::map(arena);
    document.set(arena, "kind", Value::reference(kind));
    if (!api_version.empty()) document.set(arena, "apiVersion", Value::reference(api_version));
    for (const object::Member& member : rest.members()) document.append(arena, member.name, member.value);
    return document;
}

Value resource_entry(const Resource& resource, Arena& arena) {
    Value entry = Value::map(arena);
    entry.set(arena, "name", Value::reference(resource.name));
    entry.set(arena, "singularName", Value::reference(resource.singular));
    entry.set(arena, "namespaced", Value::boolean(resource.namespaced));
    entry.set(arena, "kind", Value::reference(resource.kind));
    entry.set(arena, "verbs", verb_list(arena, resource.verbs));
    if (!resource.short_names.empty()) entry.set(arena, "shortNames", text_list(arena, resource.short_names));
    if (!resource.categories.empty()) entry.set(arena, "categories", text_list(arena, resource.categories));
    if (!resource.storage_version_hash.empty())
        entry.set(arena, "storageVersionHash", Value::reference(resource.storage_version_hash));
    return entry;
}

Value subresource_entry(const Resource& resource, const Subresource& sub, Arena& arena) {
    Value entry = Value::map(arena);
    entry.set(arena, "name", text(arena, std::string(resource.name) + "/" + std::string(sub.name)));
    entry.set(arena, "singularName", Value::reference(""));
    entry.set(arena, "namespaced", Value::boolean(resource.namespaced));
    if (sub.other_group) {
        entry.set(arena, "group", Value::reference(sub.group));
        entry.set(arena, "version", Value::reference(sub.version));
    }
    entry.set(arena, "kind", Value::reference(sub.kind));
    entry.set(arena, "verbs", verb_list(arena, sub.verbs));
    return entry;
}

Value version_document(const Resources& resources, std::string_view group, std::string_view version,
                       Arena& arena) {
    Value list = Value::list(arena);
    for (const Resource* one : resources) {
        const Resource& resource = *one;
        if (resource.group != group || resource.version != version) continue;
        list.push_back(arena, resource_entry(resource, arena));
        for (const Subresource& sub : resource.subresources)
            list.push_back(arena, subresource_entry(resource, sub, arena));
    }
    Value document = Value::map(arena);
    document.set(arena, "groupVersion", text(arena, group_version(group, version)));
    document.set(arena, "resources", list);
    return with_kind("APIResourceList", group.empty() ? "" : "v1", document, arena);
}

Value response_kind(std::string_view group, std::string_view version, std::string_view kind, Arena& arena) {
    Value value = Value::map(arena);
    value.set(arena, "group", Value::reference(group));
    value.set(arena, "version", Value::reference(version));
    value.set(arena, "kind", Value::reference(kind));
    return value;
}

Value aggregated_resource(const Resource& resource, Arena& arena) {
    Value entry = Value::map(arena);
    entry.set(arena, "resource", Value::reference(resource.name));
    // An empty group and version mean those of the document around it.
    entry.set(arena, "responseKind", response_kind("", "", resource.kind, arena));
    entry.set(arena, "scope", Value::reference(resource.namespaced ? "Namespaced" : "Cluster"));
    entry.set(arena, "singularResource", Value::reference(resource.singular));
    entry.set(arena, "verbs", verb_list(arena, resource.verbs));
    if (!resource.short_names.empty()) entry.set(arena, "shortNames", text_list(arena, resource.short_names));
    if (!resource.categories.empty()) entry.set(arena, "categories", text_list(arena, resource.categories));
    Value subresources = Value::list(arena);
    for (const Subresource& sub : resource.subresources) {
        Value item = Value::map(arena);
        item.set(arena, "subresource", Value::reference(sub.name));
        item.set(arena, "responseKind",
                 response_kind(sub.other_group ? sub.group : "", sub.other_group ? sub.version : "", sub.kind,
                               arena));
        item.set(arena, "verbs", verb_list(arena, sub.verbs));
        subresources.push_back(arena, item);
    }
    if (!subresources.empty()) entry.set(arena, "subresources", subresources);
    return entry;
}

Value aggregated_group(const Resources& all, const Group& group, Arena& arena) {
    Value versions = Value::list(arena);
    for (std::string_view version : group.versions) {
        Value resources = Value::list(arena);
        for (const Resource* resource : all)
            if (resource->group == group.name && resource->version == version)
                resources.push_back(arena, aggregated_resource(*resource, arena));
        Value item = Value::map(arena);
        item.set(arena, "version", Value::reference(version));
        item.set(arena, "resources", resources);
        item.set(arena, "freshness", Value::reference("Current"));
        versions.push_back(arena, item);
    }
    Value metadata = Value::map(arena);
    if (!group.name.empty()) metadata.set(arena, "name", Value::reference(group.name));
    Value entry = Value::map(arena);
    entry.set(arena, "metadata", metadata);
    entry.set(arena, "versions", versions);
    return entry;
}

std::string aggregated_document(const Resources& resources, const std::vector<Group>& all, bool core,
                                Arena& arena) {
    Value items = Value::list(arena);
    for (const Group& group : all)
        if (group.name.empty() == core) items.push_back(arena, aggregated_group(resources, group, arena));
    Value document = Value::map(arena);
    document.set(arena, "metadata", Value::map(arena));
    document.set(arena, "items", items);
    return object::to_json(with_kind("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2", document, arena)) +
           "\n";
}

}  // namespace

Discovery::Discovery(std::span<const Resource> further) {
    Arena arena;
    Resources resources;
    for (const auto part : {object::builtin_resources(), further})
        for (const Resource& resource : part) resources.push_back(&resource);
    std::vector<Group> all = groups(resources);
    Value list = Value::list(arena);
    for (const Group& group : all) {
        for (std::string_view version : group.versions) {
            std::string path = group.name.empty()
                                   ? "/api/" + std::string(version)
                                   : "/apis/" + std::string(group.name) + "/" + std::string(version);
            documents_[path] =
                object::to_json(version_document(resources, group.name, version, arena)) + "\n";
        }
        if (group.name.empty()) continue;
        Value document = group_document(group, arena);
        list.push_back(arena, document);
        documents_["/apis/" + std::string(group.name)] =
            object::to_json(with_kind("APIGroup", "v1", document, arena)) + "\n";
    }
    Value body = Value::map(arena);
    body.set(arena, "groups", list);
    documents_["/apis"] = object::to_json(with_kind("APIGroupList", "v1", body, arena)) + "\n";
    Value versions = Value::map(arena);
    constexpr std::string_view kCore[] = {"v1"};
    versions.set(arena, "versions", text_list(arena, kCore));
    versions.set(arena, "serverAddressByClientCIDRs", Value::list(arena));
    documents_["/api"] = object::to_json(with_kind("APIVersions", "", versions, arena)) + "\n";
    add_root();
    aggregated_["/api"] = aggregated_document(resources, all, true, arena);
    aggregated_["/apis"] = aggregated_document(resources, all, false, arena);
}

bool Discovery::names_unserved_version(std::string_view path) {
    if (path.starts_with("/api/")) return path.find('/', 5) == std::string_view::npos;
    if (!path.starts_with("/apis/")) return false;
    path.remove_prefix(6);
    std::size_t slash = path.find('/');
    if (slash == std::string_view::npos || path.find('/', slash + 1) != std::string_view::npos) return false;
    return std::ranges::any_of(object::builtin_resources(), [&](const Resource& resource) {
        return resource.group == path.substr(0, slash);
    });
}

// "/": the paths that there are, indented as Kubernetes does.
void Discovery::add_root() {
    Arena arena;
    std::vector<std::string> known;
    for (const auto& [path, document] : documents_) known.push_back(path);
    for (std::string_view path :
         {"/healthz", "/healthz/ping", "/livez", "/livez/ping", "/metrics", "/openapi/v2", "/openapi/v3",
          "/openapi/v3/", "/readyz", "/readyz/ping", "/version"})
        known.emplace_back(path);
    std::ranges::sort(known);
    Value paths = Value::list(arena);
    for (const std::string& path : known) paths.push_back(arena, text(arena, path));
    Value document = Value::map(arena);
    document.set(arena, "paths", paths);
    std::string& out = documents_["/"];
    object::write_json_pretty(document, out);
    out += '\n';
}

bool Discovery::handle(Exchange& exchange) const {
    std::string_view path = exchange.request().path;
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    auto plain = documents_.find(path);
    if (plain == documents_.end()) return false;
    if (auto grouped = aggregated_.find(path); grouped != aggregated_.end()) {
        for (const AcceptClause& clause : parse_accept(exchange.request().header("Accept"))) {
            if (!clause.matches("application/json")) continue;
            if (clause.parameter("as").empty()) break;
            if (clause.parameter("as") == "APIGroupDiscoveryList" && clause.parameter("v") == "v2") {
                exchange.respond(
                    Response(200, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                             grouped->second));
                return true;
            }
        }
    }
    exchange.respond(Response(200, "application/json", plain->second));
    return true;
}

}  // namespace keelson::api
