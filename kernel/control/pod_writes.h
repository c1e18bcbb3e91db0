// Making and deleting the pods of a workload, with the events that tell about it.
#pragma once

#include <functional>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

// No reconcile makes or deletes more than that at once; the rest follows with the next.
inline constexpr std::size_t pod_burst_limit = 500;

// The pod that `templ` describes, in the owner's namespace, controlled by it (a whole object); its name is
// generated.
[[nodiscard]] api_types::core_v1::Pod pod_from_template(object::Value owner,
                                                        api_types::core_v1::PodTemplateSpec templ,
                                                        object::Arena& arena);

// Why something could not be made: its namespace goes, and everybody knows.
[[nodiscard]] bool is_namespace_terminating(const base::Status& status);

struct PodWrites {
    std::size_t done = 0;
    std::optional<base::Status> failure;  // the first; nothing was begun after it
    bool is_namespace_going = false;      // so nothing can be made any more, which is no failure
};

// Makes `count` pods, one, then two, then four at once and so on, so that a quota that is used up is asked
// only a few times. make(index) gives the pod in the arena. Each success and failure becomes an event of the
// owner.
[[nodiscard]] base::Task<PodWrites> create_pods(
    Writer& writer, client::EventRecorder& events, ObjectPointer owner, std::size_t count,
    std::function<object::Value(std::size_t index, object::Arena& arena)> make);

// Deletes all of them at once. One that is gone already counts as deleted.
[[nodiscard]] base::Task<PodWrites> delete_pods(Writer& writer, client::EventRecorder& events,
                                                ObjectPointer owner, ObjectList pods);

}  // namespace keelson::control
