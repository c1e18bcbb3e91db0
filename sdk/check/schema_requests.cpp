#include "schema_requests.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace keelson::check {
namespace {

using nlohmann::json;

json read_request_schema(const std::string& directory, const MethodReference& method) {
    const std::string path = directory + "/" + method.capability->schema + ".json";
    std::ifstream file(path);
    if (!file) return {};
    const json document = json::parse(file, nullptr, false);
    if (document.is_discarded()) throw std::runtime_error(path + " is not JSON");
    const json::json_pointer place = json::json_pointer() / "capabilities" /
                                     std::string(method.capability->id) / std::string(method.method->name) /
                                     "request";
    return document.contains(place) ? document.at(place) : json();
}

// Nothing that is there: a plugin may well remove what a request names.
json example_text(const json& schema, const std::string& name) {
    const bool is_path = name == "source" || name.ends_with("ath") || name.ends_with("irectory");
    if (is_path) return "/nonexistent/keelson-check";
    return schema.value("format", "") == "date-time" ? "2026-01-02T03:04:05Z" : "keelson-check-unknown";
}

bool is_required(const json& schema, const std::string& member) {
    const json names = schema.value("required", json::array());
    return std::find(names.begin(), names.end(), member) != names.end();
}

json example(const json& schema, const std::string& name, bool has_all);

// Members that only another alternative than the first one asks for.
void drop_other_alternatives(const json& schema, json& made) {
    const json alternatives = schema.value("oneOf", json::array());
    for (std::size_t i = 1; i < alternatives.size(); ++i) {
        for (const auto& member : alternatives[i].value("required", json::array())) {
            const auto unwanted = member.get<std::string>();
            if (!is_required(alternatives[0], unwanted)) made.erase(unwanted);
        }
    }
}

json example_object(const json& schema, bool has_all) {
    json made = json::object();
    const json first = schema.value("oneOf", json::array({json::object()}))[0];
    const json properties = schema.value("properties", json::object());
    for (const auto& [member, of] : properties.items()) {
        if (has_all || is_required(schema, member) || is_required(first, member)) {
            made[member] = example(of, member, has_all);
        }
    }
    drop_other_alternatives(schema, made);
    const auto others = schema.find("additionalProperties");
    if (has_all && others != schema.end() && others->is_object()) {
        made["keelson-check"] = example(*others, "", has_all);
    }
    return made;
}

json example(const json& schema, const std::string& name, bool has_all) {
    if (!schema.is_object()) return json::object();
    if (schema.contains("enum")) return schema["enum"][0];
    if (schema.contains("anyOf")) return example(schema["anyOf"][0], name, has_all);
    const std::string type = schema.value("type", "object");
    if (type == "string") return example_text(schema, name);
    if (type == "integer") return schema.value("minimum", json(1));
    if (type == "number") return schema.value("minimum", json(0.5));
    if (type == "boolean") return has_all;
    if (type != "array") return example_object(schema, has_all);
    const bool is_filled = has_all || schema.value("minItems", 0) > 0;
    return is_filled ? json::array({example(schema.value("items", json::object()), name, has_all)})
                     : json::array();
}

}  // namespace

std::vector<std::string> requests_of_schema(const std::string& directory, const MethodReference& method) {
    const json schema = read_request_schema(directory, method);
    if (schema.is_null()) return {};
    return {example(schema, "", true).dump(), example(schema, "", false).dump()};
}

}  // namespace keelson::check
