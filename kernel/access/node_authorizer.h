// What a node may: its own Node and Lease, the pods that are bound to it, and what these refer to
// (https://kubernetes.io/docs/reference/access-authn-authz/node/). Which objects these are is not for this
// room to know: it asks.
#pragma once

#include <memory>
#include <string_view>

#include "kernel/access/authorization.h"

namespace keelson::access {

// What the pods of a node have to do with an object. Thread-safe; both are asked at every request.
class NodeRelations {
  public:
    virtual ~NodeRelations() = default;
    [[nodiscard]] virtual bool is_bound(std::string_view node, std::string_view namespace_name,
                                        std::string_view pod) const = 0;
    // Whether a pod that is bound to the node uses the object: of the resources secrets, configmaps,
    // persistentvolumeclaims, persistentvolumes (with no namespace) or serviceaccounts.
    [[nodiscard]] virtual bool uses(std::string_view node, std::string_view resource,
                                    std::string_view namespace_name, std::string_view name) const = 0;
};

// The name of the node that a user is; empty when it is none.
[[nodiscard]] std::string_view node_name_of(const Identity& user);

// Answers for nodes only, and never with a denial: another authorizer may allow more. What a write holds is
// checked by the admission step NodeRestriction.
class NodeAuthorizer final : public Authorizer {
  public:
    // The relations outlive it.
    explicit NodeAuthorizer(const NodeRelations& relations) : relations_(relations) {}
    base::Task<Decision> authorize(const Attributes& attributes) override;
    // What a node may depends on single objects: that is no list.
    base::Task<UserRules> rules_of(const Identity& user, const std::string& namespace_name) override;

  private:
    [[nodiscard]] Decision decide(std::string_view node, const Attributes& attributes) const;
    [[nodiscard]] Decision decide_related(std::string_view node, const Attributes& attributes) const;
    [[nodiscard]] Decision decide_pod(std::string_view node, const Attributes& attributes) const;

    const NodeRelations& relations_;
};

}  // namespace keelson::access
