// Default values: what Kubernetes' defaulting functions fill in before an object is stored or returned.
#pragma once

#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

// Fills in the defaults of a top level kind, those of pod templates and other parts included. The object is a
// canonical typed one; afterwards members may stand in another order than declared. Kinds without defaults
// are left as they are. Idempotent.
void apply_defaults(const Type& type, Value object, Arena& arena);

}  // namespace keelson::object
