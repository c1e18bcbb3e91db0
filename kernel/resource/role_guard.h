// Nobody gives away what he does not have
// (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
#pragma once

#include <string>

#include "kernel/access/authorization.h"
#include "kernel/access/rbac_authorizer.h"
#include "kernel/base/task.h"
#include "kernel/object/value.h"
#include "kernel/resource/call.h"

namespace keelson::resource {

// Thread-safe.
class RoleGuard {
  public:
    // Both outlive it.
    RoleGuard(const access::Authorization& authorization, access::RbacSource& source)
        : authorization_(authorization), source_(source) {}

    // Whether the call writes something that is judged here.
    [[nodiscard]] static bool concerns(const Call& call);
    // Judges the object that the call is going to write; `old` is unset for a creation. Who writes a role
    // holds its rules or may `escalate` it; who writes a binding holds the role's rules or may `bind` it.
    // Fails with forbidden, or not_found when the role of a binding is not there. `requested_name`: the name
    // in the path.
    base::Task<base::Result<void>> check(const Call& call, object::Value object, object::Value old,
                                         std::string requested_name) const;

  private:
    base::Task<base::Result<void>> check_role(const Call& call, object::Value object, object::Value old,
                                              std::string requested_name) const;
    base::Task<base::Result<void>> check_binding(const Call& call, object::Value object) const;

    const access::Authorization& authorization_;
    access::RbacSource& source_;
};

}  // namespace keelson::resource
