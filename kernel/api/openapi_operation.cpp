// How one operation is written: parameters, body, answers. Which operations there are is in
// openapi_paths.cpp.
#include <algorithm>

#include "kernel/api/openapi_paths.h"

namespace keelson::api {

using object::Arena;
using object::Resource;
using object::Type;
using object::Value;

namespace {

constexpr std::string_view kSchemes[] = {"https"};
constexpr std::string_view kAnyType[] = {"*/*"};
constexpr std::string_view kDocumentTypes[] = {"application/json", "application/yaml",
                                               "application/vnd.kubernetes.protobuf"};
constexpr std::string_view kPatchTypes[] = {"application/json-patch+json", "application/merge-patch+json",
                                            "application/strategic-merge-patch+json",
                                            "application/apply-patch+yaml"};

std::span<const std::string_view> body_types(bool is_patch) {
    if (is_patch) return kPatchTypes;
    return kAnyType;
}

struct KnownParameter {
    std::string_view name;
    std::string_view type;
    std::string_view description;
};

constexpr KnownParameter kParameters[] = {
    {"allowWatchBookmarks", "boolean",
     "Ask a watch for BOOKMARK events, which only carry a resource version."},
    {"continue", "string", "The token of the page before, to read the next page of a list."},
    {"dryRun", "string", "\"All\": go through every stage, but store nothing."},
    {"fieldManager", "string", "The name of the actor that makes the change, at most 128 characters."},
    {"fieldSelector", "string", "Restrict the list to objects whose fields match."},
    {"fieldValidation", "string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict."},
    {"force", "boolean", "Take over fields that other managers own. Only for apply patches."},
    {"gracePeriodSeconds", "integer", "Seconds until the object is deleted; 0 deletes it at once."},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean",
     "Delete an object that cannot be read any more."},
    {"labelSelector", "string", "Restrict the list to objects whose labels match."},
    {"limit", "integer", "The most objects to return; the answer's continue token leads to the rest."},
    {"orphanDependents", "boolean", "Deprecated, use propagationPolicy: whether dependents are kept."},
    {"pretty", "string", "If \"true\", the output is indented."},
    {"propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground."},
    {"resourceVersion", "string", "The resource version that the answer is made at."},
    {"resourceVersionMatch", "string", "How resourceVersion binds a list: Exact or NotOlderThan."},
    {"sendInitialEvents", "boolean", "Start a watch with events for all objects there are, then a bookmark."},
    {"timeoutSeconds", "integer", "How long the call may last."},
    {"watch", "boolean", "Answer with a stream of changes."},
};

Value text_list(Arena& arena, std::span<const std::string_view> items) {
    Value list = Value::list(arena, items.size());
    for (std::string_view item : items) list.push_back(arena, Value::reference(item));
    return list;
}

}  // namespace

OpenApiPaths::OpenApiPaths(OpenApiVersion version, Arena& arena, OpenApiSchemas& schemas, Value paths)
    : version_(version), arena_(arena), schemas_(schemas), paths_(paths), parameters_(Value::map(arena)) {}

Value OpenApiPaths::parameter(std::string_view place, std::string_view name, std::string_view type,
                              std::string_view description) {
    Value value = Value::map(arena_);
    if (!description.empty()) value.append(arena_, "description", Value::string(arena_, description));
    value.append(arena_, "in", Value::reference(place));
    value.append(arena_, "name", Value::reference(name));
    if (place == "path") value.append(arena_, "required", Value::boolean(true));
    if (version_ == OpenApiVersion::v3) {
        Value schema = Value::map(arena_);
        schema.append(arena_, "type", Value::reference(type));
        schema.append(arena_, "uniqueItems", Value::boolean(true));
        value.append(arena_, "schema", schema);
    } else {
        value.append(arena_, "type", Value::reference(type));
        value.append(arena_, "uniqueItems", Value::boolean(true));
    }
    return value;
}

Value OpenApiPaths::named(std::string_view name) {
    if (Value known = parameters_[name]; known.is_set()) return known;
    auto found = std::ranges::find(kParameters, name, &KnownParameter::name);
    Value made = parameter("query", found->name, found->type, found->description);
    parameters_.append(arena_, found->name, made);
    return made;
}

std::vector<Value> OpenApiPaths::named(std::span<const std::string_view> names) {
    std::vector<Value> values;
    for (std::string_view name : names) values.push_back(named(name));
    return values;
}

std::vector<Value> OpenApiPaths::path_parameters(const Resource& resource, bool with_name) {
    std::vector<Value> values;
    if (with_name)
        values.push_back(parameter("path", "name", "string", "name of the " + std::string(resource.kind)));
    if (resource.namespaced)
        values.push_back(parameter("path", "namespace", "string",
                                   "object name and auth scope, such as for teams and projects"));
    return values;
}

std::vector<Value> OpenApiPaths::option_parameters(const Type& options) {
    std::vector<Value> values;
    for (const object::Field& field : options.fields) {
        if (field.name == "kind" || field.name == "apiVersion") continue;
        const Type* type = field.type->element ? field.type->element : field.type;
        std::string_view name = type->shape == object::Shape::boolean ? "boolean"
                                : type->shape == object::Shape::int32 || type->shape == object::Shape::int64
                                    ? "integer"
                                    : "string";
        values.push_back(parameter("query", field.name, name, ""));
    }
    std::ranges::sort(values, {}, [](Value value) { return value["name"].as_string(); });
    return values;
}

Value OpenApiPaths::path_item(std::string_view path, const std::vector<Value>& parameters) {
    Value item = Value::map(arena_);
    paths_.append(arena_, arena_.copy(path), item);
    if (parameters.empty()) return item;
    Value list = Value::list(arena_, parameters.size());
    for (Value value : parameters) list.push_back(arena_, value);
    item.append(arena_, "parameters", list);
    return item;
}

Value OpenApiPaths::request_body(const Operation& operation) {
    Value schema = schemas_.use(*operation.body);
    if (version_ == OpenApiVersion::v2) {
        Value body = Value::map(arena_);
        body.append(arena_, "in", Value::reference("body"));
        body.append(arena_, "name", Value::reference("body"));
        if (operation.body_required) body.append(arena_, "required", Value::boolean(true));
        body.append(arena_, "schema", schema);
        return body;
    }
    Value content = Value::map(arena_);
    for (std::string_view type : body_types(operation.is_patch)) {
        Value media = Value::map(arena_);
        media.append(arena_, "schema", schema);
        content.append(arena_, type, media);
    }
    Value body = Value::map(arena_);
    body.append(arena_, "content", content);
    if (operation.body_required) body.append(arena_, "required", Value::boolean(true));
    return body;
}

Value OpenApiPaths::response(std::string_view description, const Type* type,
                             std::span<const std::string_view> media_types) {
    Value answer = Value::map(arena_);
    Value schema = Value::map(arena_);
    if (type)
        schema = schemas_.use(*type);
    else
        schema.append(arena_, "type", Value::reference("string"));
    if (version_ == OpenApiVersion::v3) {
        Value content = Value::map(arena_);
        for (std::string_view media_type : media_types) {
            Value media = Value::map(arena_);
            media.append(arena_, "schema", schema);
            content.append(arena_, media_type, media);
        }
        answer.append(arena_, "content", content);
    }
    answer.append(arena_, "description", Value::reference(description));
    if (version_ == OpenApiVersion::v2) answer.append(arena_, "schema", schema);
    return answer;
}

Value OpenApiPaths::responses(const Operation& operation) {
    Value all = Value::map(arena_);
    for (int code : operation.codes) {
        std::string_view name = code == 200 ? "200" : code == 201 ? "201" : "202";
        std::string_view description = code == 200 ? "OK" : code == 201 ? "Created" : "Accepted";
        all.append(arena_, name, response(description, operation.answer, operation.produces));
    }
    Value unauthorized = Value::map(arena_);
    unauthorized.append(arena_, "description", Value::reference("Unauthorized"));
    all.append(arena_, "401", unauthorized);
    return all;
}

void OpenApiPaths::add_operation(Value item, Operation operation) {
    if (operation.produces.empty()) operation.produces = kDocumentTypes;
    Value value = Value::map(arena_);
    bool v2 = version_ == OpenApiVersion::v2;
    if (v2) value.append(arena_, "consumes", text_list(arena_, body_types(operation.is_patch)));
    value.append(arena_, "description", Value::string(arena_, operation.description));
    value.append(arena_, "operationId", Value::string(arena_, operation.id));
    Value parameters = Value::list(arena_);
    if (v2 && operation.body) parameters.push_back(arena_, request_body(operation));
    for (Value parameter : operation.parameters) parameters.push_back(arena_, parameter);
    if (!parameters.empty()) value.append(arena_, "parameters", parameters);
    if (v2) value.append(arena_, "produces", text_list(arena_, operation.produces));
    if (!v2 && operation.body) value.append(arena_, "requestBody", request_body(operation));
    value.append(arena_, "responses", responses(operation));
    if (v2) value.append(arena_, "schemes", text_list(arena_, kSchemes));
    Value tags = Value::list(arena_);
    tags.push_back(arena_, Value::string(arena_, operation.tag));
    value.append(arena_, "tags", tags);
    if (!operation.action.empty()) {
        value.append(arena_, "x-kubernetes-action", Value::reference(operation.action));
        Value kind = Value::map(arena_);
        kind.append(arena_, "group", Value::reference(operation.group));
        kind.append(arena_, "kind", Value::reference(operation.kind));
        kind.append(arena_, "version", Value::reference(operation.version));
        value.append(arena_, "x-kubernetes-group-version-kind", kind);
    }
    item.append(arena_, operation.method, value);
}

}  // namespace keelson::api
