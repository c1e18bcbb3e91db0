#include "kernel/resource/patching.h"

#include "kernel/object/conform.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/patch.h"
#include "kernel/resource/errors.h"

namespace keelson::resource {

using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Value;

namespace {

std::string_view json_kind(Value value) {
    switch (value.kind()) {
        case object::Kind::list:
            return "array";
        case object::Kind::map:
            return "object";
        case object::Kind::string:
            return "string";
        case object::Kind::boolean:
            return "bool";
        default:
            return "number";
    }
}

Status invalid_patch(const object::BadValue& value, std::string_view detail) {
    object::FieldErrors errors;
    errors.invalid(object::FieldPath("patch"), value, detail);
    return object::invalid_status("", "", "", errors);
}

// Go writes maps sorted; what a patch did not touch keeps its order.
Value in_go_order(Value value, Value patch, Arena& arena) {
    if (!value.is_map() || !patch.is_map()) return value;
    Value result = Value::map(arena, value.size());
    for (const object::Member& member : value.members())
        result.append(arena, member.name, in_go_order(member.value, patch[member.name], arena));
    result.sort_members();
    return result;
}

// A strategic merge goes through another converter of Kubernetes', which has words of its own for a wrong
// type.
std::string converter_error(const std::string& decoder_error) {
    constexpr std::string_view kValue = "json: cannot unmarshal ", kType = " of type ";
    std::size_t type_at = decoder_error.rfind(kType);
    if (!decoder_error.starts_with(kValue) || type_at == std::string::npos) return decoder_error;
    std::string type = decoder_error.substr(type_at + kType.size());
    std::string found =
        decoder_error.substr(kValue.size(), decoder_error.find(' ', kValue.size()) - kValue.size());
    if (found == "number") found = "int64";
    if (found == "array") found = "slice";
    if (found == "object") found = "map";
    if (type.starts_with("[]")) return "cannot restore slice from " + found;
    if (type.starts_with("map[")) return "cannot restore map from " + found;
    bool scalar = type.find('.') == std::string::npos;
    return scalar ? "unrecognized type: " + type : "cannot restore struct from: " + found;
}

// The object that the type's defaults and canonical form make of a patched document.
Result<Value> typed_result(const ExpectedKind& expected, Value patched, const object::BadValue& shown,
                           bool strategic, const WriteOptions& options, Call& call, const Body& patch,
                           Arena& arena) {
    std::vector<std::string> unknown;
    bool ignore = options.field_validation == FieldValidation::ignore;
    auto typed = object::conform(*expected.type, patched, arena, ignore ? nullptr : &unknown);
    if (!typed) {
        const std::string& why = typed.error().message();
        return invalid_patch(shown, strategic ? converter_error(why) : why);
    }
    std::vector<std::string> problems;
    for (const std::string& path : patch.duplicate_fields)
        problems.push_back("duplicate field \"" + path + "\"");
    for (const std::string& path : unknown) problems.push_back("unknown field \"" + path + "\"");
    if (auto reported = report_fields(std::move(problems), options.field_validation, call); !reported)
        return invalid_patch(shown, reported.error().message());
    const object::Resource* resource = expected.type == call.resource->type ? call.resource : nullptr;
    return with_defaults(resource, expected, *typed, arena);
}

Result<Change> apply_configuration(const ExpectedKind& expected, Value current, const Body& patch,
                                   const WriteOptions& options, Call& call,
                                   std::span<const std::string_view> reset, std::string_view time,
                                   Arena& arena) {
    Value configuration = patch.value.clone(arena);
    std::string wanted = group_version(expected.group, expected.version);
    if (configuration["apiVersion"].as_string() != wanted)
        return bad_request("Incorrect version specified in apply patch. Specified patch version: " +
                           configuration["apiVersion"].to_string() + ", expected: " + wanted);
    if (configuration["kind"].as_string() != expected.kind)
        return bad_request("invalid object type: " + wanted + ", Kind=" + configuration["kind"].to_string());
    object::FieldManager manager{options.field_manager, wanted, call.subresource_name(), time};
    KEELSON_TRY(Value merged,
                object::apply(*expected.type, current, configuration, manager, options.force, reset, arena));
    Value metadata = merged.child_map(arena, "metadata");
    if (metadata["name"].is_unset()) metadata.set(arena, "name", Value::string(arena, call.name));
    const object::Resource* resource = expected.type == call.resource->type ? call.resource : nullptr;
    return Change{with_defaults(resource, expected, merged, arena), true};
}

}  // namespace

Result<void> check_patch_document(PatchType type, Value patch) {
    std::string found = "error decoding patch: json: cannot unmarshal " + std::string(json_kind(patch));
    if (type == PatchType::json) {
        if (!patch.is_list() && !patch.is_null())
            return bad_request(found + " into Go value of type []handlers.jsonPatchOp");
    } else if (type == PatchType::apply) {
        if (!patch.is_map())
            return bad_request(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal " +
                std::string(json_kind(patch)) + " into Go value of type map[string]interface {}");
    } else if (!patch.is_map()) {
        return bad_request(found + " into Go value of type map[string]interface {}");
    }
    return base::ok();
}

Result<Change> apply_patch(const ExpectedKind& expected, Value current, PatchType type, const Body& patch,
                           const WriteOptions& options, Call& call, std::span<const std::string_view> reset,
                           std::string_view time, Arena& arena) {
    if (type == PatchType::apply)
        return apply_configuration(expected, current, patch, options, call, reset, time, arena);
    Value patched;
    if (type == PatchType::json) {
        KEELSON_TRY(patched, object::json_patch(current, patch.value, arena));
    } else if (type == PatchType::merge) {
        patched = object::merge_patch(current, patch.value, arena);
    } else {
        KEELSON_TRY(patched, object::strategic_merge_patch(*expected.type, current, patch.value, arena));
    }
    if (!patched.is_map())
        return invalid_patch(object::to_json(patched), "the patched document is not an object");
    object::BadValue shown =
        type == PatchType::strategic
            ? object::BadValue(object::go_text(patch.value))
            : object::BadValue(object::to_json(in_go_order(patched, patch.value, arena)));
    KEELSON_TRY(Value object, typed_result(expected, patched, shown, type == PatchType::strategic, options,
                                           call, patch, arena));
    return Change{object};
}

Task<Result<ObjectAnswer>> Verbs::patch(Call& call, PatchType type, const Body& patch,
                                        const WriteOptions& options) {
    KEELSON_CO_TRY_VOID(check_patch_document(type, patch.value));
    ExpectedKind expected = expected_kind(call);
    auto reset =
        call.subresource_name() == "status" ? call.resource->reset_status : call.resource->reset_main;
    Mutation mutation = [&](Value current, Arena& arena) {
        return apply_patch(expected, current, type, patch, options, call, reset, arena.copy(now()), arena);
    };
    bool may_create = type == PatchType::apply && call.subresource == nullptr;
    co_return co_await change(call, mutation, options, {}, may_create);
}

}  // namespace keelson::resource
