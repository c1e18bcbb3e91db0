// Containers and their images, as structs. What the methods have to do is said in runtime.h.
#ifndef KEELSON_RUNTIME_HPP
#define KEELSON_RUNTIME_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/plugin.hpp"
#include "keelson/runtime.h"

namespace keelson {

struct RuntimePlugin {};
struct ImagesPlugin {};

namespace runtime {

struct Pod {
    std::string name;
    std::string namespace_;
    std::string uid;
    Labels annotations;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("namespace", self.namespace_)
                       .required("uid", self.uid)
                       .optional("annotations", self.annotations))
};

struct Namespaces {
    std::string network;  // "pod", "host"
    std::string pid;      // "pod", "host", "container"
    std::string ipc;
    std::string user;
    KEELSON_FIELDS(field.required("network", self.network)
                       .required("pid", self.pid)
                       .required("ipc", self.ipc)
                       .required("user", self.user))
};

struct Sandbox {
    std::string sandbox_id;
    Pod pod;
    std::string state;       // "ready", "stopped"
    std::string created_at;  // "2026-01-02T03:04:05Z"
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id)
                       .required("pod", self.pod)
                       .required("state", self.state)
                       .required("createdAt", self.created_at))
};

struct Variable {
    std::string name;
    std::string value;
    KEELSON_FIELDS(field.required("name", self.name).required("value", self.value))
};

struct Mount {
    std::string source;
    std::string path;
    bool read_only = false;
    std::string propagation;  // "private", "hostToContainer", "bidirectional"
    KEELSON_FIELDS(field.required("source", self.source)
                       .required("path", self.path)
                       .required("readOnly", self.read_only)
                       .required("propagation", self.propagation))
};

struct Device {
    std::string host_path;
    std::string path;
    std::string permissions;
    KEELSON_FIELDS(field.required("hostPath", self.host_path)
                       .required("path", self.path)
                       .required("permissions", self.permissions))
};

struct Resources {
    std::optional<std::int64_t> cpu_shares;
    std::optional<std::int64_t> cpu_quota_microseconds;
    std::optional<std::int64_t> cpu_period_microseconds;
    std::optional<std::int64_t> memory_limit_bytes;
    std::optional<std::int64_t> memory_swap_limit_bytes;
    std::optional<std::int64_t> process_limit;
    std::optional<std::int64_t> oom_score_adjustment;
    KEELSON_FIELDS(field.optional("cpuShares", self.cpu_shares)
                       .optional("cpuQuotaMicroseconds", self.cpu_quota_microseconds)
                       .optional("cpuPeriodMicroseconds", self.cpu_period_microseconds)
                       .optional("memoryLimitBytes", self.memory_limit_bytes)
                       .optional("memorySwapLimitBytes", self.memory_swap_limit_bytes)
                       .optional("processLimit", self.process_limit)
                       .optional("oomScoreAdjustment", self.oom_score_adjustment))
};

struct Capabilities {
    std::vector<std::string> add;
    std::vector<std::string> drop;
    KEELSON_FIELDS(field.optional("add", self.add).optional("drop", self.drop))
};

struct Seccomp {
    std::string type;  // "RuntimeDefault", "Unconfined", "Localhost"
    std::string path;
    KEELSON_FIELDS(field.required("type", self.type).optional("path", self.path))
};

struct Security {
    bool privileged = false;
    std::optional<std::int64_t> user;
    std::string user_name;
    std::optional<std::int64_t> group;
    std::vector<std::int64_t> supplemental_groups;
    std::string supplemental_groups_policy;
    std::optional<Capabilities> capabilities;
    bool read_only_root = false;
    bool no_new_privileges = false;
    std::optional<Seccomp> seccomp;
    std::optional<std::vector<std::string>> masked_paths;
    std::optional<std::vector<std::string>> read_only_paths;
    KEELSON_FIELDS(field.optional("privileged", self.privileged)
                       .optional("user", self.user)
                       .optional("userName", self.user_name)
                       .optional("group", self.group)
                       .optional("supplementalGroups", self.supplemental_groups)
                       .optional("supplementalGroupsPolicy", self.supplemental_groups_policy)
                       .optional("capabilities", self.capabilities)
                       .optional("readOnlyRoot", self.read_only_root)
                       .optional("noNewPrivileges", self.no_new_privileges)
                       .optional("seccomp", self.seccomp)
                       .optional("maskedPaths", self.masked_paths)
                       .optional("readOnlyPaths", self.read_only_paths))
};

struct Container {
    std::string container_id;
    std::string sandbox_id;
    std::string name;
    std::int32_t attempt = 0;
    std::string image_id;
    std::string state;        // "created", "running", "exited"
    std::string created_at;   // "2026-01-02T03:04:05Z"
    std::string started_at;   // "2026-01-02T03:04:05Z"
    std::string finished_at;  // "2026-01-02T03:04:05Z"
    std::optional<std::int32_t> exit_code;
    std::string reason;
    std::string message;
    std::optional<std::int32_t> process_id;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("sandboxId", self.sandbox_id)
                       .required("name", self.name)
                       .required("attempt", self.attempt)
                       .required("imageId", self.image_id)
                       .required("state", self.state)
                       .required("createdAt", self.created_at)
                       .optional("startedAt", self.started_at)
                       .optional("finishedAt", self.finished_at)
                       .optional("exitCode", self.exit_code)
                       .optional("reason", self.reason)
                       .optional("message", self.message)
                       .optional("processId", self.process_id))
};

struct SandboxStats {
    std::string sandbox_id;
    std::int64_t cpu_nanoseconds = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t working_set_bytes = 0;
    std::optional<std::int64_t> processes;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id)
                       .required("cpuNanoseconds", self.cpu_nanoseconds)
                       .required("memoryBytes", self.memory_bytes)
                       .required("workingSetBytes", self.working_set_bytes)
                       .optional("processes", self.processes))
};

struct ContainerStats {
    std::string container_id;
    std::int64_t cpu_nanoseconds = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t working_set_bytes = 0;
    std::optional<std::int64_t> file_system_bytes;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("cpuNanoseconds", self.cpu_nanoseconds)
                       .required("memoryBytes", self.memory_bytes)
                       .required("workingSetBytes", self.working_set_bytes)
                       .optional("fileSystemBytes", self.file_system_bytes))
};

struct InfoRequest {
    KEELSON_FIELDS()
};

struct Info {
    std::string name;
    std::string version;
    std::vector<std::string> handlers;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("version", self.version)
                       .required("handlers", self.handlers))
};

struct RunSandbox {
    std::string sandbox_id;
    Pod pod;
    std::string hostname;
    std::string log_directory;
    std::string cgroup_parent;
    Namespaces namespaces;
    Labels sysctls;
    std::string handler;
    std::optional<Resources> resources;  // of all containers together
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id)
                       .required("pod", self.pod)
                       .optional("hostname", self.hostname)
                       .required("logDirectory", self.log_directory)
                       .required("cgroupParent", self.cgroup_parent)
                       .required("namespaces", self.namespaces)
                       .optional("sysctls", self.sysctls)
                       .optional("handler", self.handler)
                       .optional("resources", self.resources))
};

struct StopSandbox {
    std::string sandbox_id;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id))
};

struct RemoveSandbox {
    std::string sandbox_id;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id))
};

struct ListSandboxes {
    KEELSON_FIELDS()
};

struct SandboxList {
    std::vector<Sandbox> sandboxes;
    KEELSON_FIELDS(field.required("sandboxes", self.sandboxes))
};

struct CreateContainer {
    std::string sandbox_id;
    std::string container_id;
    std::string name;
    std::int32_t attempt = 0;
    std::string image_id;
    std::vector<std::string> command;
    std::vector<std::string> args;
    std::string working_directory;
    std::vector<Variable> environment;
    std::vector<Mount> mounts;
    std::vector<Device> devices;
    Resources resources;
    Security security;
    std::string log_path;
    bool tty = false;
    bool standard_input = false;
    bool standard_input_once = false;
    std::string target_container_id;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id)
                       .required("containerId", self.container_id)
                       .required("name", self.name)
                       .required("attempt", self.attempt)
                       .required("imageId", self.image_id)
                       .required("command", self.command)
                       .required("args", self.args)
                       .optional("workingDirectory", self.working_directory)
                       .required("environment", self.environment)
                       .required("mounts", self.mounts)
                       .optional("devices", self.devices)
                       .required("resources", self.resources)
                       .required("security", self.security)
                       .required("logPath", self.log_path)
                       .required("tty", self.tty)
                       .required("stdin", self.standard_input)
                       .optional("stdinOnce", self.standard_input_once)
                       .optional("targetContainerId", self.target_container_id))
};

struct StartContainer {
    std::string container_id;
    KEELSON_FIELDS(field.required("containerId", self.container_id))
};

struct StopContainer {
    std::string container_id;
    std::int32_t grace_seconds = 0;
    std::string signal;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("graceSeconds", self.grace_seconds)
                       .optional("signal", self.signal))
};

struct RemoveContainer {
    std::string container_id;
    KEELSON_FIELDS(field.required("containerId", self.container_id))
};

struct ListContainers {
    std::string sandbox_id;
    KEELSON_FIELDS(field.optional("sandboxId", self.sandbox_id))
};

struct ContainerList {
    std::vector<Container> containers;
    KEELSON_FIELDS(field.required("containers", self.containers))
};

struct UpdateResources {
    std::string container_id;
    Resources resources;
    KEELSON_FIELDS(field.required("containerId", self.container_id).required("resources", self.resources))
};

struct Exec {
    std::string container_id;
    std::vector<std::string> command;
    bool tty = false;
    bool standard_input = false;
    bool standard_output = false;
    bool standard_error = false;
    std::optional<std::int32_t> timeout_seconds;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("command", self.command)
                       .required("tty", self.tty)
                       .required("stdin", self.standard_input)
                       .required("stdout", self.standard_output)
                       .required("stderr", self.standard_error)
                       .optional("timeoutSeconds", self.timeout_seconds))
};

struct Executing {
    std::string exec_id;
    KEELSON_FIELDS(field.required("execId", self.exec_id))
};

struct Attach {
    std::string container_id;
    bool standard_input = false;
    bool standard_output = false;
    bool standard_error = false;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .required("stdin", self.standard_input)
                       .required("stdout", self.standard_output)
                       .required("stderr", self.standard_error))
};

struct Resize {
    std::string container_id;
    std::string exec_id;
    std::int32_t columns = 0;
    std::int32_t rows = 0;
    KEELSON_FIELDS(field.required("containerId", self.container_id)
                       .optional("execId", self.exec_id)
                       .required("columns", self.columns)
                       .required("rows", self.rows))
};

struct PortForward {
    std::string sandbox_id;
    std::int32_t port = 0;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id).required("port", self.port))
};

struct ReopenLog {
    std::string container_id;
    KEELSON_FIELDS(field.required("containerId", self.container_id))
};

struct StatsRequest {
    std::string sandbox_id;
    KEELSON_FIELDS(field.optional("sandboxId", self.sandbox_id))
};

struct Stats {
    std::vector<ContainerStats> containers;
    std::vector<SandboxStats> sandboxes;
    KEELSON_FIELDS(field.required("containers", self.containers).optional("sandboxes", self.sandboxes))
};

namespace methods {
KEELSON_DETAIL_SLOT(info, InfoRequest, Info)
KEELSON_DETAIL_SLOT(run_sandbox, RunSandbox, Empty)
KEELSON_DETAIL_SLOT(stop_sandbox, StopSandbox, Empty)
KEELSON_DETAIL_SLOT(remove_sandbox, RemoveSandbox, Empty)
KEELSON_DETAIL_SLOT(list_sandboxes, ListSandboxes, SandboxList)
KEELSON_DETAIL_SLOT(create_container, CreateContainer, Empty)
KEELSON_DETAIL_SLOT(start_container, StartContainer, Empty)
KEELSON_DETAIL_SLOT(stop_container, StopContainer, Empty)
KEELSON_DETAIL_SLOT(remove_container, RemoveContainer, Empty)
KEELSON_DETAIL_SLOT(list_containers, ListContainers, ContainerList)
KEELSON_DETAIL_SLOT(update_resources, UpdateResources, Empty)
KEELSON_DETAIL_SLOT(exec, Exec, Executing)
KEELSON_DETAIL_SLOT(attach, Attach, Empty)
KEELSON_DETAIL_SLOT(resize, Resize, Empty)
KEELSON_DETAIL_SLOT(port_forward, PortForward, Empty)
KEELSON_DETAIL_SLOT(reopen_log, ReopenLog, Empty)
KEELSON_DETAIL_SLOT(stats, StatsRequest, Stats)
}  // namespace methods
}  // namespace runtime

namespace images {

struct Credentials {
    std::string username;
    std::string password;
    std::string identity_token;
    std::string registry_token;
    KEELSON_FIELDS(field.optional("username", self.username)
                       .optional("password", self.password)
                       .optional("identityToken", self.identity_token)
                       .optional("registryToken", self.registry_token))
};

struct LoadedImage {
    std::string image_id;
    std::vector<std::string> names;
    KEELSON_FIELDS(field.required("imageId", self.image_id).required("names", self.names))
};

struct Image {
    std::string image_id;
    std::vector<std::string> names;
    std::int64_t size_bytes = 0;
    std::string user;
    std::vector<std::string> digests;
    KEELSON_FIELDS(field.required("imageId", self.image_id)
                       .required("names", self.names)
                       .required("sizeBytes", self.size_bytes)
                       .optional("user", self.user)
                       .required("digests", self.digests))
};

struct Pull {
    std::string image;
    std::vector<Credentials> credentials;
    KEELSON_FIELDS(field.required("image", self.image).optional("credentials", self.credentials))
};

struct Pulled {
    std::string image_id;
    KEELSON_FIELDS(field.required("imageId", self.image_id))
};

struct Load {
    std::string name;
    KEELSON_FIELDS(field.optional("name", self.name))
};

struct Loaded {
    std::vector<LoadedImage> images;
    KEELSON_FIELDS(field.required("images", self.images))
};

struct List {
    KEELSON_FIELDS()
};

struct Listed {
    std::vector<Image> images;
    KEELSON_FIELDS(field.required("images", self.images))
};

struct Remove {
    std::string image_id;
    KEELSON_FIELDS(field.required("imageId", self.image_id))
};

struct UsageRequest {
    KEELSON_FIELDS()
};

struct Usage {
    std::int64_t used_bytes = 0;
    std::int64_t inodes_used = 0;
    std::string path;
    KEELSON_FIELDS(field.required("usedBytes", self.used_bytes)
                       .required("inodesUsed", self.inodes_used)
                       .required("path", self.path))
};

struct Inspect {
    std::string image;
    KEELSON_FIELDS(field.required("image", self.image))
};

struct Inspected {
    std::optional<Image> image;
    KEELSON_FIELDS(field.optional("image", self.image))
};

struct PullsRequest {
    KEELSON_FIELDS()
};

struct PullProgress {
    std::string image;
    std::int64_t done_bytes = 0;
    std::int64_t whole_bytes = 0;  // 0: not known yet
    KEELSON_FIELDS(field.required("image", self.image)
                       .required("doneBytes", self.done_bytes)
                       .required("wholeBytes", self.whole_bytes))
};

struct Pulls {
    std::vector<PullProgress> pulls;
    KEELSON_FIELDS(field.required("pulls", self.pulls))
};

namespace methods {
KEELSON_DETAIL_SLOT(pull, Pull, Pulled)
KEELSON_DETAIL_SLOT(load, Load, Loaded)
KEELSON_DETAIL_SLOT(list, List, Listed)
KEELSON_DETAIL_SLOT(remove, Remove, Empty)
KEELSON_DETAIL_SLOT(usage, UsageRequest, Usage)
KEELSON_DETAIL_SLOT(inspect, Inspect, Inspected)
KEELSON_DETAIL_SLOT(pulls, PullsRequest, Pulls)
}  // namespace methods
}  // namespace images

KEELSON_DETAIL_BIND(RuntimePlugin, KEELSON_RUNTIME, keelson_runtime, KEELSON_RUNTIME_METHODS,
                    runtime::methods)
KEELSON_DETAIL_BIND(ImagesPlugin, KEELSON_IMAGES, keelson_images, KEELSON_IMAGES_METHODS, images::methods)

}  // namespace keelson

#endif
