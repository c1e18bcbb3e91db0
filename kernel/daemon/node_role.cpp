#include "kernel/daemon/node_role.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "kernel/api/health_handler.h"
#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/daemon/network_role.h"
#include "kernel/daemon/version.h"
#include "kernel/node/machine.h"
#include "kernel/node/plugin_runtime.h"

namespace keelson::daemon {
namespace {

using base::Task;

constexpr std::size_t kBlockingThreads = 8;

// As Kubernetes names a node by default: the host name in lower case.
std::string default_name() {
    char text[256] = {};
    if (::gethostname(text, sizeof text - 1) != 0) return "localhost";
    std::string name(text);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char character) { return std::tolower(character); });
    return name;
}

node::NodeSettings settings_of(const NodeRole::Parts& parts) {
    const Config& config = parts.config;
    const std::string& data_directory = parts.data_directory;
    const NodeConfig& wanted = config.node;
    node::NodeSettings settings;
    settings.name = node_name(config);
    settings.root_directory = data_directory + "/node";
    settings.log_directory =
        wanted.log_directory.empty() ? data_directory + "/node/logs" : wanted.log_directory;
    settings.static_pod_directory = wanted.static_pod_directory;
    settings.addresses = wanted.addresses;
    if (settings.addresses.empty()) settings.addresses = node::read_machine_facts().addresses;
    for (const auto& [name, value] : wanted.labels) settings.labels.emplace_back(name, value);
    settings.port = parts.port;
    settings.maximum_pods = wanted.maximum_pods;
    settings.eviction = wanted.eviction;
    settings.image_keeping = wanted.image_keeping;
    settings.cluster_cidrs = config.network.pod_cidrs;
    settings.dns.cluster_servers = config.network.dns_servers;
    if (const std::uint16_t port = dns_port(config); port != 0) {
        settings.dns_port = port;
        if (settings.dns.cluster_servers.empty())
            settings.dns.cluster_servers.push_back(cluster_dns_address(config));
    }
    settings.dns.cluster_domain = config.network.cluster_domain;
    if (!wanted.resolv_conf.empty()) settings.dns.node_resolv_conf = wanted.resolv_conf;
    settings.version =
        api::git_version({.keelson_version = keelson_version, .revision = {}, .build_date = {}});
    return settings;
}

class RunningNode final : public NodeRole {
  public:
    explicit RunningNode(const Parts& parts)
        : settings_(settings_of(parts)),
          pod_network_(parts.config.node.pod_network),
          runtime_(node::make_plugin_runtime(parts.plugins, parts.config.node.runtime)),
          images_(node::make_plugin_images(parts.plugins, parts.config.node.runtime)),
          network_(node::make_plugin_pod_network(parts.plugins, parts.config.node.pod_network)),
          drivers_(node::make_plugin_volume_drivers(parts.plugins)),
          parts_{parts.client, *executor_, parts.random, parts.metrics,
                 *runtime_,    *images_,   *network_,    *drivers_},
          agent_(node::NodeAgent::make(settings_, parts_)),
          streams_(node::NodeStreams::make(*agent_, *runtime_, *executor_)) {
        executor_->post(
            [this] { base::spawn(*executor_, agent_->run(), [ended = ended_] { ended.complete(true); }); });
    }

    ~RunningNode() override {
        executor_->post([this] { agent_->stop(); });
        base::sync_wait(*executor_, wait_for(ended_));
        executor_->stop();
    }

    void reconcile(const std::string& key) override { agent_->reconcile(key); }
    void plugin_changed(const std::string& name) override {
        if (name == pod_network_) agent_->network_changed();
    }
    [[nodiscard]] node::NodeAgent& agent() override { return *agent_; }
    [[nodiscard]] node::Runtime& runtime() override { return *runtime_; }
    [[nodiscard]] node::NodeStreams& streams() override { return *streams_; }
    [[nodiscard]] base::Executor& executor() override { return *executor_; }
    [[nodiscard]] const std::string& name() const override { return settings_.name; }
    [[nodiscard]] const std::vector<std::string>& addresses() const override { return settings_.addresses; }

  private:
    static Task<void> wait_for(base::Completion<bool> ended) { co_await ended; }

    node::NodeSettings settings_;
    const std::string pod_network_;
    std::unique_ptr<node::Runtime> runtime_;
    std::unique_ptr<node::Images> images_;
    std::unique_ptr<node::PodNetwork> network_;
    std::unique_ptr<node::VolumeDrivers> drivers_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(1, kBlockingThreads);
    node::NodeParts parts_;
    std::unique_ptr<node::NodeAgent> agent_;
    std::unique_ptr<node::NodeStreams> streams_;
    base::Completion<bool> ended_;
};

}  // namespace

std::string node_name(const Config& config) {
    return config.node.name.empty() ? default_name() : config.node.name;
}

std::unique_ptr<NodeRole> NodeRole::start(const Parts& parts) {
    if (!parts.config.roles.contains("node")) return nullptr;
    if (auto made = base::make_directory(parts.data_directory + "/node", 0755); !made)
        base::log_error("cannot make the node's directory", {{"error", made.error()}});
    return std::make_unique<RunningNode>(parts);
}

}  // namespace keelson::daemon
