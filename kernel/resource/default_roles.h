// The ClusterRoles and ClusterRoleBindings that every cluster has
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings).
#pragma once

#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/value.h"
#include "kernel/resource/default_objects.h"

namespace keelson::resource {

[[nodiscard]] std::vector<DefaultObject> default_roles();

// Adds to an object of the cluster what the default of that name has and it lacks: labels, annotations, rules
// or selectors of a role, subjects of a binding; nothing is taken away. False when nothing was missing, or
// when its annotation rbac.authorization.kubernetes.io/autoupdate is "false".
[[nodiscard]] bool add_missing_parts(object::Value present, object::Value wanted, object::Arena& arena);
// A binding that refers to another role than the default does: a reference cannot be changed, so the binding
// has to be made anew. Not when its annotation forbids that.
[[nodiscard]] bool must_be_replaced(object::Value present, object::Value wanted);

}  // namespace keelson::resource
