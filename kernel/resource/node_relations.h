// Which objects the pods of a node refer to, read from the store at the time of the question: what nobody has
// bound any more is nobody's at once. Follows plugin/pkg/auth/authorizer/node/graph.go of Kubernetes.
#pragma once

#include <functional>

#include "kernel/access/node_authorizer.h"
#include "kernel/object/value.h"
#include "kernel/resource/lookup.h"

namespace keelson::resource {

// Told of one object that a pod refers to, in the pod's own namespace.
using ReferenceVisitor = std::function<void(std::string_view resource, std::string_view name)>;
// Visits the secrets, configmaps, persistentvolumeclaims and the serviceaccount that a pod names.
void visit_pod_references(object::Value pod, const ReferenceVisitor& visit);
// Pods that a node tells of itself: what they refer to is the node's word only.
[[nodiscard]] bool is_mirror_pod(object::Value pod);

class StoredNodeRelations final : public access::NodeRelations {
  public:
    // The lookup outlives it.
    explicit StoredNodeRelations(const Lookup& lookup) : lookup_(lookup) {}
    [[nodiscard]] bool is_bound(std::string_view node, std::string_view namespace_name,
                                std::string_view pod) const override;
    [[nodiscard]] bool uses(std::string_view node, std::string_view resource, std::string_view namespace_name,
                            std::string_view name) const override;

  private:
    [[nodiscard]] bool pods_refer_to(std::string_view node, std::string_view resource,
                                     std::string_view namespace_name, std::string_view name) const;

    const Lookup& lookup_;
};

}  // namespace keelson::resource
