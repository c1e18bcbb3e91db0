#include "kernel/daemon/network_role.h"

#include <algorithm>
#include <mutex>
#include <sstream>

#include "kernel/admin/health_check_ports.h"
#include "kernel/base/executor_real.h"
#include "kernel/base/files.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/daemon/plugins.h"
#include "kernel/network/node_network.h"
#include "kernel/network/plugin_sinks.h"
#include "kernel/object/addresses.h"
#include "kernel/resource/service_allocation.h"

namespace keelson::daemon {
namespace {

using base::Result;
using base::Task;

constexpr std::size_t kBlockingThreads = 2;
constexpr std::size_t kLongestFile = 1 << 16;
constexpr std::uint8_t kDnsNumber = 10;  // of the service range: 10.96.0.10

std::string proxies_file(const std::string& data_directory) {
    return data_directory + "/node/proxies";
}

void keep_proxies(const std::string& data_directory, const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += name + "\n";
    if (auto written = base::write_file_atomic(proxies_file(data_directory), text, 0600); !written)
        base::log_warning("which proxy carries the services was not written down",
                          {{"error", written.error()}});
}

std::string proxy_of(const Config& config) {
    return config.network.proxy == "none" ? std::string() : config.network.proxy;
}

// The name servers of a resolv.conf, as "192.0.2.53:53".
std::vector<std::string> upstreams_in(const std::string& path) {
    std::vector<std::string> upstreams;
    std::istringstream lines(base::read_file(path, kLongestFile).value_or(std::string()));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string keyword;
        std::string address;
        if (!(words >> keyword >> address) || keyword != "nameserver") continue;
        if (!object::IpAddress::parse(address)) continue;
        const bool is_v6 = address.find(':') != std::string::npos;
        upstreams.push_back((is_v6 ? "[" + address + "]" : address) + ":53");
    }
    return upstreams;
}

network::NodeNetworkSettings settings_of(const NetworkRole::Parts& parts) {
    const Config& config = parts.config;
    network::NodeNetworkSettings settings;
    settings.node_name = parts.node_name;
    settings.node_addresses = parts.node_addresses;
    settings.cluster_cidrs = config.network.pod_cidrs;
    settings.node_port_addresses = config.network.node_port_addresses;
    settings.cluster_domain = config.network.cluster_domain;
    settings.dns_port = dns_port(config);
    settings.dns_upstreams = upstreams_in(config.node.resolv_conf.empty() ? std::string("/etc/resolv.conf")
                                                                          : config.node.resolv_conf);
    return settings;
}

class Checks final : public network::HealthChecks {
  public:
    void set(std::vector<network::HealthCheckPort> ports) override {
        if (ports == said_) return;
        said_ = ports;
        std::vector<admin::HealthCheckAnswer> answers;
        answers.reserve(ports.size());
        for (network::HealthCheckPort& port : ports)
            answers.push_back(
                {port.port, std::move(port.namespace_name), std::move(port.service), port.local_endpoints});
        ports_->set(answers);
    }

  private:
    std::vector<network::HealthCheckPort> said_;
    std::unique_ptr<admin::HealthCheckPorts> ports_ = admin::HealthCheckPorts::make();
};

class RunningNetwork final : public NetworkRole {
  public:
    explicit RunningNetwork(const Parts& parts)
        : parts_(parts), dns_(dns_port(parts.config) != 0 ? parts.config.network.dns : std::string()) {
        std::unique_ptr<network::Dns> dns;
        if (!dns_.empty()) dns = network::make_plugin_dns(parts_.plugins, dns_);
        network_ = network::NodeNetwork::make(
            settings_of(parts), {parts_.client, *executor_, parts_.random, parts_.metrics, checks_},
            std::move(dns));
        std::vector<std::string> former = known_proxies(parts_.data_directory);
        std::erase(former, proxy_of(parts_.config));
        hand_over(parts_.config, std::move(former));
        executor_->post(
            [this] { base::spawn(*executor_, network_->run(), [ended = ended_] { ended.complete(true); }); });
    }

    ~RunningNetwork() override {
        executor_->post([this] { network_->stop(); });
        base::sync_wait(*executor_, wait_for(ended_));
        executor_->stop();
    }

    void reload(const Config& config) override {
        std::vector<std::string> former;
        {
            const std::lock_guard lock(mutex_);
            if (proxy_of(config) == proxy_) return;
            if (!proxy_.empty()) former.push_back(proxy_);
        }
        base::log_info("the services are handed over to another proxy",
                       {{"from", former.empty() ? "none" : former.front()}, {"to", config.network.proxy}});
        hand_over(config, std::move(former));
    }

    void plugin_changed(const std::string& name) override {
        const std::lock_guard lock(mutex_);
        if (name == proxy_ || name == dns_) network_->plugin_changed();
    }

  private:
    static Task<void> wait_for(base::Completion<bool> ended) { co_await ended; }

    void hand_over(const Config& config, std::vector<std::string> former) {
        const std::string name = proxy_of(config);
        std::vector<std::string> known = former;
        if (!name.empty()) known.push_back(name);
        keep_proxies(parts_.data_directory, known);
        {
            const std::lock_guard lock(mutex_);
            proxy_ = name;
        }
        executor_->post([this, config, name, former = std::move(former)] {
            auto sink = name.empty() ? nullptr : network::make_plugin_proxy(parts_.plugins, name);
            network_->use_proxy(name, std::move(sink), [this, config, name, former] {
                base::spawn(*executor_, forget(config, name, former), [] {});
            });
        });
    }

    // What earlier processes have left is cleared here; the network has cleared its own former proxy.
    Task<void> forget(Config config, std::string name, std::vector<std::string> former) {
        std::vector<std::string> left;
        for (const std::string& other : former) {
            auto sink = network::make_plugin_proxy(parts_.plugins, other);
            auto clearing = sink->clear();
            const Result<void> cleared = co_await clearing;
            if (cleared) continue;
            left.push_back(other);
            base::log_warning("a former proxy was not cleared; it will be tried at the next start",
                              {{"proxy", other}, {"reason", cleared.error()}});
        }
        if (!name.empty()) left.push_back(name);
        keep_proxies(parts_.data_directory, left);
        if (former.empty()) co_return;
        // The former plugin is not wanted any more.
        base::spawn(parts_.executor, parts_.plugins.apply(wanted_plugins(config)), [] {});
        base::log_info("the services are carried", {{"proxy", config.network.proxy}});
    }

    const Parts parts_;
    const std::string dns_;
    Checks checks_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(1, kBlockingThreads);
    std::unique_ptr<network::NodeNetwork> network_;
    std::mutex mutex_;  // of the proxy's name
    std::string proxy_;
    base::Completion<bool> ended_;
};

}  // namespace

std::uint16_t dns_port(const Config& config) {
    if (!config.roles.contains("node") || config.network.dns.empty() || config.network.dns == "none")
        return 0;
    return is_available(config, config.network.dns) ? config.network.dns_port : 0;
}

std::string cluster_dns_address(const Config& config) {
    if (config.network.dns.empty() || config.network.dns == "none") return {};
    const auto range = object::IpNetwork::parse(resource::NetworkSettings().service_cidrs.front());
    if (!range) return {};
    object::IpAddress address = range->masked();
    address.bytes.back() |= kDnsNumber;
    return address.to_string();
}

std::vector<std::string> known_proxies(const std::string& data_directory) {
    std::vector<std::string> names;
    std::istringstream lines(
        base::read_file(proxies_file(data_directory), kLongestFile).value_or(std::string()));
    for (std::string line; std::getline(lines, line);)
        if (!line.empty()) names.push_back(line);
    return names;
}

std::unique_ptr<NetworkRole> NetworkRole::start(const Parts& parts) {
    if (!parts.config.roles.contains("node")) return nullptr;
    return std::make_unique<RunningNetwork>(parts);
}

}  // namespace keelson::daemon
