// What a node asks of its plugins, as types: containers, images, the pods' network, volumes. One
// implementation asks plugins (plugin_runtime.h), tests have their own.
//
// Everything is idempotent, as sdk/include/keelson/{runtime,network,volume}.h say; the caller chooses the
// ids. A failure with Reason::service_unavailable may be tried again. Tasks are awaited on the node's
// executor.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::node {

struct PodIdentity {
    std::string name;
    std::string namespace_name;
    std::string uid;
    std::map<std::string, std::string> annotations;
};

// Limits and weights; unset: as the system has it.
struct ResourceLimits {
    std::optional<std::int64_t> cpu_shares;
    std::optional<std::int64_t> cpu_quota_us;
    std::optional<std::int64_t> cpu_period_us;
    std::optional<std::int64_t> memory_limit_bytes;
    std::optional<std::int64_t> process_limit;
    std::optional<std::int64_t> oom_score_adjustment;
    bool operator==(const ResourceLimits&) const = default;
};

struct SandboxConfig {
    std::string id;
    PodIdentity pod;
    std::string hostname;
    std::string log_directory;
    std::string cgroup_parent;    // below the root of each hierarchy: "keelson/pods/burstable/pod<uid>"
    std::string network = "pod";  // "pod", "host"
    std::string processes = "container";  // "pod", "host", "container"
    std::string ipc = "pod";              // "pod", "host"
    std::string users = "host";           // "pod", "host"
    std::map<std::string, std::string> sysctls;
    std::string handler;
    ResourceLimits limits;  // of all containers together
};

struct Sandbox {
    std::string id;
    PodIdentity pod;
    bool is_ready = false;
    std::string created_at;
};

struct Variable {
    std::string name;
    std::string value;
    bool operator==(const Variable&) const = default;
};

struct Mount {
    std::string source;  // on the node
    std::string path;    // in the container
    bool is_read_only = false;
    std::string propagation = "private";  // "private", "hostToContainer", "bidirectional"
    bool operator==(const Mount&) const = default;
};

struct Device {
    std::string source;
    std::string path;
    std::string permissions = "rwm";
};

struct Security {
    bool is_privileged = false;
    std::optional<std::int64_t> user;
    std::optional<std::int64_t> group;
    std::vector<std::int64_t> supplemental_groups;
    std::string supplemental_groups_policy;  // "Merge", "Strict"; empty: Merge
    std::vector<std::string> added_capabilities;
    std::vector<std::string> dropped_capabilities;
    bool has_read_only_root = false;
    bool has_no_new_privileges = false;
    std::string seccomp_type;  // "RuntimeDefault", "Unconfined", "Localhost"; empty: Unconfined
    std::string seccomp_path;
    bool masks_proc = true;  // false: procMount Unmasked
};

struct ContainerConfig {
    std::string sandbox_id;
    std::string id;
    std::string name;
    std::int32_t attempt = 0;
    std::string image_id;
    std::vector<std::string> command;
    std::vector<std::string> arguments;
    std::string working_directory;
    std::vector<Variable> environment;
    std::vector<Mount> mounts;
    std::vector<Device> devices;
    ResourceLimits limits;
    Security security;
    std::string log_path;  // relative to the sandbox's log directory
    bool has_terminal = false;
    bool has_standard_input = false;
    bool has_standard_input_once = false;
    std::string target_container_id;
};

enum class ContainerPhase : std::uint8_t { created, running, exited };

struct Container {
    std::string id;
    std::string sandbox_id;
    std::string name;
    std::int32_t attempt = 0;
    std::string image_id;
    ContainerPhase phase = ContainerPhase::created;
    std::string created_at;  // RFC 3339
    std::string started_at;
    std::string finished_at;
    std::int32_t exit_code = 0;
    std::string reason;
    std::string message;
};

struct ExecRequest {
    std::string container_id;
    std::vector<std::string> command;
    bool has_terminal = false;
    bool has_standard_input = false;
    bool has_standard_output = true;
    bool has_standard_error = true;
    std::optional<std::chrono::seconds> timeout;
};

// Those that were not asked for are empty; with a terminal the output carries the errors too.
struct Streams {
    std::string exec_id;
    base::FileDescriptor standard_input;
    base::FileDescriptor standard_output;
    base::FileDescriptor standard_error;
    base::FileDescriptor result;  // gives {"exitCode": N} and ends when the process has ended; exec only
};

struct Usage {
    std::string id;  // of a container or of a sandbox
    std::int64_t cpu_ns = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t working_set_bytes = 0;
    std::optional<std::int64_t> file_system_bytes;
    std::optional<std::int64_t> processes;
};

struct UsageList {
    std::vector<Usage> containers;
    std::vector<Usage> sandboxes;
};

struct RuntimeInfo {
    std::string name;
    std::string version;
    std::vector<std::string> handlers;
};

template <typename T>
using Answer = base::Task<base::Result<T>>;

class Runtime {
  public:
    virtual ~Runtime() = default;
    virtual Answer<RuntimeInfo> info() = 0;
    // The descriptor of its network namespace; none on the host's network.
    virtual Answer<base::FileDescriptor> run_sandbox(SandboxConfig config) = 0;
    virtual Answer<void> stop_sandbox(std::string id) = 0;
    virtual Answer<void> remove_sandbox(std::string id) = 0;
    virtual Answer<std::vector<Sandbox>> list_sandboxes() = 0;
    virtual Answer<void> create_container(ContainerConfig config) = 0;
    virtual Answer<void> start_container(std::string id) = 0;
    // Answers when it has ended. An empty signal is the image's.
    virtual Answer<void> stop_container(std::string id, std::chrono::seconds grace, std::string signal) = 0;
    virtual Answer<void> remove_container(std::string id) = 0;
    // Of one sandbox, or of all when it is empty.
    virtual Answer<std::vector<Container>> list_containers(std::string sandbox_id) = 0;
    virtual Answer<void> update_resources(std::string id, ResourceLimits limits) = 0;
    virtual Answer<Streams> exec(ExecRequest request) = 0;
    virtual Answer<Streams> attach(std::string id, bool standard_input, bool standard_output,
                                   bool standard_error) = 0;
    virtual Answer<void> resize(std::string container_id, std::string exec_id, std::uint16_t columns,
                                std::uint16_t rows) = 0;
    virtual Answer<base::FileDescriptor> port_forward(std::string sandbox_id, std::uint16_t port) = 0;
    virtual Answer<void> reopen_log(std::string id) = 0;
    virtual Answer<UsageList> usage(std::string sandbox_id) = 0;
};

struct Image {
    std::string id;  // "sha256:..."
    std::vector<std::string> names;
    std::vector<std::string> digests;  // "docker.io/library/nginx@sha256:..."
    std::int64_t size_bytes = 0;
    std::string user;
};

struct Credentials {
    std::string username;
    std::string password;
    std::string identity_token;
    std::string registry_token;
    bool operator==(const Credentials&) const = default;
};

class Images {
  public:
    virtual ~Images() = default;
    // The id of the image.
    virtual Answer<std::string> pull(std::string image, std::vector<Credentials> credentials) = 0;
    // By name or id; none when it is not there.
    virtual Answer<std::optional<Image>> inspect(std::string image) = 0;
    virtual Answer<std::vector<Image>> list() = 0;
    virtual Answer<void> remove(std::string id) = 0;
};

struct NodeNetwork {
    std::string name;
    std::vector<std::string> addresses;
    std::vector<std::string> pod_cidrs;
    bool operator==(const NodeNetwork&) const = default;
};

struct HostPort {
    std::string protocol;
    std::int32_t host_port = 0;
    std::int32_t container_port = 0;
    std::string host_address;
};

class PodNetwork {
  public:
    virtual ~PodNetwork() = default;
    // Without a network plugin pods have their loopback interface only.
    [[nodiscard]] virtual bool is_there() const = 0;
    virtual Answer<void> configure(NodeNetwork node, std::vector<NodeNetwork> peers,
                                   std::vector<std::string> cluster_cidrs) = 0;
    // The addresses of the pod, without prefix lengths. The descriptor is borrowed.
    virtual Answer<std::vector<std::string>> attach(std::string sandbox_id, PodIdentity pod,
                                                    std::vector<HostPort> ports, int network_namespace) = 0;
    virtual Answer<void> detach(std::string sandbox_id) = 0;
    // What is attached: addresses by sandbox.
    virtual Answer<std::map<std::string, std::vector<std::string>>> list() = 0;
};

struct PublishRequest {
    std::string volume_id;
    std::string path;          // where the volume shall appear; its directory exists, itself it does not
    std::string staging_path;  // empty: the driver has no stage
    std::string access_mode = "ReadWriteOnce";
    std::string file_system;
    std::vector<std::string> mount_options;
    bool is_read_only = false;
    std::map<std::string, std::string> attributes;
    std::map<std::string, std::string> secrets;
    PodIdentity pod;
    std::string service_account;
};

class VolumeDrivers {
  public:
    virtual ~VolumeDrivers() = default;
    // Whether a plugin serves that driver now.
    [[nodiscard]] virtual bool has(const std::string& driver) const = 0;
    virtual Answer<void> stage(std::string driver, PublishRequest request) = 0;
    virtual Answer<void> unstage(std::string driver, std::string volume_id, std::string path) = 0;
    virtual Answer<void> publish(std::string driver, PublishRequest request) = 0;
    virtual Answer<void> unpublish(std::string driver, std::string volume_id, std::string path) = 0;
};

}  // namespace keelson::node
