// Who controls what: owner references and the rules by which a controller takes and gives up dependents
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/).
#pragma once

#include <functional>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {

// Adds the reference that makes `owner` (a whole object) the controller of what `metadata` belongs to.
void add_controller_reference(api_types::meta_v1::ObjectMeta metadata, object::Value owner,
                              object::Arena& arena);

// Both are needed once, in Controller::watch(), of the informer of dependents that are claimed. An orphan
// that comes or changes is an event of every owner in its namespace whose selector asks for it.
using SelectorOf = std::function<base::Result<object::LabelSelector>(const client::CachedObject& owner)>;
void index_orphans(Informer& dependents);
void enqueue_adopters_of(Informer& dependents, const Informer& owners, Queue& queue, SelectorOf selector_of);

// Who claims what.
struct Claim {
    Collection owners;  // the owner is read anew before anything is adopted
    ObjectPointer owner;
    Collection dependents;
    const object::LabelSelector& selector;
    // Dependents that are neither adopted nor given up: null means there are none.
    std::function<bool(const client::CachedObject&)> is_left_alone;
};

// The dependents in the owner's namespace that are its own after the call: its own ones that match (one that
// no longer matches is given up) and, unless the owner is being deleted, orphans that match (they are
// adopted).
[[nodiscard]] base::Task<base::Result<ObjectList>> claim_dependents(const Surroundings& surroundings,
                                                                    Writer& writer, Claim claim);

}  // namespace keelson::control
