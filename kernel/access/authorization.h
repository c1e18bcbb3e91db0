// May they? Authorizers in a row, the first that has an opinion decides; nobody's opinion is a no.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/access/rbac_rules.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::access {

// allowed and denied both false: no opinion. `reason` is for SubjectAccessReviews and the audit log.
struct Decision {
    bool allowed = false;
    bool denied = false;
    std::string reason;
    bool operator==(const Decision&) const = default;
};

// Thread-safe.
class Authorizer {
  public:
    virtual ~Authorizer() = default;
    virtual base::Task<Decision> authorize(const Attributes& attributes) = 0;
    // What the user may do in the namespace (empty: in the whole cluster), for SelfSubjectRulesReviews. Who
    // cannot list it says that the answer is incomplete.
    virtual base::Task<UserRules> rules_of(const Identity& user, const std::string& namespace_name);
};

// system:masters may do everything; the kernel's own controllers and scheduler have the fixed rights of their
// Kubernetes roles, who bootstraps a node may ask for its certificate; whoever is known may ask for discovery
// and about himself, everybody for health, version and the cluster's CA, service accounts for what verifies
// their tokens. No opinion about anything else. These rights do not depend on any object: whatever is done to
// roles and bindings, the cluster goes on and its administrators get in.
class FixedAuthorizer : public Authorizer {
  public:
    base::Task<Decision> authorize(const Attributes& attributes) override;
    base::Task<UserRules> rules_of(const Identity& user, const std::string& namespace_name) override;
};

// The authorizers in order. Set up before the first request, constant afterwards.
class Authorization {
  public:
    void add(std::shared_ptr<Authorizer> authorizer) { chain_.push_back(std::move(authorizer)); }
    base::Task<Decision> authorize(const Attributes& attributes) const;
    // Of all of them, each rule once.
    base::Task<UserRules> rules_of(const Identity& user, const std::string& namespace_name) const;

  private:
    std::vector<std::shared_ptr<Authorizer>> chain_;
};

// The 403 of Kubernetes: `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the
// namespace "y"`.
[[nodiscard]] base::Status forbidden(const Attributes& attributes, const std::string& reason = {});

}  // namespace keelson::access
