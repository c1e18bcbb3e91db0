// YAML to Value and back, with scalars resolved as sigs.k8s.io/yaml does (YAML 1.1 booleans included).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/value.h"

namespace keelson::object {

// Parses one document (further ones are ignored). Aliases may not make it larger than a bound, nesting is
// limited. Duplicate keys: the last wins; when `duplicates` is given, a text naming the line is added to it
// for each.
[[nodiscard]] base::Result<Value> parse_yaml(std::string_view text, Arena& arena,
                                             std::vector<std::string>* duplicates = nullptr);

// Block style with sorted keys, as Kubernetes answers in YAML.
void write_yaml(Value value, std::string& out);

}  // namespace keelson::object
