// What the types and fields of the API are for, in a sentence or two: what OpenAPI documents say of them.
#pragma once

#include <string_view>

namespace keelson::api {

// Of a structure, {"core/v1.Pod", ""}, or of a field of it, {"core/v1.Pod", "spec"}; empty when there is
// none. Embedded structures' fields are those of the structure that has them.
[[nodiscard]] std::string_view description_of(std::string_view type, std::string_view field = {});

}  // namespace keelson::api
