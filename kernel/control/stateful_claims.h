// The claims of a StatefulSet's pods: they are made before their pod, outlive it, and go when the set's
// retention policy says so, which the garbage collector learns from their owner references.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
#pragma once

#include "kernel/control/controller.h"
#include "kernel/control/stateful_pods.h"

namespace keelson::control {

// Gives the claim the owner references that the policy asks for: of the set, of the pod, or none of them.
// Those of others stay; a claim that somebody else controls gets none. False when they are right. `pod` may
// be unset as long as the ordinal is one that the set is to have.
bool put_claim_owners(api_types::core_v1::PersistentVolumeClaim claim, api_types::apps_v1::StatefulSet set,
                      api_types::core_v1::Pod pod, std::int64_t ordinal, object::Arena& arena);

class StatefulClaims {
  public:
    StatefulClaims(const Surroundings& surroundings, client::EventRecorder& events);

    // Every event about a claim is one of the set whose pods have claims of such a name.
    void watch(const Informer& sets, Queue& queue);

    // A claim of that ordinal belongs to a pod that is gone: the collector is to take it first.
    [[nodiscard]] bool is_any_stale(const ObjectPointer& set, std::int64_t ordinal) const;
    // Makes the claims that are missing, with an event for each. True when it wrote. A claim that is being
    // deleted is a failure.
    [[nodiscard]] base::Task<base::Result<bool>> make_missing(ObjectPointer set, std::int64_t ordinal,
                                                              Writer& writer);
    // Nothing is left for follow_policy().
    [[nodiscard]] bool is_policy_followed(const ObjectPointer& set, const ObjectPointer& pod,
                                          std::int64_t ordinal) const;
    // Puts the owner references of the claims right. True when it wrote.
    [[nodiscard]] base::Task<base::Result<bool>> follow_policy(ObjectPointer set, ObjectPointer pod,
                                                               std::int64_t ordinal, Writer& writer);

  private:
    Informer& claims_;
    client::EventRecorder& events_;
};

}  // namespace keelson::control
