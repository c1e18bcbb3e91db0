#include "cli/kube/object.h"

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/print/go_text.h"
#include "kernel/object/json.h"
#include "kernel/object/yaml.h"

namespace keelson::cli::kube {
namespace {

const Object kNothing;
constexpr int kIndent = 4;

}  // namespace

const Object& member(const Object& object, std::string_view name) {
    if (!object.is_object()) return kNothing;
    const auto found = object.find(name);
    return found == object.end() ? kNothing : *found;
}

const Object& member(const Object& object, std::initializer_list<std::string_view> names) {
    const Object* at = &object;
    for (const std::string_view name : names) at = &member(*at, name);
    return *at;
}

std::string text_at(const Object& object, std::string_view name) {
    const Object& found = member(object, name);
    return found.is_string() ? found.get<std::string>() : std::string();
}

std::string name_of(const Object& object) {
    return text_at(member(object, "metadata"), "name");
}

std::string namespace_of(const Object& object) {
    return text_at(member(object, "metadata"), "namespace");
}

std::string resource_version_of(const Object& object) {
    return text_at(member(object, "metadata"), "resourceVersion");
}

Result<Object> parse_object(std::string_view json, const std::string& from) {
    Object object = Object::parse(json, nullptr, false);
    if (!object.is_object()) return fail(from + " is no JSON object");
    return object;
}

Result<Object> object_of_yaml(std::string_view yaml, const std::string& from) {
    object::Arena arena;
    const auto value = object::parse_yaml(yaml, arena);
    if (!value) return fail(from + ": " + value.error().message());
    if (value->is_unset()) return Object();
    return Object::parse(object::to_json(*value), nullptr, false);
}

std::string compact(const Object& object) {
    return object.dump(-1, ' ', false, Object::error_handler_t::replace);
}

std::string pretty_json(const Object& object) {
    return printing::go_json(object, kIndent) + "\n";
}

std::string yaml_of(const Object& object) {
    return yaml_of_json(compact(object));
}

}  // namespace keelson::cli::kube
