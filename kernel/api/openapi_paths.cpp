#include "kernel/api/openapi_paths.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace keelson::api {

using object::Resource;
using object::Subresource;
using object::Type;
using object::Value;

namespace {

constexpr std::string_view kAnyType[] = {"*/*"};
constexpr std::string_view kWatchTypes[] = {
    "application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"};
constexpr std::string_view kLogTypes[] = {"text/plain", "application/json", "application/yaml",
                                          "application/vnd.kubernetes.protobuf"};

constexpr std::string_view kListParameters[] = {"allowWatchBookmarks",
                                                "continue",
                                                "fieldSelector",
                                                "labelSelector",
                                                "limit",
                                                "resourceVersion",
                                                "resourceVersionMatch",
                                                "sendInitialEvents",
                                                "timeoutSeconds",
                                                "watch"};

constexpr std::string_view kWriteParameters[] = {"dryRun", "fieldManager", "fieldValidation"};
constexpr std::string_view kPatchParameters[] = {"dryRun", "fieldManager", "fieldValidation", "force"};
constexpr std::string_view kDeleteParameters[] = {"dryRun", "gracePeriodSeconds",
                                                  "ignoreStoreReadErrorWithClusterBreakingPotential",
                                                  "orphanDependents", "propagationPolicy"};
constexpr std::string_view kDeleteCollectionParameters[] = {
    "continue",
    "dryRun",
    "fieldSelector",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "labelSelector",
    "limit",
    "orphanDependents",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds"};

void capitalize(std::string& text, std::string_view word) {
    std::size_t start = text.size();
    text += word;
    if (start < text.size())
        text[start] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[start])));
}

// "rbac.authorization.k8s.io" is "rbacAuthorization", the core group is "core".
std::string group_word(std::string_view group) {
    if (group.empty()) return "core";
    if (group.ends_with(".k8s.io")) group.remove_suffix(7);
    std::string word;
    while (!group.empty()) {
        std::size_t dot = std::min(group.find('.'), group.size());
        if (word.empty())
            word += group.substr(0, dot);
        else
            capitalize(word, group.substr(0, dot));
        group.remove_prefix(std::min(dot + 1, group.size()));
    }
    return word;
}

std::string with_article(const std::string& noun) {
    if (noun.ends_with('s')) return noun;
    return (std::string_view("AEIOU").find(noun.front()) != std::string_view::npos ? "an " : "a ") + noun;
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& letter : result) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    return result;
}

std::string base_path(std::string_view group, std::string_view version) {
    return group.empty() ? "/api/" + std::string(version) + "/"
                         : "/apis/" + std::string(group) + "/" + std::string(version) + "/";
}

const Type& meta_type(std::string_view id) {
    return *object::find_type(id);
}

bool is_connect(const Subresource& sub) {
    return sub.kind.ends_with("Options");
}

}  // namespace

std::string OpenApiPaths::operation_id(std::string_view verb, const Resource& resource,
                                       std::string_view infix, std::string_view suffix) const {
    std::string id(verb);
    capitalize(id, group_word(resource.group));
    capitalize(id, resource.version);
    id += infix;
    id += resource.kind;
    id += suffix;
    return id;
}

void OpenApiPaths::add_document(std::string_view path, std::string_view id, std::string_view tag,
                                std::string_view description, const Type& type) {
    Operation operation;
    operation.method = "get";
    operation.id = id;
    operation.tag = tag;
    operation.description = description;
    operation.answer = &type;
    add_operation(path_item(path, {}), operation);
}

void OpenApiPaths::add_server_version() {
    add_document("/version/", "getCodeVersion", "version", "get the version information for this server",
                 meta_type("version.Info"));
}

void OpenApiPaths::add_core_versions() {
    add_document("/api/", "getCoreAPIVersions", "core", "get available API versions",
                 meta_type("meta/v1.APIVersions"));
}

void OpenApiPaths::add_groups() {
    add_document("/apis/", "getAPIVersions", "apis", "get available API versions",
                 meta_type("meta/v1.APIGroupList"));
}

void OpenApiPaths::add_group(std::string_view group) {
    std::string word = group_word(group);
    std::string id = "get";
    capitalize(id, word);
    add_document("/apis/" + std::string(group) + "/", id + "APIGroup", word, "get information of a group",
                 meta_type("meta/v1.APIGroup"));
}

void OpenApiPaths::add_group_version(std::string_view group, std::string_view version) {
    std::string base = base_path(group, version);
    std::string word = group_word(group);
    std::string id = "get";
    capitalize(id, word);
    capitalize(id, version);
    add_document(base, id + "APIResources", word + "_" + std::string(version), "get available resources",
                 meta_type("meta/v1.APIResourceList"));
    for (const Resource& resource : object::builtin_resources())
        if (resource.group == group && resource.version == version) add_resource(resource, base);
}

void OpenApiPaths::add_resource(const Resource& resource, std::string_view base) {
    std::string prefix(base);
    if (resource.namespaced) {
        if (resource.verbs & object::verb_list)
            add_collection(resource, prefix + std::string(resource.name), true);
        prefix += "namespaces/{namespace}/";
    }
    std::string collection = prefix + std::string(resource.name);
    constexpr std::uint16_t on_items =
        object::verb_get | object::verb_update | object::verb_patch | object::verb_delete;
    if (resource.verbs & ~on_items) add_collection(resource, collection, false);
    std::string item = collection + "/{name}";
    if (resource.verbs & on_items) add_item(resource, item);
    for (const Subresource& sub : resource.subresources) {
        std::string path = item + "/" + std::string(sub.name);
        if (!is_connect(sub)) {
            add_subresource(resource, sub, path);
            continue;
        }
        add_connect(resource, sub, path, false);
        if (sub.name == "proxy") add_connect(resource, sub, path + "/{path}", true);
    }
    if (resource.verbs & object::verb_watch) add_watches(resource, base);
}

namespace {

std::string tag_of(const Resource& resource) {
    return group_word(resource.group) + "_" + std::string(resource.version);
}

std::string_view scope_word(const Resource& resource) {
    return resource.namespaced ? "Namespaced" : "";
}

const Type* list_type(const Resource& resource) {
    return object::find_kind(resource.group, resource.version, std::string(resource.kind) + "List");
}

}  // namespace

void OpenApiPaths::add_collection(const Resource& resource, std::string_view base, bool all_namespaces) {
    std::vector<Value> shared;
    if (!all_namespaces) shared = path_parameters(resource, false);
    shared.push_back(named("pretty"));
    Value item = path_item(base, shared);
    std::string_view scope = all_namespaces ? "" : scope_word(resource);
    std::string kind(resource.kind);
    Operation common;
    common.tag = tag_of(resource);
    common.group = resource.group;
    common.version = resource.version;
    common.kind = resource.kind;
    if (!all_namespaces && (resource.verbs & object::verb_delete_collection)) {
        Operation operation = common;
        operation.method = "delete";
        operation.id = operation_id("delete", resource, "Collection" + std::string(scope), "");
        operation.description = "delete collection of " + kind;
        operation.action = "deletecollection";
        operation.body = &meta_type("meta/v1.DeleteOptions");
        operation.body_required = false;
        operation.answer = &meta_type("meta/v1.Status");
        operation.parameters = named(kDeleteCollectionParameters);
        add_operation(item, operation);
    }
    if (resource.verbs & object::verb_list) {
        Operation operation = common;
        operation.method = "get";
        operation.id = operation_id("list", resource, scope, all_namespaces ? "ForAllNamespaces" : "");
        operation.description = "list or watch objects of kind " + kind;
        operation.action = "list";
        operation.answer = list_type(resource);
        operation.parameters = named(kListParameters);
        operation.produces = kWatchTypes;
        add_operation(item, operation);
    }
    if (!all_namespaces && (resource.verbs & object::verb_create)) {
        Operation operation = common;
        operation.method = "post";
        operation.id = operation_id("create", resource, scope, "");
        operation.description = "create " + with_article(kind);
        operation.action = "post";
        operation.body = operation.answer = resource.type;
        operation.codes = {200, 201, 202};
        operation.parameters = named(kWriteParameters);
        add_operation(item, operation);
    }
}

void OpenApiPaths::add_item(const Resource& resource, std::string_view base) {
    Subresource whole;  // the object itself, written like a subresource without a name
    whole.kind = resource.kind;
    whole.group = resource.group;
    whole.version = resource.version;
    whole.verbs = resource.verbs & ~object::verb_create;
    whole.type = resource.type;
    add_subresource(resource, whole, base);
}

void OpenApiPaths::add_subresource(const Resource& resource, const Subresource& sub, std::string_view base) {
    bool is_log = sub.name == "log";
    bool is_item = sub.name.empty();
    std::vector<Value> shared = path_parameters(resource, true);
    if (is_log)
        for (Value value : option_parameters(meta_type("core/v1.PodLogOptions"))) shared.push_back(value);
    shared.push_back(named("pretty"));
    Value item = path_item(base, shared);
    std::string suffix;
    capitalize(suffix, sub.name);
    std::string of = is_item ? "" : std::string(sub.name) + " of ";
    std::string kind(resource.kind);
    Operation common;
    common.tag = tag_of(resource);
    common.group = sub.group;
    common.version = sub.version;
    common.kind = sub.kind;
    common.answer = is_log ? nullptr : sub.type;
    auto start = [&](std::string_view method, std::string_view verb, std::string_view action) {
        Operation operation = common;
        operation.method = method;
        operation.id = operation_id(verb, resource, scope_word(resource), suffix);
        bool makes = verb == "create" || verb == "delete";
        operation.description =
            std::string(verb) + " " + of + (makes ? with_article(kind) : "the specified " + kind);
        operation.action = action;
        return operation;
    };
    if (sub.verbs & object::verb_delete) {
        Operation operation = start("delete", "delete", "delete");
        operation.body = &meta_type("meta/v1.DeleteOptions");
        operation.body_required = false;
        if (!resource.delete_returns_object) operation.answer = &meta_type("meta/v1.Status");
        operation.codes = {200, 202};
        operation.parameters = named(kDeleteParameters);
        add_operation(item, operation);
    }
    if (sub.verbs & object::verb_get) {
        Operation operation = start("get", "read", "get");
        if (is_log) operation.produces = kLogTypes;
        add_operation(item, operation);
    }
    if (sub.verbs & object::verb_patch) {
        Operation operation = start("patch", "patch", "patch");
        operation.description = "partially update " + of + "the specified " + kind;
        operation.body = &meta_type("meta/v1.Patch");
        operation.is_patch = true;
        operation.codes = {200, 201};
        operation.parameters = named(kPatchParameters);
        add_operation(item, operation);
    }
    if (sub.verbs & object::verb_create) {
        Operation operation = start("post", "create", "post");
        operation.body = sub.type;
        operation.codes = {200, 201, 202};
        operation.parameters = named(kWriteParameters);
        add_operation(item, operation);
    }
    if (sub.verbs & object::verb_update) {
        Operation operation = start("put", "replace", "put");
        operation.body = sub.type;
        operation.codes = {200, 201};
        operation.parameters = named(kWriteParameters);
        add_operation(item, operation);
    }
}

void OpenApiPaths::add_connect(const Resource& resource, const Subresource& sub, std::string_view path,
                               bool with_path) {
    std::vector<Value> shared = path_parameters(resource, true);
    if (with_path) shared.push_back(parameter("path", "path", "string", "path to the resource"));
    if (sub.type)
        for (Value value : option_parameters(*sub.type)) {
            // The rest of the path says it already.
            if (!(with_path && value["name"].as_string() == "path")) shared.push_back(value);
        }
    Value item = path_item(path, shared);
    constexpr std::pair<object::Verb, std::string_view> kMethods[] = {{object::verb_delete, "delete"},
                                                                      {object::verb_get, "get"},
                                                                      {object::verb_patch, "patch"},
                                                                      {object::verb_create, "post"},
                                                                      {object::verb_update, "put"}};
    for (auto [verb, method] : kMethods) {
        if ((sub.verbs & verb) == 0) continue;
        Operation operation;
        operation.method = method;
        std::string infix;
        capitalize(infix, method);
        infix += scope_word(resource);
        std::string suffix;
        capitalize(suffix, sub.name);
        if (with_path) suffix += "WithPath";
        operation.id = operation_id("connect", resource, infix, suffix);
        operation.tag = tag_of(resource);
        operation.description = "connect " + upper(method) + " requests to " + std::string(sub.name) +
                                " of " + std::string(resource.kind);
        operation.action = "connect";
        operation.group = sub.group;
        operation.version = sub.version;
        operation.kind = sub.kind;
        operation.produces = kAnyType;
        add_operation(item, operation);
    }
}

void OpenApiPaths::add_watches(const Resource& resource, std::string_view base) {
    std::string prefix = std::string(base) + "watch/";
    std::string scoped =
        prefix + (resource.namespaced ? "namespaces/{namespace}/" : "") + std::string(resource.name);
    auto add = [&](const std::string& path, std::vector<Value> shared, std::string id,
                   std::string_view action) {
        for (std::string_view name : kListParameters) shared.push_back(named(name));
        shared.push_back(named("pretty"));
        Operation operation;
        operation.method = "get";
        operation.id = std::move(id);
        operation.tag = tag_of(resource);
        operation.description = "watch changes to objects of kind " + std::string(resource.kind) +
                                ". deprecated: use the 'watch' parameter with a list operation instead.";
        operation.action = action;
        operation.group = resource.group;
        operation.version = resource.version;
        operation.kind = resource.kind;
        operation.answer = &meta_type("meta/v1.WatchEvent");
        operation.produces = kWatchTypes;
        add_operation(path_item(path, shared), operation);
    };
    if (resource.namespaced)
        add(prefix + std::string(resource.name), {},
            operation_id("watch", resource, "", "ListForAllNamespaces"), "watchlist");
    add(scoped, path_parameters(resource, false),
        operation_id("watch", resource, scope_word(resource), "List"), "watchlist");
    add(scoped + "/{name}", path_parameters(resource, true),
        operation_id("watch", resource, scope_word(resource), ""), "watch");
}

}  // namespace keelson::api
