// Whether an object may be created or updated, in the words of kube-apiserver.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/field_errors.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

// The errors of a canonical, defaulted object in the order in which Kubernetes reports them.
[[nodiscard]] FieldErrors validate_create(const Resource& resource, Value object, Arena& arena);

// The same for an update of `old` through the main resource ("") or a subresource such as "status".
[[nodiscard]] FieldErrors validate_update(const Resource& resource, Value object, Value old,
                                          std::string_view subresource, Arena& arena);

// Kubernetes' warnings on a create (`old` absent) or an update.
[[nodiscard]] std::vector<std::string> warnings(const Resource& resource, Value object, Value old);

}  // namespace keelson::object
