#include "kernel/api/openapi_schema.h"

#include <algorithm>
#include <set>
#include <utility>

#include "kernel/api/descriptions.h"
#include "kernel/object/json.h"

namespace keelson::api {

using object::Arena;
using object::Field;
using object::Shape;
using object::Type;
using object::Value;

namespace {

Value simple(Arena& arena, std::string_view type, std::string_view format = {}) {
    Value schema = Value::map(arena);
    if (!format.empty()) schema.append(arena, "format", Value::reference(format));
    schema.append(arena, "type", Value::reference(type));
    return schema;
}

Value text_list(Arena& arena, const std::vector<std::string_view>& items) {
    Value list = Value::list(arena, items.size());
    for (std::string_view item : items) list.push_back(arena, Value::reference(item));
    return list;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        std::size_t comma = std::min(text.find(','), text.size());
        parts.push_back(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return parts;
}

std::string_view list_type_name(object::ListType type) {
    switch (type) {
        case object::ListType::atomic:
            return "atomic";
        case object::ListType::set:
            return "set";
        case object::ListType::map:
            return "map";
        case object::ListType::unspecified:
            break;
    }
    return {};
}

std::string_view map_type_name(object::MapType type) {
    if (type == object::MapType::atomic) return "atomic";
    return type == object::MapType::granular ? "granular" : std::string_view();
}

// What v3 publishes as the default of an item that is neither a pointer nor a structure.
Value zero_of(const Type& type) {
    switch (type.shape) {
        case Shape::string:
            return Value::reference("");
        case Shape::int32:
        case Shape::int64:
            return Value::integer(0);
        default:
            return {};
    }
}

Value one_of(Arena& arena, std::initializer_list<std::string_view> types) {
    Value list = Value::list(arena);
    for (std::string_view type : types) list.push_back(arena, simple(arena, type));
    return list;
}

// A field whose only schema is a reference has no room for extras in v3.
bool is_reference(Value schema) {
    return schema.size() == 1 && schema.has("$ref");
}

}  // namespace

Value OpenApiSchemas::use(const Type& type) {
    if (type.open_api.empty()) return inline_schema(type);
    if (used_.emplace(type.open_api, &type).second) pending_.push_back(&type);
    Value reference = Value::map(arena_);
    std::string_view prefix = version_ == OpenApiVersion::v2 ? "#/definitions/" : "#/components/schemas/";
    reference.append(arena_, "$ref", Value::reference(arena_.join(prefix, type.open_api)));
    return reference;
}

Value OpenApiSchemas::definitions() {
    while (!pending_.empty()) {
        const Type* type = pending_.back();
        pending_.pop_back();
        for (const Field& field : type->fields) {
            const Type* at = field.type;
            while (at->element && at->open_api.empty()) at = at->element;
            if (!at->open_api.empty() && used_.emplace(at->open_api, at).second) pending_.push_back(at);
        }
    }
    Value all = Value::map(arena_, used_.size());
    // define() refers only to what the loop above has found.
    for (auto [name, type] : used_) all.append(arena_, name, define(*type));
    return all;
}

Value OpenApiSchemas::inline_schema(const Type& type) {
    switch (type.shape) {
        case Shape::boolean:
            return simple(arena_, "boolean");
        case Shape::int32:
            return simple(arena_, "integer", "int32");
        case Shape::int64:
            return simple(arena_, "integer", "int64");
        case Shape::float64:
            return simple(arena_, "number", "double");
        case Shape::bytes:
            return simple(arena_, "string", "byte");
        case Shape::time:
        case Shape::micro_time:
            return simple(arena_, "string", "date-time");
        case Shape::duration:
            return simple(arena_, "string");
        case Shape::any:
            return Value::map(arena_);
        case Shape::raw_object:
        case Shape::structure:
            return simple(arena_, "object");
        case Shape::string: {
            Value schema = Value::map(arena_);
            if (!type.enum_values.empty()) {
                std::vector<std::string_view> values(type.enum_values.begin(), type.enum_values.end());
                std::ranges::sort(values);
                schema.append(arena_, "enum", text_list(arena_, values));
            }
            schema.append(arena_, "type", Value::reference("string"));
            return schema;
        }
        case Shape::quantity: {
            if (version_ == OpenApiVersion::v2) return simple(arena_, "string");
            Value schema = Value::map(arena_);
            schema.append(arena_, "oneOf", one_of(arena_, {"string", "number"}));
            return schema;
        }
        case Shape::int_or_string: {
            if (version_ == OpenApiVersion::v2) return simple(arena_, "string", "int-or-string");
            Value schema = Value::map(arena_);
            schema.append(arena_, "format", Value::reference("int-or-string"));
            schema.append(arena_, "oneOf", one_of(arena_, {"integer", "string"}));
            return schema;
        }
        case Shape::list:
        case Shape::map: {
            Value inner = use(*type.element);
            Value zero = zero_of(*type.element);
            if (version_ == OpenApiVersion::v3 && !zero.is_absent() && !is_reference(inner))
                inner.append(arena_, "default", zero);
            Value schema = Value::map(arena_);
            bool list = type.shape == Shape::list;
            schema.append(arena_, list ? "items" : "additionalProperties", inner);
            schema.append(arena_, "type", Value::reference(list ? "array" : "object"));
            return schema;
        }
    }
    return Value::map(arena_);
}

Value OpenApiSchemas::define(const Type& type) {
    return type.shape == Shape::structure ? structure(type) : inline_schema(type);
}

Value OpenApiSchemas::structure(const Type& type) {
    std::vector<const Field*> sorted;
    Value required = Value::list(arena_);
    for (const Field& field : type.fields) {
        sorted.push_back(&field);
        if (field.has(Field::required)) required.push_back(arena_, Value::reference(field.name));
    }
    std::ranges::sort(sorted, {}, &Field::name);
    Value properties = Value::map(arena_, sorted.size());
    for (const Field* field : sorted)
        properties.append(arena_, field->name, property(*field, description_of(type.id, field->name)));
    Value schema = Value::map(arena_);
    describe(description_of(type.id), schema);
    if (!properties.empty()) schema.append(arena_, "properties", properties);
    if (!required.empty()) schema.append(arena_, "required", required);
    schema.append(arena_, "type", Value::reference("object"));
    if (!type.kind.empty()) schema.append(arena_, "x-kubernetes-group-version-kind", kinds(type));
    if (std::string_view name = map_type_name(type.map_type); !name.empty())
        schema.append(arena_, "x-kubernetes-map-type", Value::reference(name));
    if (!type.unions.empty())
        if (auto unions = object::parse_json_copy(type.unions, arena_))
            schema.append(arena_, "x-kubernetes-unions", *unions);
    return schema;
}

// The group versions under which the type is a kind; some exist in all of them.
Value OpenApiSchemas::kinds(const Type& type) {
    std::set<std::pair<std::string_view, std::string_view>> versions;
    if (type.group == "*") {
        for (const object::Resource& resource : object::builtin_resources())
            versions.emplace(resource.group, resource.version);
    } else {
        versions.emplace(type.group, type.version);
    }
    Value list = Value::list(arena_);
    for (auto [group, version] : versions) {
        Value kind = Value::map(arena_);
        kind.append(arena_, "group", Value::reference(group));
        kind.append(arena_, "kind", Value::reference(type.kind));
        kind.append(arena_, "version", Value::reference(version));
        list.push_back(arena_, kind);
    }
    return list;
}

Value OpenApiSchemas::property(const Field& field, std::string_view description) {
    Value schema = use(*field.type);
    Value extras = Value::map(arena_);
    if (version_ == OpenApiVersion::v3 && !field.open_api_default.empty())
        if (auto value = object::parse_json_copy(field.open_api_default, arena_))
            extras.append(arena_, "default", *value);
    describe(description, extras);
    add_rules(field, extras);
    if (extras.empty()) return schema;
    if (version_ == OpenApiVersion::v3 && is_reference(schema)) {
        Value all_of = Value::list(arena_);
        all_of.push_back(arena_, schema);
        schema = Value::map(arena_);
        schema.append(arena_, "allOf", all_of);
    }
    for (const object::Member& member : extras.members()) schema.append(arena_, member.name, member.value);
    return schema;
}

void OpenApiSchemas::describe(std::string_view description, Value schema) {
    if (!description.empty()) schema.append(arena_, "description", Value::reference(description));
}

void OpenApiSchemas::add_rules(const Field& field, Value schema) {
    if (!field.list_keys.empty())
        schema.append(arena_, "x-kubernetes-list-map-keys", text_list(arena_, split(field.list_keys)));
    if (std::string_view name = list_type_name(field.list_type); !name.empty())
        schema.append(arena_, "x-kubernetes-list-type", Value::reference(name));
    if (std::string_view name = map_type_name(field.map_type); !name.empty())
        schema.append(arena_, "x-kubernetes-map-type", Value::reference(name));
    if (!field.patch_key.empty())
        schema.append(arena_, "x-kubernetes-patch-merge-key", Value::reference(field.patch_key));
    bool merge = field.has(Field::patch_merge);
    bool retain = field.has(Field::patch_retain);
    if (merge || retain)
        schema.append(arena_, "x-kubernetes-patch-strategy",
                      Value::reference(merge && retain ? "merge,retainKeys"
                                       : merge         ? "merge"
                                                       : "retainKeys"));
}

}  // namespace keelson::api
