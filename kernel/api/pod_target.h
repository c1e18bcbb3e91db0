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
// Where a node answers for its pods.
struct NodeEndpoint {
    std::string text;        // as the API server would call it: "n1:10250"
    std::string address;     // to be dialled; empty: the node does not say
    std::uint16_t port = 0;  // 0: the node answers nowhere
};
// Fails when there is no such node or it has no address.
[[nodiscard]] base::Result<NodeEndpoint> node_endpoint(const resource::Lookup& lookup,
                                                       const std::string& node_name);
// What is said of a node that is not to be reached.
[[nodiscard]] std::string refused_text(const std::string& endpoint);

}  // namespace keelson::api
