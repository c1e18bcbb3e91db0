// What deleting an object does to it: graceful periods, finalizers, propagation. Pure functions on objects.
// Rules: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and the pod lifecycle.
#pragma once

#include "kernel/base/clock.h"
#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"
#include "kernel/resource/call.h"

namespace keelson::resource {

enum class Removal : std::uint8_t {
    now,      // take it out of the store
    later,    // the object was marked; write it back
    nothing,  // it is being deleted already; answer with it as it is
};

struct RemovalPlan {
    Removal removal = Removal::now;
    object::Value object;  // the state to write, or the last state
};

// Checks preconditions and decides. `object` is the current one; the result may share it.
[[nodiscard]] base::Result<RemovalPlan> plan_removal(const object::Resource& resource, object::Value object,
                                                     const DeleteOptions& options, base::WallTime now,
                                                     object::Arena& arena);

// Whether an object that was just updated has nothing left that keeps it.
[[nodiscard]] bool is_ready_to_go(const object::Resource& resource, object::Value object);

[[nodiscard]] base::Result<void> check_preconditions(const object::Resource& resource, object::Value object,
                                                     const Preconditions& preconditions);

}  // namespace keelson::resource
