// From a container of a pod to what the runtime has to know: command and environment with their references
// resolved, mounts, resources, security. Pure but for the objects that it asks the cache for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/client/informer.h"
#include "kernel/node/object_cache.h"
#include "kernel/node/runtime.h"
#include "kernel/node/volumes.h"

namespace keelson::node {

// What a container's settings follow from, besides the pod.
struct ContainerSurroundings {
    client::ObjectPointer pod;
    std::string container_name;  // of any of the three lists of containers
    std::int32_t attempt = 0;    // tells the termination logs of one container apart
    std::vector<std::string> pod_addresses;
    std::vector<std::string> host_addresses;
    client::ObjectPointer node;                   // null when it is not known: limits fall back to nothing
    std::vector<client::ObjectPointer> services;  // of the pod's namespace, and default/kubernetes
    MountedVolumes volumes;
    std::string pod_directory;      // <root>/pods/<uid>: etc-hosts, resolv.conf, termination logs
    std::string image_user;         // what the image says
    std::string seccomp_directory;  // where Localhost profiles are
};

// Everything but ids, attempt, image id and log path; the files that it mounts are there afterwards, apart
// from those of write_pod_files(). With whatever failure, the container waits with kConfigErrorReason and the
// Status's message.
inline constexpr std::string_view kConfigErrorReason = "CreateContainerConfigError";
[[nodiscard]] base::Task<base::Result<ContainerConfig>> container_config(
    const ContainerSurroundings& surroundings, ObjectCache& objects);

// cpu.shares, quota and limits of a container, from requests and limits as the kubelet computes them.
[[nodiscard]] ResourceLimits container_limits(object::Value container, object::Value pod,
                                              std::int64_t node_memory_bytes);
// Of the pod's cgroup: the sum of its containers (init containers and overhead counted as Kubernetes does).
[[nodiscard]] ResourceLimits pod_limits(object::Value pod);
// "Guaranteed", "Burstable", "BestEffort", by the spec.
[[nodiscard]] std::string_view quality_of_service(object::Value pod);
// "keelson/pods/burstable/pod<uid>".
[[nodiscard]] std::string cgroup_of_pod(object::Value pod);

// The files that each container gets unless it mounts something there: /etc/hosts (hostAliases, hostname),
// /etc/resolv.conf by dnsPolicy, /etc/hostname.
struct DnsSettings {
    std::vector<std::string> cluster_servers;  // empty: ClusterFirst falls back to Default
    std::string cluster_domain = "cluster.local";
    std::string node_resolv_conf = "/etc/resolv.conf";
};
// The pod's hostname, and its fully qualified name when it has a subdomain (empty otherwise). On the node's
// network the hostname is that of the node, whatever this says.
struct HostNames {
    std::string hostname;
    std::string full_name;
    std::string problem;  // why the pod cannot have this hostname; empty: it can
};
[[nodiscard]] HostNames host_names(object::Value pod, std::string_view cluster_domain);
// On the node's network: the node's own, with the pod's aliases.
[[nodiscard]] std::string hosts_file(object::Value pod, const HostNames& names,
                                     const std::vector<std::string>& pod_addresses,
                                     const std::string& node_hosts);
[[nodiscard]] std::string resolver_file(object::Value pod, const DnsSettings& settings,
                                        const std::string& node_resolver);
// Writes them and the hostname to <pod directory>/{etc-hosts,resolv.conf,hostname}, from where
// container_config() mounts them. Blocks.
[[nodiscard]] base::Result<void> write_pod_files(object::Value pod, const std::string& pod_directory,
                                                 const HostNames& names,
                                                 const std::vector<std::string>& pod_addresses,
                                                 const DnsSettings& settings);
// Where the container's termination message is on the node.
[[nodiscard]] std::string termination_log_path(const std::string& pod_directory,
                                               const std::string& container_name, std::int32_t attempt);

}  // namespace keelson::node
