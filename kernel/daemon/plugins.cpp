#include "kernel/daemon/plugins.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernel/base/files.h"
#include "kernel/daemon/network_role.h"
#include "kernel/daemon/node_role.h"

namespace keelson::daemon {
namespace {

using plugin::Isolation;
using plugin::PluginSettings;

// The directory of the running program, links resolved; "/bin" below a prefix.
std::string program_directory() {
    char path[PATH_MAX];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    const std::string program(path, size > 0 ? static_cast<std::size_t>(size) : 0);
    return program.substr(0, program.rfind('/'));
}

std::string absolute(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr), std::free);
    return resolved ? std::string(resolved.get()) : path;
}

// Short calls on data that the kernel has made: in this process. Nothing of this can be said by a manifest.
PluginSettings own(const std::string& name, const nlohmann::json& config) {
    PluginSettings settings;
    settings.name = name;
    settings.isolation = Isolation::in_process;
    settings.config = config.dump();
    return settings;
}

// Proxies that only write tables of the kernel run in this process; those that carry traffic or answer it do
// not.
void add_network(const Config& config, std::vector<std::string> proxies, const auto& add) {
    proxies.insert(proxies.begin(), config.network.proxy);
    for (const std::string& name : proxies) {
        PluginSettings isolated;
        isolated.name = name;
        const bool is_short = name == "iptables" || name == "ipvs";
        add(is_short ? own(name, nlohmann::json::object()) : isolated);
    }
    PluginSettings dns;
    dns.name = config.network.dns;
    add(dns);
}

bool is_listed(const std::vector<PluginSettings>& plugins, const std::string& name) {
    return std::ranges::any_of(plugins, [&](const PluginSettings& plugin) { return plugin.name == name; });
}

}  // namespace

std::string own_plugin_directory() {
    const std::string bin = program_directory();
    return bin.substr(0, bin.rfind('/')) + "/lib/keelson/plugins";
}

std::vector<PluginSettings> wanted_plugins(const Config& config,
                                           const std::vector<std::string>& former_proxies) {
    std::vector<PluginSettings> plugins = config.plugins.entries;
    const std::string directory = own_plugin_directory();
    auto add = [&](PluginSettings settings) {
        const bool there = base::exists(directory + "/" + settings.name + ".yaml");
        if (there && !is_listed(plugins, settings.name)) plugins.push_back(std::move(settings));
    };
    const bool authenticates = config.roles.contains("api");
    if (authenticates) {
        add(own("x509", nlohmann::json::object()));
        add(own("serviceaccount", {{"issuer", config.service_account_issuer}}));
    }
    if (authenticates && !config.token_file.empty())
        add(own("token", {{"file", absolute(config.token_file)}}));
    if (config.roles.contains("node")) {
        if (config.node.runtime == "oci") {
            // It starts processes and mounts images: never in this process.
            PluginSettings settings;
            settings.name = config.node.runtime;
            add(std::move(settings));
        }
        if (config.node.pod_network == "bridge") add(own(config.node.pod_network, nlohmann::json::object()));
        add_network(config, former_proxies, add);
    }
    for (PluginSettings& plugin : plugins) {
        const std::string manifest = directory + "/" + plugin.name + ".yaml";
        if (plugin.manifest_path.empty() && base::exists(manifest)) plugin.manifest_path = manifest;
    }
    return plugins;
}

bool is_available(const Config& config, const std::string& name) {
    return is_listed(config.plugins.entries, name) ||
           base::exists(own_plugin_directory() + "/" + name + ".yaml");
}

plugin::HostSettings plugin_host_settings(const Config& config, const std::string& data_directory) {
    plugin::HostSettings settings;
    settings.directory =
        config.plugins.directory.empty() ? data_directory + "/plugins" : config.plugins.directory;
    settings.allowed_directories = config.plugins.allowed_directories;
    settings.allowed_directories.push_back(own_plugin_directory());
    settings.state_directory = data_directory + "/plugin-state";
    settings.node_name = node_name(config);
    settings.host_program = program_directory() + "/keelson-plugin-host";
    settings.plugins = wanted_plugins(config, known_proxies(data_directory));
    settings.trusted_keys = config.plugins.trusted_keys;
    settings.own_directory = own_plugin_directory();
    settings.check_documents = config.plugins.check_documents;
    settings.trusted_user = ::geteuid();
    return settings;
}

}  // namespace keelson::daemon
