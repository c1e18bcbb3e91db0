#include "kernel/api/openapi_document.h"

#include <algorithm>
#include <set>
#include <utility>

#include "kernel/api/health_handler.h"
#include "kernel/api/openapi_paths.h"
#include "kernel/api/openapi_schema.h"

namespace keelson::api {

using object::Arena;
using object::Value;

namespace {

using GroupVersion = std::pair<std::string_view, std::string_view>;

std::set<GroupVersion> group_versions() {
    std::set<GroupVersion> all;
    for (const object::Resource& resource : object::builtin_resources())
        all.emplace(resource.group, resource.version);
    return all;
}

Value security_scheme(Arena& arena) {
    Value scheme = Value::map(arena);
    scheme.append(arena, "description", Value::reference("Bearer Token authentication"));
    scheme.append(arena, "in", Value::reference("header"));
    scheme.append(arena, "name", Value::reference("authorization"));
    scheme.append(arena, "type", Value::reference("apiKey"));
    Value schemes = Value::map(arena);
    schemes.append(arena, "BearerToken", scheme);
    return schemes;
}

Value info(Arena& arena) {
    Value value = Value::map(arena);
    value.append(arena, "title", Value::reference("Kubernetes"));
    value.append(arena, "version", Value::reference(kubernetes_version));
    return value;
}

// Adds the paths of a document of version 3; false when there is none of that name.
bool add_paths(std::string_view name, OpenApiPaths& paths) {
    if (name == "version")
        paths.add_server_version();
    else if (name == "api")
        paths.add_core_versions();
    else if (name == "apis")
        paths.add_groups();
    else {
        bool core = name.starts_with("api/");
        if (!core && !name.starts_with("apis/")) return false;
        std::string_view rest = name.substr(core ? 4 : 5);
        std::size_t slash = rest.find('/');
        std::string_view group = core ? "" : rest.substr(0, slash);
        std::string_view version = core ? rest : slash == rest.npos ? "" : rest.substr(slash + 1);
        if (version.empty()) {
            auto known = [&](const object::Resource& resource) { return resource.group == group; };
            if (group.empty() || slash != rest.npos ||
                !std::ranges::any_of(object::builtin_resources(), known))
                return false;
            paths.add_group(group);
        } else {
            if ((!core && group.empty()) || !object::is_known_group_version(group, version)) return false;
            paths.add_group_version(group, version);
        }
    }
    return true;
}

// The requirement that goes with it.
Value security(Arena& arena) {
    Value requirement = Value::map(arena);
    requirement.append(arena, "BearerToken", Value::list(arena));
    Value list = Value::list(arena);
    list.push_back(arena, requirement);
    return list;
}

}  // namespace

Value open_api_v2(Arena& arena) {
    Value path_map = Value::map(arena);
    OpenApiSchemas schemas(OpenApiVersion::v2, arena);
    OpenApiPaths paths(OpenApiVersion::v2, arena, schemas, path_map);
    paths.add_core_versions();
    paths.add_groups();
    paths.add_server_version();
    std::string_view last;
    for (auto [group, version] : group_versions()) {
        if (group != std::exchange(last, group)) paths.add_group(group);
        paths.add_group_version(group, version);
    }
    path_map.sort_members();
    Value document = Value::map(arena);
    document.append(arena, "swagger", Value::reference("2.0"));
    document.append(arena, "info", info(arena));
    document.append(arena, "paths", path_map);
    document.append(arena, "definitions", schemas.definitions());
    document.append(arena, "securityDefinitions", security_scheme(arena));
    document.append(arena, "security", security(arena));
    return document;
}

std::vector<std::string> open_api_v3_names() {
    std::vector<std::string> names = {"api", "apis", "version"};
    std::string_view last;
    for (auto [group, version] : group_versions()) {
        std::string base = group.empty() ? "api" : "apis/" + std::string(group);
        if (group != std::exchange(last, group)) names.push_back(base);
        names.push_back(base + "/" + std::string(version));
    }
    std::ranges::sort(names);
    return names;
}

Value open_api_v3(std::string_view name, Arena& arena) {
    Value path_map = Value::map(arena);
    OpenApiSchemas schemas(OpenApiVersion::v3, arena);
    OpenApiPaths paths(OpenApiVersion::v3, arena, schemas, path_map);
    if (!add_paths(name, paths)) return {};
    path_map.sort_members();
    Value components = Value::map(arena);
    components.append(arena, "schemas", schemas.definitions());
    components.append(arena, "securitySchemes", security_scheme(arena));
    Value document = Value::map(arena);
    document.append(arena, "components", components);
    document.append(arena, "info", info(arena));
    document.append(arena, "openapi", Value::reference("3.0.0"));
    document.append(arena, "paths", path_map);
    document.append(arena, "security", security(arena));
    return document;
}

}  // namespace keelson::api
