// How keelctl holds what the Kubernetes API sends: JSON with sorted members. The library's own header is
// included, as objects are members of nearly everything here.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/result.h"

namespace keelson::cli::kube {

using Object = nlohmann::json;

// Reading is total: a missing member, or one of another kind, is empty.
std::string text_at(const Object& object, std::string_view name);
// The member; a null object when there is none.
const Object& member(const Object& object, std::string_view name);
// A way of names: {"metadata", "labels"}.
const Object& member(const Object& object, std::initializer_list<std::string_view> names);

std::string name_of(const Object& object);
std::string namespace_of(const Object& object);
std::string resource_version_of(const Object& object);

Result<Object> parse_object(std::string_view json, const std::string& from);
Result<Object> object_of_yaml(std::string_view yaml, const std::string& from);
// For the wire: compact, whatever the bytes.
std::string compact(const Object& object);
// As kubectl writes them.
std::string pretty_json(const Object& object);
std::string yaml_of(const Object& object);

}  // namespace keelson::cli::kube
