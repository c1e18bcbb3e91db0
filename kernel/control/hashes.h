// Short names for contents: what tells the versions of a template apart. They are Kubernetes' own, so that
// names, labels and revisions stay the same for the same content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/value.h"

namespace keelson::control {

// Eight to ten characters that spell no words, of a number.
[[nodiscard]] std::string safe_text(std::uint32_t number);

// Of a template as the API stores it: names ReplicaSets and the ControllerRevisions of DaemonSets.
// `collision_count` gives another one when that was taken.
[[nodiscard]] std::string template_hash(api_types::core_v1::PodTemplateSpec templ,
                                        std::optional<std::int64_t> collision_count);

// Of the data of a ControllerRevision: names those of StatefulSets.
[[nodiscard]] std::string revision_hash(object::Value data, std::int64_t collision_count);

// Members by name at every depth, as Go writes maps.
void sort_deeply(object::Value value);

}  // namespace keelson::control
