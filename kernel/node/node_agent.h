// A node: runs the pods that are bound to it, and says how they and the node itself are.
//
// Everything of it lives on one executor that runs one callback at a time; file work and other blocking calls
// go to that executor's blocking pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/client/client.h"
#include "kernel/node/container_settings.h"
#include "kernel/node/node_pressure.h"
#include "kernel/node/runtime.h"

namespace keelson::node {

// When images make place for others; the defaults are the kubelet's.
struct ImageKeeping {
    int high_percent = 85;  // of the disk used: begin to remove
    int low_percent = 80;   // go on until
    std::chrono::seconds minimum_age{120};
    bool operator==(const ImageKeeping&) const = default;
};

struct NodeSettings {
    std::string name;
    std::string root_directory;          // "/var/lib/keelson/node"
    std::string log_directory;           // of pods: "/var/log/pods"
    std::string static_pod_directory;    // manifests here are pods of this node; empty: none
    std::string seccomp_directory;       // of Localhost profiles; empty: <root>/seccomp
    std::vector<std::string> addresses;  // of the node, the main one first
    std::vector<std::pair<std::string, std::string>> labels;
    std::uint16_t port = 0;      // where the node answers for logs and streams; 0: nowhere
    std::uint16_t dns_port = 0;  // of the cluster's DNS server on this node; 0: it has none
    std::int32_t maximum_pods = 110;
    std::vector<std::string> cluster_cidrs;
    DnsSettings dns;
    std::uint64_t log_maximum_bytes = 10u << 20;
    int log_maximum_files = 5;
    EvictionThresholds eviction;
    ImageKeeping image_keeping;
    std::chrono::seconds heartbeat{10};
    std::chrono::seconds status_interval{300};  // of the node's own status when nothing changes
    std::string version;                        // "v1.36.2+keelson.0.1.0"
};

// What a node works with. All of it outlives the agent.
struct NodeParts {
    client::Client& client;
    base::Executor& executor;
    base::RandomSource& random;
    base::Metrics& metrics;
    Runtime& runtime;
    Images& images;
    PodNetwork& network;
    VolumeDrivers& drivers;
};

// Which container of which pod a user means; the container may be left out when there is one only.
struct ContainerQuery {
    std::string namespace_name;
    std::string pod;
    std::string uid;  // empty: whichever there is
    std::string container;
};

// What is there of a container for logs and streams.
struct ContainerView {
    std::string id;  // empty: none runs or ran
    std::string sandbox_id;
    std::string log_path;           // of the newest attempt
    std::string previous_log_path;  // of the attempt before; empty: none
    bool is_running = false;
    bool has_terminal = false;
    bool has_standard_input = false;
};

class NodeAgent {
  public:
    [[nodiscard]] static std::unique_ptr<NodeAgent> make(NodeSettings settings, const NodeParts& parts);
    virtual ~NodeAgent() = default;

    // Registers the node and adopts what runs already, then goes on until stop(). On the executor.
    virtual base::Task<void> run() = 0;
    // Containers go on. run() ends afterwards.
    virtual void stop() = 0;
    // A plugin asks to look at something: "pod/<uid>". Thread-safe.
    virtual void reconcile(const std::string& key) = 0;
    // The plugin of the pods' network may be a new instance, which knows nothing: it is told all again.
    // Thread-safe.
    virtual void network_changed() = 0;

    // Failures in Kubernetes' words: `container "x" in pod "y" is waiting to start: ContainerCreating`.
    // Thread-safe.
    virtual base::Task<base::Result<ContainerView>> find(ContainerQuery query) = 0;
    // The id of the pod's sandbox, if it runs. Thread-safe.
    virtual base::Task<base::Result<std::string>> find_sandbox(ContainerQuery query) = 0;
    // Calls once when that container does not run any more, or is not known. On the executor.
    virtual void when_ended(std::string container_id, base::Callback callback) = 0;
    // The stats summary document of kubelet's /stats/summary, as JSON. Thread-safe.
    virtual base::Task<std::string> summary() = 0;
    // The text of kubelet's /metrics/resource. Thread-safe.
    virtual base::Task<std::string> resource_metrics() = 0;
    // The metrics of this process, in Prometheus' text format. Thread-safe.
    [[nodiscard]] virtual std::string metrics() = 0;
    // The pods of the node as a PodList, as JSON. Thread-safe.
    virtual base::Task<std::string> pods() = 0;
};

}  // namespace keelson::node
