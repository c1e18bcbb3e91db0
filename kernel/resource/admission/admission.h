// The admission steps that are built in, in Kubernetes' order: first those that change the object, then,
// after validation, those that only judge it. Each step is a function of its own file.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernel/base/ids.h"
#include "kernel/base/result.h"
#include "kernel/resource/call.h"
#include "kernel/resource/lookup.h"

namespace keelson::resource {

enum class Operation : std::uint8_t { create, update, remove };

struct AdmissionRequest {
    Operation operation;
    const Call& call;
    object::Value object;  // storage version; unset for a removal
    object::Value old;     // unset for a creation
    const Lookup& lookup;
    object::Arena& arena;
    base::RandomSource& random;

    [[nodiscard]] bool is(std::string_view group, std::string_view resource) const {
        return call.resource->group == group && call.resource->name == resource &&
               call.subresource == nullptr;
    }
    [[nodiscard]] bool creates(std::string_view group, std::string_view resource) const {
        return operation == Operation::create && is(group, resource);
    }
};

// May change the object.
[[nodiscard]] base::Result<void> admit_mutating(const AdmissionRequest& request);
// Judges the object as it will be stored, or a removal.
[[nodiscard]] base::Result<void> admit_validating(const AdmissionRequest& request);

namespace admission {

// The namespace must exist and must not be terminating; system namespaces are not deleted.
base::Result<void> namespace_lifecycle(const AdmissionRequest& request);
// LimitRange defaults (mutate) and bounds (validate).
base::Result<void> limit_range_defaults(const AdmissionRequest& request);
base::Result<void> limit_range_bounds(const AdmissionRequest& request);
// The pod's service account, its token volume and image pull secrets.
base::Result<void> service_account(const AdmissionRequest& request);
// New nodes are tainted not-ready until their agent reports.
base::Result<void> taint_new_nodes(const AdmissionRequest& request);
// spec.priority from the PriorityClass.
base::Result<void> priority(const AdmissionRequest& request);
base::Result<void> default_toleration_seconds(const AdmissionRequest& request);
base::Result<void> default_storage_class(const AdmissionRequest& request);
base::Result<void> storage_object_in_use_protection(const AdmissionRequest& request);
base::Result<void> runtime_class(const AdmissionRequest& request);
base::Result<void> default_ingress_class(const AdmissionRequest& request);
// Nobody but system:masters gets a client certificate for system:masters.
base::Result<void> certificate_subject_restriction(const AdmissionRequest& request);
// A node changes its own objects and the status of its own pods, and only so far.
base::Result<void> node_restriction(const AdmissionRequest& request);
// The same for tokens, which are never stored: a node gets them for its own pods, bound to these.
base::Result<void> node_token_restriction(const Call& call, object::Value request, const Lookup& lookup,
                                          object::Arena& arena);

}  // namespace admission

}  // namespace keelson::resource
