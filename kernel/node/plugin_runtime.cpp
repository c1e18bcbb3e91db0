#include "kernel/node/plugin_runtime.h"

#include "keelson/network.hpp"
#include "keelson/runtime.hpp"
#include "keelson/volume.hpp"
#include "kernel/plugin/capability.h"

namespace keelson::node {
namespace {

namespace images = keelson::images;
namespace runtime = keelson::runtime;
using base::FileDescriptor;
using base::Result;
using base::Task;
using plugin::ask;
using plugin::bad_reply;
using plugin::CallOptions;
using plugin::Capability;
using plugin::from_reply;
using plugin::Reply;
using plugin::tell;
using plugin::to_request;

constexpr std::chrono::seconds kStopMargin{30};
constexpr std::chrono::minutes kPullTime{60};

runtime::Pod to_plugin(const PodIdentity& pod) {
    runtime::Pod result;
    result.name = pod.name;
    result.namespace_ = pod.namespace_name;
    result.uid = pod.uid;
    for (const auto& [key, value] : pod.annotations) result.annotations[key] = value;
    return result;
}

runtime::Resources to_plugin(const ResourceLimits& limits) {
    runtime::Resources result;
    result.cpu_shares = limits.cpu_shares;
    result.cpu_quota_microseconds = limits.cpu_quota_us;
    result.cpu_period_microseconds = limits.cpu_period_us;
    result.memory_limit_bytes = limits.memory_limit_bytes;
    result.process_limit = limits.process_limit;
    result.oom_score_adjustment = limits.oom_score_adjustment;
    return result;
}

runtime::Security to_plugin(const Security& security) {
    runtime::Security result;
    result.privileged = security.is_privileged;
    result.user = security.user;
    result.group = security.group;
    result.supplemental_groups = security.supplemental_groups;
    result.supplemental_groups_policy = security.supplemental_groups_policy;
    result.capabilities = runtime::Capabilities{security.added_capabilities, security.dropped_capabilities};
    result.read_only_root = security.has_read_only_root;
    result.no_new_privileges = security.has_no_new_privileges;
    if (!security.seccomp_type.empty())
        result.seccomp = runtime::Seccomp{security.seccomp_type, security.seccomp_path};
    if (!security.masks_proc || security.is_privileged) {
        result.masked_paths.emplace();
        result.read_only_paths.emplace();
    }
    return result;
}

runtime::RunSandbox to_plugin(const SandboxConfig& config) {
    runtime::RunSandbox result;
    result.sandbox_id = config.id;
    result.pod = to_plugin(config.pod);
    result.hostname = config.hostname;
    result.log_directory = config.log_directory;
    result.cgroup_parent = config.cgroup_parent;
    result.namespaces.network = config.network;
    result.namespaces.pid = config.processes;
    result.namespaces.ipc = config.ipc;
    result.namespaces.user = config.users;
    for (const auto& [key, value] : config.sysctls) result.sysctls[key] = value;
    result.handler = config.handler;
    result.resources = to_plugin(config.limits);
    return result;
}

runtime::CreateContainer to_plugin(const ContainerConfig& config) {
    runtime::CreateContainer result;
    result.sandbox_id = config.sandbox_id;
    result.container_id = config.id;
    result.name = config.name;
    result.attempt = config.attempt;
    result.image_id = config.image_id;
    result.command = config.command;
    result.args = config.arguments;
    result.working_directory = config.working_directory;
    for (const Variable& variable : config.environment)
        result.environment.push_back({variable.name, variable.value});
    for (const Mount& mount : config.mounts)
        result.mounts.push_back({mount.source, mount.path, mount.is_read_only, mount.propagation});
    for (const Device& device : config.devices)
        result.devices.push_back({device.source, device.path, device.permissions});
    result.resources = to_plugin(config.limits);
    result.security = to_plugin(config.security);
    result.log_path = config.log_path;
    result.tty = config.has_terminal;
    result.standard_input = config.has_standard_input;
    result.standard_input_once = config.has_standard_input_once;
    result.target_container_id = config.target_container_id;
    return result;
}

Container from_plugin(runtime::Container container) {
    Container result;
    result.id = std::move(container.container_id);
    result.sandbox_id = std::move(container.sandbox_id);
    result.name = std::move(container.name);
    result.attempt = container.attempt;
    result.image_id = std::move(container.image_id);
    result.phase = container.state == "running"  ? ContainerPhase::running
                   : container.state == "exited" ? ContainerPhase::exited
                                                 : ContainerPhase::created;
    result.created_at = std::move(container.created_at);
    result.started_at = std::move(container.started_at);
    result.finished_at = std::move(container.finished_at);
    result.exit_code = container.exit_code.value_or(0);
    result.reason = std::move(container.reason);
    result.message = std::move(container.message);
    return result;
}

Image from_plugin(images::Image image) {
    return {std::move(image.image_id), std::move(image.names), std::move(image.digests), image.size_bytes,
            std::move(image.user)};
}

// The descriptors of a reply in the order that runtime.h gives them.
Result<Streams> take_streams(std::string_view method, Reply& reply, bool in, bool out, bool err,
                             bool result) {
    Streams streams;
    std::size_t next = 0;
    const auto take = [&](bool is_wanted, FileDescriptor& target) {
        if (is_wanted && next < reply.descriptors.size()) target = std::move(reply.descriptors[next]);
        if (is_wanted) ++next;
    };
    take(in, streams.standard_input);
    take(out, streams.standard_output);
    take(err, streams.standard_error);
    take(result, streams.result);
    if (next > reply.descriptors.size()) return bad_reply(method, "descriptors are missing");
    return streams;
}

// The one descriptor of a reply.
Task<Result<FileDescriptor>> descriptor_of(const Capability& capability, std::string_view method,
                                           std::string request, bool is_needed) {
    auto calling = capability.call(method, std::move(request));
    Result<Reply> reply = co_await calling;
    if (!reply) co_return std::move(reply).error();
    if (!reply->descriptors.empty()) co_return std::move(reply->descriptors.front());
    if (is_needed) co_return bad_reply(method, "a descriptor is missing");
    co_return FileDescriptor();
}

class PluginRuntime final : public Runtime {
  public:
    PluginRuntime(plugin::PluginHost& plugins, std::string plugin)
        : calls_(plugins, std::move(plugin), KEELSON_RUNTIME) {}

    Answer<RuntimeInfo> info() override {
        auto asking = ask<runtime::Info>(calls_, "info", runtime::InfoRequest{});
        Result<runtime::Info> info = co_await asking;
        if (!info) co_return std::move(info).error();
        co_return RuntimeInfo{info->name, info->version, info->handlers};
    }
    Answer<FileDescriptor> run_sandbox(SandboxConfig config) override {
        return descriptor_of(calls_, "run_sandbox", to_request(to_plugin(config)), config.network != "host");
    }
    Answer<void> stop_sandbox(std::string id) override {
        return tell(calls_, "stop_sandbox", runtime::StopSandbox{std::move(id)});
    }
    Answer<void> remove_sandbox(std::string id) override {
        return tell(calls_, "remove_sandbox", runtime::RemoveSandbox{std::move(id)});
    }
    Answer<std::vector<Sandbox>> list_sandboxes() override {
        auto asking = ask<runtime::SandboxList>(calls_, "list_sandboxes", runtime::ListSandboxes{});
        Result<runtime::SandboxList> listed = co_await asking;
        if (!listed) co_return std::move(listed).error();
        std::vector<Sandbox> result;
        for (runtime::Sandbox& sandbox : listed->sandboxes) {
            PodIdentity pod{sandbox.pod.name, sandbox.pod.namespace_, sandbox.pod.uid, {}};
            for (const auto& [key, value] : sandbox.pod.annotations) pod.annotations[key] = value;
            result.push_back({std::move(sandbox.sandbox_id), std::move(pod), sandbox.state == "ready",
                              std::move(sandbox.created_at)});
        }
        co_return result;
    }
    Answer<void> create_container(ContainerConfig config) override {
        return tell(calls_, "create_container", to_plugin(config));
    }
    Answer<void> start_container(std::string id) override {
        return tell(calls_, "start_container", runtime::StartContainer{std::move(id)});
    }
    Answer<void> stop_container(std::string id, std::chrono::seconds grace, std::string signal) override {
        CallOptions options;
        options.timeout = grace + kStopMargin;
        return tell(calls_, "stop_container",
                    runtime::StopContainer{std::move(id), static_cast<std::int32_t>(grace.count()),
                                           std::move(signal)},
                    std::move(options));
    }
    Answer<void> remove_container(std::string id) override {
        return tell(calls_, "remove_container", runtime::RemoveContainer{std::move(id)});
    }
    Answer<std::vector<Container>> list_containers(std::string sandbox_id) override {
        auto asking = ask<runtime::ContainerList>(calls_, "list_containers",
                                                  runtime::ListContainers{std::move(sandbox_id)});
        Result<runtime::ContainerList> listed = co_await asking;
        if (!listed) co_return std::move(listed).error();
        std::vector<Container> result;
        for (runtime::Container& container : listed->containers)
            result.push_back(from_plugin(std::move(container)));
        co_return result;
    }
    Answer<void> update_resources(std::string id, ResourceLimits limits) override {
        return tell(calls_, "update_resources", runtime::UpdateResources{std::move(id), to_plugin(limits)});
    }
    Answer<Streams> exec(ExecRequest request) override {
        runtime::Exec exec;
        exec.container_id = request.container_id;
        exec.command = request.command;
        exec.tty = request.has_terminal;
        exec.standard_input = request.has_standard_input;
        exec.standard_output = request.has_standard_output;
        exec.standard_error = request.has_standard_error && !request.has_terminal;
        if (request.timeout) exec.timeout_seconds = static_cast<std::int32_t>(request.timeout->count());
        auto calling = calls_.call("exec", to_request(exec));
        Result<Reply> reply = co_await calling;
        if (!reply) co_return std::move(reply).error();
        KEELSON_CO_TRY(const runtime::Executing executing,
                       from_reply<runtime::Executing>("exec", reply->body));
        KEELSON_CO_TRY(Streams streams, take_streams("exec", *reply, exec.standard_input,
                                                     exec.standard_output, exec.standard_error, true));
        streams.exec_id = executing.exec_id;
        co_return streams;
    }
    Answer<Streams> attach(std::string id, bool in, bool out, bool err) override {
        const runtime::Attach attach{std::move(id), in, out, err};
        auto calling = calls_.call("attach", to_request(attach));
        Result<Reply> reply = co_await calling;
        if (!reply) co_return std::move(reply).error();
        co_return take_streams("attach", *reply, in, out, err, true);
    }
    Answer<void> resize(std::string container_id, std::string exec_id, std::uint16_t columns,
                        std::uint16_t rows) override {
        return tell(calls_, "resize",
                    runtime::Resize{std::move(container_id), std::move(exec_id), columns, rows});
    }
    Answer<FileDescriptor> port_forward(std::string sandbox_id, std::uint16_t port) override {
        return descriptor_of(calls_, "port_forward",
                             to_request(runtime::PortForward{std::move(sandbox_id), port}), true);
    }
    Answer<void> reopen_log(std::string id) override {
        return tell(calls_, "reopen_log", runtime::ReopenLog{std::move(id)});
    }
    Answer<UsageList> usage(std::string sandbox_id) override {
        auto asking = ask<runtime::Stats>(calls_, "stats", runtime::StatsRequest{std::move(sandbox_id)});
        Result<runtime::Stats> stats = co_await asking;
        if (!stats) co_return std::move(stats).error();
        UsageList result;
        for (const runtime::ContainerStats& one : stats->containers)
            result.containers.push_back({one.container_id, one.cpu_nanoseconds, one.memory_bytes,
                                         one.working_set_bytes, one.file_system_bytes, std::nullopt});
        for (const runtime::SandboxStats& one : stats->sandboxes)
            result.sandboxes.push_back({one.sandbox_id, one.cpu_nanoseconds, one.memory_bytes,
                                        one.working_set_bytes, std::nullopt, one.processes});
        co_return result;
    }

  private:
    Capability calls_;
};

class PluginImages final : public Images {
  public:
    PluginImages(plugin::PluginHost& plugins, std::string plugin)
        : calls_(plugins, std::move(plugin), KEELSON_IMAGES) {}

    Answer<std::string> pull(std::string image, std::vector<Credentials> credentials) override {
        images::Pull request;
        request.image = std::move(image);
        for (Credentials& one : credentials)
            request.credentials.push_back({std::move(one.username), std::move(one.password),
                                           std::move(one.identity_token), std::move(one.registry_token)});
        CallOptions options;
        options.timeout = kPullTime;
        auto asking = ask<images::Pulled>(calls_, "pull", request, std::move(options));
        Result<images::Pulled> pulled = co_await asking;
        if (!pulled) co_return std::move(pulled).error();
        co_return std::move(pulled->image_id);
    }
    Answer<std::optional<Image>> inspect(std::string image) override {
        auto asking = ask<images::Inspected>(calls_, "inspect", images::Inspect{std::move(image)});
        Result<images::Inspected> inspected = co_await asking;
        if (!inspected) co_return std::move(inspected).error();
        if (!inspected->image) co_return std::nullopt;
        co_return from_plugin(std::move(*inspected->image));
    }
    Answer<std::vector<Image>> list() override {
        auto asking = ask<images::Listed>(calls_, "list", images::List{});
        Result<images::Listed> listed = co_await asking;
        if (!listed) co_return std::move(listed).error();
        std::vector<Image> result;
        for (images::Image& image : listed->images) result.push_back(from_plugin(std::move(image)));
        co_return result;
    }
    Answer<void> remove(std::string id) override {
        return tell(calls_, "remove", images::Remove{std::move(id)});
    }

  private:
    Capability calls_;
};

namespace pods = keelson::pod_network;

pods::Node to_plugin(const NodeNetwork& node) {
    return {node.name, node.addresses, node.pod_cidrs};
}

// "10.0.0.5/24" without its length.
std::string address_of(const std::string& text) {
    return text.substr(0, text.find('/'));
}

class PluginPodNetwork final : public PodNetwork {
  public:
    PluginPodNetwork(plugin::PluginHost& plugins, std::string plugin)
        : calls_(plugins, std::move(plugin), KEELSON_POD_NETWORK) {}

    [[nodiscard]] bool is_there() const override { return calls_.find() != nullptr; }
    Answer<void> configure(NodeNetwork node, std::vector<NodeNetwork> peers,
                           std::vector<std::string> cluster_cidrs) override {
        pods::Configure request;
        request.node = to_plugin(node);
        for (const NodeNetwork& peer : peers) request.peers.push_back(to_plugin(peer));
        request.cluster_cidrs = std::move(cluster_cidrs);
        return tell(calls_, "configure", request);
    }
    Answer<std::vector<std::string>> attach(std::string sandbox_id, PodIdentity pod,
                                            std::vector<HostPort> ports, int network_namespace) override {
        pods::Attach request;
        request.sandbox_id = std::move(sandbox_id);
        request.pod = {pod.name, pod.namespace_name, pod.uid};
        for (HostPort& port : ports)
            request.host_ports.push_back({std::move(port.protocol), port.host_port, port.container_port,
                                          std::move(port.host_address)});
        CallOptions options;
        options.descriptors.push_back(network_namespace);
        auto asking = ask<pods::Attached>(calls_, "attach", request, std::move(options));
        Result<pods::Attached> attached = co_await asking;
        if (!attached) co_return std::move(attached).error();
        std::vector<std::string> addresses;
        for (const std::string& address : attached->addresses) addresses.push_back(address_of(address));
        co_return addresses;
    }
    Answer<void> detach(std::string sandbox_id) override {
        return tell(calls_, "detach", pods::Detach{std::move(sandbox_id)});
    }
    Answer<std::map<std::string, std::vector<std::string>>> list() override {
        auto asking = ask<pods::Listed>(calls_, "list", pods::List{});
        Result<pods::Listed> listed = co_await asking;
        if (!listed) co_return std::move(listed).error();
        std::map<std::string, std::vector<std::string>> result;
        for (const pods::Sandbox& sandbox : listed->sandboxes)
            for (const std::string& address : sandbox.addresses)
                result[sandbox.sandbox_id].push_back(address_of(address));
        co_return result;
    }

  private:
    Capability calls_;
};

namespace volume = keelson::volume;

class PluginVolumeDrivers final : public VolumeDrivers {
  public:
    explicit PluginVolumeDrivers(plugin::PluginHost& plugins) : plugins_(plugins) {}

    [[nodiscard]] bool has(const std::string& driver) const override {
        return calls_of(driver).find() != nullptr;
    }
    Answer<void> stage(std::string driver, PublishRequest request) override {
        const Capability calls = calls_of(driver);
        if (!calls.has("stage")) co_return base::ok();
        volume::Stage stage;
        stage.volume_id = request.volume_id;
        stage.path = request.staging_path;
        stage.capability = capability_of(request);
        for (const auto& [key, value] : request.attributes) stage.attributes[key] = value;
        for (const auto& [key, value] : request.secrets) stage.secrets[key] = value;
        auto doing = tell(calls, "stage", stage);
        co_return co_await doing;
    }
    Answer<void> unstage(std::string driver, std::string volume_id, std::string path) override {
        const Capability calls = calls_of(driver);
        if (!calls.has("unstage")) co_return base::ok();
        auto doing = tell(calls, "unstage", volume::Unstage{std::move(volume_id), std::move(path)});
        co_return co_await doing;
    }
    Answer<void> publish(std::string driver, PublishRequest request) override {
        const Capability calls = calls_of(driver);
        volume::Publish publish;
        publish.volume_id = request.volume_id;
        publish.path = request.path;
        if (calls.has("stage")) publish.staging_path = request.staging_path;
        publish.capability = capability_of(request);
        publish.read_only = request.is_read_only;
        for (const auto& [key, value] : request.attributes) publish.attributes[key] = value;
        for (const auto& [key, value] : request.secrets) publish.secrets[key] = value;
        publish.pod.name = request.pod.name;
        publish.pod.namespace_ = request.pod.namespace_name;
        publish.pod.uid = request.pod.uid;
        publish.pod.service_account_name = request.service_account;
        auto doing = tell(calls, "publish", publish);
        co_return co_await doing;
    }
    Answer<void> unpublish(std::string driver, std::string volume_id, std::string path) override {
        const Capability calls = calls_of(driver);
        auto doing = tell(calls, "unpublish", volume::Unpublish{std::move(volume_id), std::move(path)});
        co_return co_await doing;
    }

  private:
    [[nodiscard]] Capability calls_of(const std::string& driver) const {
        return {plugins_, driver, KEELSON_VOLUME};
    }
    static volume::Capability capability_of(const PublishRequest& request) {
        volume::Capability result;
        result.access_mode = request.access_mode;
        result.volume_mode = "Filesystem";
        result.fs_type = request.file_system;
        result.mount_options = request.mount_options;
        return result;
    }

    plugin::PluginHost& plugins_;
};

}  // namespace

std::unique_ptr<Runtime> make_plugin_runtime(plugin::PluginHost& plugins, std::string plugin) {
    return std::make_unique<PluginRuntime>(plugins, std::move(plugin));
}

std::unique_ptr<Images> make_plugin_images(plugin::PluginHost& plugins, std::string plugin) {
    return std::make_unique<PluginImages>(plugins, std::move(plugin));
}

std::unique_ptr<PodNetwork> make_plugin_pod_network(plugin::PluginHost& plugins, std::string plugin) {
    return std::make_unique<PluginPodNetwork>(plugins, std::move(plugin));
}

std::unique_ptr<VolumeDrivers> make_plugin_volume_drivers(plugin::PluginHost& plugins) {
    return std::make_unique<PluginVolumeDrivers>(plugins);
}

}  // namespace keelson::node
