#include "kernel/resource/decode_body.h"

#include "kernel/object/conform.h"
#include "kernel/object/defaults.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/strategy.h"

namespace keelson::resource {
namespace {

using base::Result;
using object::Arena;
using object::Value;

// The internal package of a group, as Kubernetes' conversion errors print it: "core", "apps", "rbac".
std::string internal_package(std::string_view group) {
    return group.empty() ? "core" : std::string(group.substr(0, group.find('.')));
}

Result<void> check_kind(const ExpectedKind& expected, Value raw) {
    std::string_view api_version = raw["apiVersion"].as_string();
    std::string_view kind = raw["kind"].as_string();
    std::string wanted = group_version(expected.group, expected.version);
    if (kind.empty()) kind = expected.kind;
    if (api_version.empty()) api_version = wanted;
    if (kind == expected.kind && api_version == wanted) return base::ok();

    std::size_t slash = api_version.find('/');
    std::string_view group =
        slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
    std::string_view version = slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
    std::string prefix = std::string(kind) + " in version \"" + std::string(version) +
                         "\" cannot be handled as a " + std::string(expected.kind) + ": ";
    if (!object::find_kind(group, version, kind))
        return bad_request(prefix + "no kind \"" + std::string(kind) + "\" is registered for version \"" +
                           std::string(api_version) + "\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"");
    if (kind != expected.kind || group != expected.group)
        return bad_request(prefix + "converting (" + std::string(version) + "." + std::string(kind) +
                           ") to (" + internal_package(expected.group) + "." + std::string(expected.kind) +
                           "): unknown conversion");
    return bad_request("the API version in the data (" + std::string(api_version) +
                       ") does not match the expected API version (" + wanted + ")");
}

}  // namespace

std::string group_version(std::string_view group, std::string_view version) {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

ExpectedKind expected_kind(const Call& call) {
    if (call.subresource && call.subresource->type)
        return {call.subresource->type, call.subresource->group, call.subresource->version,
                call.subresource->kind};
    return {call.resource->type, call.resource->group, call.resource->version, call.resource->kind};
}

Result<void> report_fields(std::vector<std::string> problems, FieldValidation validation, Call& call) {
    if (problems.empty() || validation == FieldValidation::ignore) return base::ok();
    if (validation == FieldValidation::warn) {
        for (std::string& problem : problems) call.warnings.push_back(std::move(problem));
        return base::ok();
    }
    std::string text = "strict decoding error: ";
    for (std::size_t i = 0; i < problems.size(); ++i) text += (i == 0 ? "" : ", ") + problems[i];
    return bad_request(std::move(text));
}

Value with_defaults(const object::Resource* resource, const ExpectedKind& expected, Value object,
                    Arena& arena) {
    object::apply_defaults(*expected.type, object, arena);
    if (resource) apply_storage_defaults(*resource, object, arena);
    object.set(arena, "kind", Value::reference(expected.kind));
    object.set(arena, "apiVersion", Value::string(arena, group_version(expected.group, expected.version)));
    return object::canonical(*expected.type, object, arena, object::EmptyLists::keep);
}

Result<Value> decode_body(const ExpectedKind& expected, const Body& body, FieldValidation validation,
                          Call& call, Arena& arena) {
    Value raw = body.value.is_unset() ? Value::map(arena) : body.value;
    KEELSON_TRY_VOID(check_kind(expected, raw));
    std::string prefix = std::string(expected.kind) + " in version \"" + std::string(expected.version) +
                         "\" cannot be handled as a " + std::string(expected.kind) + ": ";
    std::vector<std::string> unknown;
    auto typed =
        object::conform(*expected.type, raw, arena,
                        validation == FieldValidation::ignore ? nullptr : &unknown, object::EmptyLists::keep);
    if (!typed) return std::move(typed).error().with_context(prefix);
    std::vector<std::string> problems;
    for (const std::string& path : body.duplicate_fields)
        problems.push_back(path.starts_with("yaml:") ? path : "duplicate field \"" + path + "\"");
    for (const std::string& path : unknown) problems.push_back("unknown field \"" + path + "\"");
    if (auto reported = report_fields(std::move(problems), validation, call); !reported)
        return std::move(reported).error().with_context(prefix);
    const object::Resource* resource = expected.type == call.resource->type ? call.resource : nullptr;
    return with_defaults(resource, expected, *typed, arena);
}

}  // namespace keelson::resource
