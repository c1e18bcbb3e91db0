// Whole OpenAPI documents, made from the schema tables. Pure functions; the documents live in the arena and
// are some megabytes large: write them out and let go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/value.h"

namespace keelson::api {

// Everything in one document.
[[nodiscard]] object::Value open_api_v2(object::Arena& arena);

// The documents of version 3 by their paths below /openapi/v3/: "api", "api/v1", "apis", "apis/apps",
// "apis/apps/v1", ..., "version". Sorted.
[[nodiscard]] std::vector<std::string> open_api_v3_names();
// One of them; absent when there is none of that name.
[[nodiscard]] object::Value open_api_v3(std::string_view name, object::Arena& arena);

}  // namespace keelson::api
