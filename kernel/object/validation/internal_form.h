// Go's internal form of some structures, in which a few errors of Kubernetes show what changed.
#pragma once

#include <string>

#include "kernel/object/value.h"

namespace keelson::object::validation {

enum class InternalType : std::uint8_t { pod_spec, claim_spec };

// A unified difference of the two values, printed as indented JSON with Go's internal names, every field
// included.
[[nodiscard]] std::string internal_difference(InternalType type, Value before, Value after);

// A pod template as one line of JSON in that form.
[[nodiscard]] std::string internal_template(Value pod_template);

}  // namespace keelson::object::validation
