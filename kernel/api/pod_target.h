// Which pod, container and node a request for logs or a stream means; failures in Kubernetes' words and
// codes (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Operations).
#pragma once

#include <string>
#include <string_view>

#include "kernel/api/node_gate.h"
#include "kernel/base/result.h"
#include "kernel/resource/call.h"
#include "kernel/resource/lookup.h"

namespace keelson::api {

struct PodTarget {
    node::ContainerQuery query;  // without a container until choose_container() was asked
    std::string node;            // empty: not bound yet
    object::Value pod;           // in the arena that was given
};

[[nodiscard]] base::Result<PodTarget> find_pod(const resource::Lookup& lookup, const resource::Call& call,
                                               object::Arena& arena);
// The one that is named, or the only one.
[[nodiscard]] base::Result<void> choose_container(PodTarget& target, std::string_view wanted);
[[nodiscard]] base::Status no_host(const PodTarget& target);
// The address of a node as the API server would call it ("192.0.2.1:10250"); fails when there is no such node
// or it has none.
[[nodiscard]] base::Result<std::string> node_endpoint(const resource::Lookup& lookup,
                                                      const std::string& node_name);
// What is said of a node that is not to be reached.
[[nodiscard]] std::string refused_text(const std::string& endpoint);

}  // namespace keelson::api
