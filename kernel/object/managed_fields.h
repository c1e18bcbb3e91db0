// Who manages which fields: keeps metadata.managedFields up to date on updates and carries out server-side
// apply. Rules: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
#pragma once

#include <span>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

struct FieldManager {
    std::string_view name;         // "kubectl-client-side-apply"; at most 128 bytes
    std::string_view api_version;  // of the request, "apps/v1"
    std::string_view subresource;  // "" or "status", "scale", ...
    std::string_view time;         // now, RFC 3339
};

// Gives `updated` its metadata.managedFields after a create (live absent) or an update by a manager. Both
// objects are canonical and of `type`; updated is changed in place. Paths in `reset` ("status") are never
// owned.
void track_update(const Type& type, Value live, Value updated, const FieldManager& manager,
                  std::span<const std::string_view> reset, Arena& arena);

// Server-side apply of a configuration onto live (absent: creates). Returns the merged object with
// managedFields, not yet defaulted; fails with Reason::conflict naming the managers in the way unless
// `force`. `configuration` is the raw applied document.
[[nodiscard]] base::Result<Value> apply(const Type& type, Value live, Value configuration,
                                        const FieldManager& manager, bool force,
                                        std::span<const std::string_view> reset, Arena& arena);

}  // namespace keelson::object
