// What a pod of a StatefulSet is: its ordinal, its name and what follows from them, and what its state means.
// Pure functions.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
#pragma once

#include <optional>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

[[nodiscard]] inline api_types::apps_v1::StatefulSet stateful_set_of(const ObjectPointer& object) {
    return api_types::apps_v1::StatefulSet(object->root());
}

// The ordinals that the set is to have: [start, end).
struct Ordinals {
    std::int64_t start = 0;
    std::int64_t end = 0;
    [[nodiscard]] bool contains(std::int64_t ordinal) const { return ordinal >= start && ordinal < end; }
};
[[nodiscard]] Ordinals ordinals_of(api_types::apps_v1::StatefulSet set);

// 3 of "web-3" in the set "web"; nothing when the pod is not called as the set's pods are.
[[nodiscard]] std::optional<std::int64_t> ordinal_of(std::string_view set_name, std::string_view pod_name);
[[nodiscard]] std::string stateful_pod_name(std::string_view set_name, std::int64_t ordinal);

// The claims of a pod, one for each template, as they are to be made.
[[nodiscard]] std::vector<api_types::core_v1::PersistentVolumeClaim> claims_of_pod(
    api_types::apps_v1::StatefulSet set, std::int64_t ordinal, object::Arena& arena);
[[nodiscard]] std::string stateful_claim_name(std::string_view template_name, std::string_view set_name,
                                              std::int64_t ordinal);

// The pod of that ordinal, from the template that the revision keeps.
[[nodiscard]] api_types::core_v1::Pod make_stateful_pod(api_types::apps_v1::StatefulSet set,
                                                        const ObjectPointer& revision, std::int64_t ordinal,
                                                        object::Arena& arena);
// The labels that name the pod.
[[nodiscard]] bool has_identity(api_types::core_v1::Pod pod, std::int64_t ordinal);
void put_identity(api_types::core_v1::Pod pod, std::int64_t ordinal, object::Arena& arena);

// The name of the revision that it was made from.
[[nodiscard]] std::string_view revision_name_of(api_types::core_v1::Pod pod);
[[nodiscard]] bool is_running_and_ready(api_types::core_v1::Pod pod);
[[nodiscard]] bool is_running_and_available(api_types::core_v1::Pod pod, std::int64_t min_ready_seconds,
                                            base::WallTime now);

}  // namespace keelson::control
