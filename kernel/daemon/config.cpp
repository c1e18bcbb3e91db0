#include "kernel/daemon/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <yaml-cpp/yaml.h>

#include <string_view>

#include "kernel/base/files.h"
#include "kernel/base/yaml_settings.h"
#include "kernel/daemon/node_join.h"
#include "kernel/object/quantity.h"
#include "kernel/plugin/settings_reader.h"
#include "kernel/resource/bootstrap_token_authenticator.h"

namespace keelson::daemon {
namespace {

using base::Reason;
using base::Result;
using base::Status;

using base::yaml::fail;
using base::yaml::flag_into;
using base::yaml::number_into;
using base::yaml::read_object;
using base::yaml::scalar;
using base::yaml::text_into;
using base::yaml::texts;
using base::yaml::texts_into;

void read_api(const YAML::Node& node, Config& config) {
    read_object(node, "'apiServer'",
                {{"address", text_into(config.api_address)},
                 {"advertiseAddress", text_into(config.advertise_address)},
                 {"port", number_into(config.api_port, 0, 65535)},
                 {"serverNames", texts_into(config.server_names)},
                 {"tokenFile", text_into(config.token_file)},
                 {"serviceAccountIssuer", text_into(config.service_account_issuer)},
                 {"anonymous", flag_into(config.anonymous)},
                 {"maxConnections", number_into(config.max_connections, 1, 1'000'000)}});
}

void read_trusted_keys(const YAML::Node& node, std::vector<plugin::TrustedKey>& keys) {
    if (!node.IsSequence()) fail(node, "'trustedKeys' must be a list");
    for (const auto& item : node) {
        plugin::TrustedKey& key = keys.emplace_back();
        read_object(item, "an entry of 'trustedKeys'",
                    {{"file", text_into(key.file)}, {"vendor", text_into(key.vendor)}});
        if (key.file.empty()) fail(item, "an entry of 'trustedKeys' needs a 'file'");
    }
}

void read_plugins(const YAML::Node& node, PluginConfig& plugins) {
    read_object(node, "'plugins'",
                {{"directory", text_into(plugins.directory)},
                 {"allowedDirectories", texts_into(plugins.allowed_directories)},
                 {"trustedKeys", [&](const YAML::Node& value,
                                     const std::string&) { read_trusted_keys(value, plugins.trusted_keys); }},
                 {"checkDocuments", flag_into(plugins.check_documents)},
                 {"entries", [&](const YAML::Node& value, const std::string&) {
                      if (!value.IsSequence()) fail(value, "'entries' must be a list");
                      std::set<std::string> names;
                      for (const auto& item : value) {
                          plugins.entries.push_back(plugin::read_plugin_settings(item));
                          if (!names.insert(plugins.entries.back().name).second)
                              fail(item, "plugin '" + plugins.entries.back().name + "' is listed twice");
                      }
                  }}});
}

void read_labels(const YAML::Node& node, std::vector<std::pair<std::string, std::string>>& labels) {
    if (!node.IsMap()) fail(node, "'labels' must be a map of texts");
    labels.clear();
    for (const auto& entry : node)
        labels.emplace_back(entry.first.as<std::string>(),
                            scalar<std::string>(entry.second, entry.first.as<std::string>(), "a text"));
}

void read_bytes(const YAML::Node& node, const std::string& key, std::int64_t& bytes) {
    const auto quantity = object::Quantity::parse(scalar<std::string>(node, key, "a quantity, like 100Mi"));
    if (!quantity || quantity->sign() < 0) fail(node, "'" + key + "' must be a quantity, like 100Mi");
    bytes = quantity->value();
}

void read_eviction(const YAML::Node& node, node::EvictionThresholds& wanted) {
    std::int64_t seconds = wanted.transition.count();
    read_object(node, "'eviction'",
                {{"memoryAvailable",
                  [&](const YAML::Node& value, const std::string& key) {
                      read_bytes(value, key, wanted.memory_available_bytes);
                  }},
                 {"diskAvailablePercent", number_into(wanted.disk_available_percent, 0, 100)},
                 {"inodesFreePercent", number_into(wanted.inodes_free_percent, 0, 100)},
                 {"processesAvailablePercent", number_into(wanted.processes_available_percent, 0, 100)},
                 {"transitionSeconds", number_into(seconds, 0, 86'400)}});
    wanted.transition = std::chrono::seconds(seconds);
}

void read_node(const YAML::Node& node, NodeConfig& wanted) {
    read_object(
        node, "'node'",
        {{"name", text_into(wanted.name)},
         {"addresses", texts_into(wanted.addresses)},
         {"labels", [&](const YAML::Node& value, const std::string&) { read_labels(value, wanted.labels); }},
         {"runtime", text_into(wanted.runtime)},
         {"podNetwork", text_into(wanted.pod_network)},
         {"logDirectory", text_into(wanted.log_directory)},
         {"staticPodDirectory", text_into(wanted.static_pod_directory)},
         {"resolvConf", text_into(wanted.resolv_conf)},
         {"port", number_into(wanted.port, 0, 65'535)},
         {"maximumPods", number_into(wanted.maximum_pods, 0, 100'000)},
         {"eviction",
          [&](const YAML::Node& value, const std::string&) { read_eviction(value, wanted.eviction); }},
         {"imageHighPercent", number_into(wanted.image_keeping.high_percent, 0, 100)},
         {"imageLowPercent", number_into(wanted.image_keeping.low_percent, 0, 100)}});
    if (wanted.image_keeping.low_percent > wanted.image_keeping.high_percent)
        fail(node, "'imageLowPercent' must not be more than 'imageHighPercent'");
}

void read_network(const YAML::Node& node, NetworkConfig& wanted) {
    read_object(node, "'network'",
                {{"podCidrs", texts_into(wanted.pod_cidrs)},
                 {"proxy", text_into(wanted.proxy)},
                 {"nodePortAddresses", texts_into(wanted.node_port_addresses)},
                 {"dns", text_into(wanted.dns)},
                 {"dnsPort", number_into(wanted.dns_port, 1, 65'535)},
                 {"dnsServers", texts_into(wanted.dns_servers)},
                 {"clusterDomain", text_into(wanted.cluster_domain)}});
}

void read_join(const YAML::Node& node, JoinConfig& wanted) {
    read_object(node, "'join'",
                {{"server", text_into(wanted.server)},
                 {"token", text_into(wanted.token)},
                 {"caHash", text_into(wanted.ca_hash)}});
}

void read_log(const YAML::Node& node, Config& config) {
    read_object(node, "'log'",
                {{"level",
                  [&](const auto& value, const auto& key) {
                      auto level = base::parse_log_level(scalar<std::string>(value, key, "a text"));
                      if (!level) fail(value, level.error().message());
                      config.log.level = *level;
                  }},
                 {"format",
                  [&](const auto& value, const auto& key) {
                      const auto format = scalar<std::string>(value, key, "text or json");
                      if (format != "text" && format != "json") fail(value, "'format' must be text or json");
                      config.log.json = format == "json";
                  }},
                 {"path", text_into(config.log.path)}});
}

Status usage(std::string message) {
    return {Reason::bad_request, std::move(message)};
}

Result<std::set<std::string>> parse_roles(const std::vector<std::string>& list) {
    static const std::set<std::string> known{"api", "control", "node", "scheduler"};
    std::set<std::string> roles;
    for (const std::string& role : list) {
        if (!known.contains(role))
            return usage("unknown role '" + role + "'; roles are api, control, scheduler and node");
        roles.insert(role);
    }
    return roles;
}

Result<void> check_join(const Config& config) {
    if (config.join.server.empty()) {
        if (config.roles.contains("api")) return base::ok();
        return usage(
            "the role api must be among the roles; a process with the role node alone needs --join "
            "https://HOST:PORT");
    }
    if (config.roles != std::set<std::string>{"node"})
        return usage("--join is for a process with the role node alone: say --roles node");
    if (auto server = parse_server_url(config.join.server); !server)
        return std::move(server).error().with_context("--join: ");
    if (!config.join.token.empty() && !resource::parse_bootstrap_token(config.join.token))
        return usage("--token: a bootstrap token looks like abcdef.0123456789abcdef");
    const std::string& hash = config.join.ca_hash;
    constexpr std::string_view kAlgorithm = "sha256:";
    const bool is_hash = hash.starts_with(kAlgorithm) && hash.size() == kAlgorithm.size() + 64 &&
                         hash.find_first_not_of("0123456789abcdef", kAlgorithm.size()) == std::string::npos;
    if (!hash.empty() && !is_hash)
        return usage("--ca-hash: must be sha256: and 64 hexadecimal digits in lower case");
    return base::ok();
}

bool is_ip_address(const std::string& text) {
    unsigned char bytes[16];
    return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

// The source address of a packet to the default route. Connecting a datagram socket asks the routing table
// only: nothing is sent.
std::string own_address() {
    const base::FileDescriptor descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    ::inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    socklen_t length = sizeof address;
    char text[INET_ADDRSTRLEN] = {};
    if (descriptor && ::connect(descriptor.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
        ::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
        ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) != nullptr)
        return text;
    return "127.0.0.1";
}

Result<void> choose_advertise_address(Config& config) {
    if (!is_ip_address(config.api_address))
        return usage("apiServer.address: '" + config.api_address + "' is not an IP address");
    if (config.advertise_address.empty()) {
        const bool any = config.api_address == "::" || config.api_address == "0.0.0.0";
        config.advertise_address = any ? own_address() : config.api_address;
    }
    if (!is_ip_address(config.advertise_address))
        return usage("apiServer.advertiseAddress: '" + config.advertise_address + "' is not an IP address");
    return base::ok();
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return parts;
}

}  // namespace

bool Config::operator==(const Config& other) const {
    return data_directory == other.data_directory && roles == other.roles &&
           api_address == other.api_address && advertise_address == other.advertise_address &&
           api_port == other.api_port && admin_address == other.admin_address &&
           admin_port == other.admin_port && server_names == other.server_names &&
           token_file == other.token_file && service_account_issuer == other.service_account_issuer &&
           anonymous == other.anonymous && plugins == other.plugins &&
           max_connections == other.max_connections && audit_policy_file == other.audit_policy_file &&
           audit_log_path == other.audit_log_path && node == other.node && network == other.network &&
           join == other.join && log.level == other.log.level && log.json == other.log.json &&
           log.path == other.log.path;
}

Result<Config> parse_config(const std::string& yaml, Config defaults) {
    Config config = std::move(defaults);
    try {
        const YAML::Node document = YAML::Load(yaml);
        if (document.IsDefined() && !document.IsNull()) {
            read_object(
                document, "the configuration",
                {{"dataDirectory", text_into(config.data_directory)},
                 {"roles",
                  [&](const auto& value, const auto& key) {
                      auto roles = parse_roles(texts(value, key));
                      if (!roles) fail(value, roles.error().message());
                      config.roles = std::move(*roles);
                  }},
                 {"apiServer", [&](const auto& value, const auto&) { read_api(value, config); }},
                 {"admin",
                  [&](const auto& value, const auto&) {
                      read_object(value, "'admin'",
                                  {{"address", text_into(config.admin_address)},
                                   {"port", number_into(config.admin_port, 0, 65535)}});
                  }},
                 {"audit",
                  [&](const auto& value, const auto&) {
                      read_object(value, "'audit'",
                                  {{"policyFile", text_into(config.audit_policy_file)},
                                   {"path", text_into(config.audit_log_path)}});
                  }},
                 {"plugins", [&](const auto& value, const auto&) { read_plugins(value, config.plugins); }},
                 {"node", [&](const auto& value, const auto&) { read_node(value, config.node); }},
                 {"network", [&](const auto& value, const auto&) { read_network(value, config.network); }},
                 {"join", [&](const auto& value, const auto&) { read_join(value, config.join); }},
                 {"log", [&](const auto& value, const auto&) { read_log(value, config); }}});
        }
    } catch (const base::yaml::SettingsError& error) {
        return usage(error.message);
    } catch (const YAML::Exception& error) {
        return usage("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
    }
    return config;
}

Result<Config> load_config(const CommandLine& line) {
    Config config;
    if (!line.config_file.empty()) {
        auto text = base::read_file(line.config_file, 1 << 20);
        if (!text) return std::move(text).error().with_context("cannot read the configuration: ");
        auto parsed = parse_config(*text);
        if (!parsed) return std::move(parsed).error().with_context(line.config_file + ": ");
        config = std::move(*parsed);
    }
    if (line.data_directory) config.data_directory = *line.data_directory;
    if (line.api_port) config.api_port = *line.api_port;
    if (line.admin_port) config.admin_port = *line.admin_port;
    if (line.roles) {
        auto roles = parse_roles(split(*line.roles));
        if (!roles) return std::move(roles).error().with_context("--roles: ");
        config.roles = std::move(*roles);
    }
    if (line.join_server) config.join.server = *line.join_server;
    if (line.join_token) config.join.token = *line.join_token;
    if (line.join_ca_hash) config.join.ca_hash = *line.join_ca_hash;
    if (auto checked = check_join(config); !checked) return std::move(checked).error();
    if (config.data_directory.empty())
        return usage("the data directory must not be empty; give one with --data-dir");
    if (auto checked = choose_advertise_address(config); !checked) return std::move(checked).error();
    if (config.audit_log_path.empty()) config.audit_log_path = config.data_directory + "/audit.log";
    return config;
}

}  // namespace keelson::daemon
