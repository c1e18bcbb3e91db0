// Objects that kubectl apply has made: their fields become keelctl's, and what kubectl remembers of them is
// kept up to date, so that either may be used next.
#pragma once

#include <string>

#include "cli/kube/api.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

// The managed fields in which the entry of kubectl's client-side apply has gone into that of `manager`; an
// absent one is made. A null object when there is nothing to take over.
Object managed_fields_taken_over(const Object& managed_fields, const std::string& manager);

// Without this, a field that the next manifest leaves out would stay for ever: kubectl would own it.
Result<void> take_over(Api& api, const Item& item, const Object& live, const std::string& manager);

// Writes the annotation of what was applied last, where there is one, or everywhere when `makes_it`. The item
// becomes what the server has then.
Result<void> keep_last_applied(Api& api, Item& item, const Object& manifest, bool makes_it);

}  // namespace keelson::cli::kube
