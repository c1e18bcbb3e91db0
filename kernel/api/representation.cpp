#include "kernel/api/representation.h"

#include "kernel/api/accept.h"
#include "kernel/object/json.h"
#include "kernel/object/protobuf.h"
#include "kernel/object/table.h"
#include "kernel/object/yaml.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::Value;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

bool read_shape(const AcceptClause& clause, Representation& out) {
    std::string_view as = clause.parameter("as");
    if (as.empty()) return true;
    bool meta = clause.parameter("g") == "meta.k8s.io" &&
                (clause.parameter("v") == "v1" || clause.parameter("v") == "v1beta1");
    if (!meta) return false;
    if (as == "Table") {
        out.shape = Shape::table;
        return out.format != Format::protobuf;
    }
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
        out.shape = Shape::metadata;
        return true;
    }
    return false;
}

bool read_clause(const AcceptClause& clause, Representation& out) {
    out = {};
    if (clause.matches(kJson))
        out.format = Format::json;
    else if (clause.matches(kYaml))
        out.format = Format::yaml;
    else if (clause.matches(kProtobuf))
        out.format = Format::protobuf;
    else
        return false;
    return read_shape(clause, out);
}

Value columns_value(const object::Type& type, Arena& arena) {
    Value list = Value::list(arena);
    for (const object::Column& column : object::table_columns(type)) {
        Value item = Value::map(arena, 5);
        item.append(arena, "name", Value::reference(column.name));
        item.append(arena, "type", Value::reference(column.type));
        item.append(arena, "format", Value::reference(column.format));
        item.append(arena, "description", Value::reference(""));
        item.append(arena, "priority", Value::integer(column.priority));
        list.push_back(arena, item);
    }
    return list;
}

// Browsers and command-line tools get indented documents unless they ask otherwise.
bool is_for_people(std::string_view user_agent) {
    return user_agent.starts_with("curl") || user_agent.starts_with("Wget") ||
           user_agent.starts_with("Mozilla/5.0");
}

}  // namespace

Result<Representation> negotiate(const Request& request) {
    Representation chosen;
    auto clauses = parse_accept(request.header("Accept"));
    bool found = clauses.empty();
    for (const AcceptClause& clause : clauses)
        if (!found) found = read_clause(clause, chosen);
    if (!found)
        return Status(Reason::not_acceptable,
                      "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
                      "application/vnd.kubernetes.protobuf")
            .with_details({});
    std::string_view include = request.query_value("includeObject");
    if (include == "None") chosen.include_object = IncludeObject::none;
    if (include == "Object") chosen.include_object = IncludeObject::object;
    std::string_view pretty = request.query_value("pretty");
    chosen.pretty =
        pretty == "true" || pretty == "1" || (pretty.empty() && is_for_people(request.header("User-Agent")));
    return chosen;
}

std::string_view content_type(Format format) {
    switch (format) {
        case Format::yaml:
            return kYaml;
        case Format::protobuf:
            return kProtobuf;
        default:
            return kJson;
    }
}

std::string_view watch_content_type(Format format) {
    return format == Format::protobuf ? "application/vnd.kubernetes.protobuf;stream=watch" : kJson;
}

Result<std::string> write_document(const Representation& representation, const object::Type& type,
                                   std::string json) {
    if (representation.format == Format::json && !representation.pretty) return json;
    Arena arena;
    KEELSON_TRY(Value value, object::parse_json(json, arena));
    std::string out;
    switch (representation.format) {
        case Format::yaml:
            object::write_yaml(value, out);
            break;
        case Format::protobuf: {
            std::string message;
            object::encode_message(type, value, message);
            object::wrap_message(value["apiVersion"].as_string(), value["kind"].as_string(), message, out);
            break;
        }
        case Format::json:
            object::write_json_pretty(value, out);
            out += '\n';
            break;
    }
    return out;
}

Value partial_metadata(Value object, Arena& arena) {
    Value partial = Value::map(arena, 3);
    partial.append(arena, "kind", Value::reference("PartialObjectMetadata"));
    partial.append(arena, "apiVersion", Value::reference("meta.k8s.io/v1"));
    partial.append(arena, "metadata", object["metadata"]);
    return partial;
}

Value table_row(const object::Type& type, Value object, IncludeObject include, std::int64_t now_seconds,
                Arena& arena) {
    Value row = Value::map(arena, 3);
    row.append(arena, "cells", object::table_cells(type, object, now_seconds, arena));
    if (Value conditions = object::table_row_conditions(type, object, arena); conditions.is_set())
        row.append(arena, "conditions", conditions);
    Value shown = Value::null();
    if (include == IncludeObject::metadata) shown = partial_metadata(object, arena);
    if (include == IncludeObject::object) shown = object;
    row.append(arena, "object", shown);
    return row;
}

Value table_of(const object::Type& type, std::span<const Value> objects, IncludeObject include,
               bool with_columns, std::int64_t now_seconds, Arena& arena) {
    Value rows = Value::list(arena, objects.size());
    for (Value object : objects) rows.push_back(arena, table_row(type, object, include, now_seconds, arena));
    Value metadata = Value::map(arena);
    if (objects.size() == 1)
        metadata.set(arena, "resourceVersion", objects[0]["metadata"]["resourceVersion"]);
    Value table = Value::map(arena, 5);
    table.append(arena, "kind", Value::reference("Table"));
    table.append(arena, "apiVersion", Value::reference("meta.k8s.io/v1"));
    table.append(arena, "metadata", metadata);
    table.append(arena, "columnDefinitions", with_columns ? columns_value(type, arena) : Value::null());
    table.append(arena, "rows", rows);
    return table;
}

Result<std::string> write_answer(const Representation& representation, const resource::ObjectAnswer& answer,
                                 std::int64_t now_seconds) {
    bool is_status = answer.type->kind == "Status";
    if (representation.shape == Shape::object || is_status)
        return write_document(representation, *answer.type, answer.json);
    Arena arena;
    KEELSON_TRY(Value object, object::parse_json(answer.json, arena));
    if (representation.shape == Shape::metadata)
        return write_document(representation, *object::find_type("meta/v1.PartialObjectMetadata"),
                              object::to_json(partial_metadata(object, arena)));
    Value objects[] = {object};
    Value table = table_of(*answer.type, objects, representation.include_object, true, now_seconds, arena);
    return write_document(representation, *object::find_type("meta/v1.Table"), object::to_json(table));
}

}  // namespace keelson::api
