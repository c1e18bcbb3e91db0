// OpenAPI documents in the protobuf form of github.com/google/gnostic (openapiv2/OpenAPIv2.proto and
// openapiv3/OpenAPIv3.proto), which older clients ask for. Covers what Kubernetes' documents use; extensions
// and defaults travel as YAML text, for which JSON will do.
#pragma once

#include <string>

#include "kernel/object/value.h"

namespace keelson::api {

[[nodiscard]] std::string open_api_v2_protobuf(object::Value document);
[[nodiscard]] std::string open_api_v3_protobuf(object::Value document);

}  // namespace keelson::api
