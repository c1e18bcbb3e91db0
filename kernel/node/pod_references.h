// What the fields of a pod and the resources of its containers are as text: for variables and for files of
// the downward API (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::node {

struct PodFacts {
    api_types::core_v1::Pod pod;
    api_types::core_v1::Node node;  // unset: not known
    std::vector<std::string> pod_addresses;
    std::vector<std::string> host_addresses;
};

// Of any of the three lists of containers; unset when there is none.
[[nodiscard]] api_types::core_v1::Container find_container(api_types::core_v1::Pod pod,
                                                           std::string_view name);

// "metadata.labels['app']", "status.podIP" and the others that fieldRef may name.
[[nodiscard]] base::Result<std::string> pod_field(const PodFacts& facts, std::string_view path);

// "limits.cpu" and the others that resourceFieldRef may name, in units of the divisor and rounded up. A limit
// that nobody has set is the pod's, or what the node has to give. `container`: when the selector names none.
[[nodiscard]] base::Result<std::string> resource_field(const PodFacts& facts,
                                                       api_types::core_v1::ResourceFieldSelector selector,
                                                       api_types::core_v1::Container container);

// "name_namespace(uid)", as messages name a pod.
[[nodiscard]] std::string pod_text(api_types::core_v1::Pod pod);

}  // namespace keelson::node
