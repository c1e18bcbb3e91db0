// The patch formats of the Kubernetes API on untyped JSON. Targets are not changed; results share memory with
// them.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

// RFC 6902, at most 10,000 operations. An operation that cannot be carried out fails with Reason::invalid.
[[nodiscard]] base::Result<Value> json_patch(Value target, Value patch, Arena& arena);

// RFC 7386.
[[nodiscard]] Value merge_patch(Value target, Value patch, Arena& arena);

// Kubernetes' strategic merge patch with $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList.
[[nodiscard]] base::Result<Value> strategic_merge_patch(const Type& type, Value target, Value patch,
                                                        Arena& arena);

// A value as Go's %v prints it: "map[a:1 b:[x y]]".
[[nodiscard]] std::string go_text(Value value);

}  // namespace keelson::object
