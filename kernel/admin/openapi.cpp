// The OpenAPI document, made of the table of routes.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "kernel/admin/routes.h"

namespace keelson::admin {
namespace {

using Json = nlohmann::ordered_json;

// "get_v1_plugins_name" for GET /v1/plugins/{name}
std::string operation_id(const Route& route) {
    std::string id;
    for (const char letter : std::string(route.method) + std::string(route.pattern)) {
        const auto byte = static_cast<unsigned char>(letter);
        if (std::isalnum(byte) != 0)
            id += static_cast<char>(std::tolower(byte));
        else if (!id.empty() && id.back() != '_')
            id += '_';
    }
    if (id.ends_with('_')) id.pop_back();
    return id;
}

Json schema_of(std::string_view type) {
    if (type == "integer") return {{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
    return {{"type", type}};
}

Json parameter(std::string_view name, std::string_view place, bool is_required, std::string_view type) {
    return {{"name", name}, {"in", place}, {"required", is_required}, {"schema", schema_of(type)}};
}

Json parameters_of(const Route& route) {
    Json parameters = Json::array();
    const std::string_view pattern = route.pattern;
    for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1))
        parameters.push_back(
            parameter(pattern.substr(at + 1, pattern.find('}', at) - at - 1), "path", true, "string"));
    const auto add = [&](const std::vector<Member>& members, std::string_view place) {
        for (const Member& member : members) {
            Json one = parameter(member.name, place, member.is_required, member.type);
            one["description"] = member.about;
            parameters.push_back(std::move(one));
        }
    };
    add(route.query, "query");
    add(route.headers, "header");
    return parameters;
}

Json body_schema(const Route& route) {
    Json schema{{"type", "object"}};
    if (route.body != Body::members) return schema;
    schema["additionalProperties"] = false;
    for (const Member& member : route.members) {
        Json one = schema_of(member.type);
        one["description"] = member.about;
        schema["properties"][std::string(member.name)] = std::move(one);
        if (member.is_required) schema["required"].push_back(member.name);
    }
    return schema;
}

Json body_of(const Route& route) {
    if (route.body == Body::upload)
        return {{"required", true},
                {"content",
                 {{"application/octet-stream", {{"schema", {{"type", "string"}, {"format", "binary"}}}}}}}};
    const bool is_required =
        route.body == Body::document || std::ranges::any_of(route.members, &Member::is_required);
    return {{"required", is_required}, {"content", {{"application/json", {{"schema", body_schema(route)}}}}}};
}

Json responses_of(const Route& route) {
    Json success{{"description", status_title(route.success)}};
    if (route.success != 204) {
        Json schema =
            route.answers_with == "application/json" ? Json{{"type", "object"}} : Json{{"type", "string"}};
        success["content"][std::string(route.answers_with)] = {{"schema", std::move(schema)}};
    }
    Json failure{{"description", "A failure; nothing was changed."},
                 {"content",
                  {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
    return {{std::to_string(route.success), std::move(success)}, {"default", std::move(failure)}};
}

Json operation_of(const Route& route) {
    Json operation{{"operationId", operation_id(route)}, {"summary", route.summary}};
    if (Json parameters = parameters_of(route); !parameters.empty())
        operation["parameters"] = std::move(parameters);
    if (route.body != Body::none) operation["requestBody"] = body_of(route);
    operation["responses"] = responses_of(route);
    return operation;
}

Json problem_schema() {
    const Json text{{"type", "string"}};
    const Json error{{"type", "object"}, {"properties", {{"field", text}, {"detail", text}}}};
    return {{"type", "object"},
            {"required", {"type", "title", "status", "detail"}},
            {"properties",
             {{"type", text},
              {"title", text},
              {"status", {{"type", "integer"}}},
              {"detail", text},
              {"instance", text},
              {"errors", {{"type", "array"}, {"items", error}}}}}};
}

}  // namespace

std::string openapi_document() {
    Json document{{"openapi", "3.0.3"},
                  {"info", {{"title", "Keelson admin API"}, {"version", "v1"}}},
                  {"security", Json::array({{{"token", Json::array()}}, {{"certificate", Json::array()}}})},
                  {"paths", Json::object()}};
    for (const Route& route : routes()) {
        std::string method;
        for (const char letter : route.method) method += static_cast<char>(std::tolower(letter));
        document["paths"][std::string(route.pattern)][method] = operation_of(route);
    }
    document["components"] = {
        {"schemas", {{"Problem", problem_schema()}}},
        {"securitySchemes",
         {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
          {"certificate",
           {{"type", "http"},
            {"scheme", "mutual"},
            {"description", "A TLS client certificate of the cluster's authority."}}}}}};
    return document.dump() + "\n";
}

}  // namespace keelson::admin
