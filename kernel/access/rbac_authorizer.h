// Roles and bindings decide. Where these come from is not for this room to know: it asks.
#pragma once

#include <functional>

#include "kernel/access/authorization.h"
#include "kernel/access/rbac_policy.h"

namespace keelson::access {

// Thread-safe.
class RbacSource {
  public:
    virtual ~RbacSource() = default;
    // Calls visit with the policy as it is now: every write that has been acknowledged is in it. The visitor
    // runs under a lock; it must be short and must not wait. On failure it has not been called.
    [[nodiscard]] virtual base::Result<void> read(const std::function<void(const RbacPolicy&)>& visit) = 0;
};

// Allows what a role allows that is bound to the user, and has no opinion about the rest.
class RbacAuthorizer final : public Authorizer {
  public:
    // The source outlives it.
    explicit RbacAuthorizer(RbacSource& source) : source_(source) {}
    base::Task<Decision> authorize(const Attributes& attributes) override;
    base::Task<UserRules> rules_of(const Identity& user, const std::string& namespace_name) override;

  private:
    RbacSource& source_;
};

}  // namespace keelson::access
