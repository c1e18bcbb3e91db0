// What keelsond was told to do: the configuration file (YAML) with the command line on top.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/base/log.h"
#include "kernel/base/result.h"
#include "kernel/node/node_agent.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::daemon {

struct PluginConfig {
    std::string directory;                         // plugins dropped in here run; empty: DIR/plugins
    std::vector<std::string> allowed_directories;  // where the admin API may take further ones from
    std::vector<plugin::PluginSettings> entries;
    std::vector<plugin::TrustedKey> trusted_keys;     // by whom plugins must be signed
    bool check_documents = plugin::kChecksDocuments;  // what is said to and by plugins, against sdk/schema
    bool operator==(const PluginConfig&) const = default;
};

struct NodeConfig {
    std::string name;                    // empty: the host name
    std::vector<std::string> addresses;  // empty: those of the default route
    std::vector<std::pair<std::string, std::string>> labels;
    std::string runtime = "oci";         // the plugin that runs containers
    std::string pod_network = "bridge";  // the plugin that connects them; empty: any that is there
    std::string log_directory;           // of pods; empty: DIR/node/logs
    std::string static_pod_directory;    // empty: no static pods
    std::string resolv_conf;  // whose servers pods with dnsPolicy Default get; empty: the machine's
    std::int32_t maximum_pods = 110;
    node::EvictionThresholds eviction;
    node::ImageKeeping image_keeping;
    // Where a node without an API of its own answers for logs and streams; 0: any free one.
    std::uint16_t port = 10250;
    bool operator==(const NodeConfig&) const = default;
};

struct NetworkConfig {
    // Of the pods of the whole cluster, at most one per IP family; every node gets a part of each.
    std::vector<std::string> pod_cidrs = {"10.244.0.0/16"};
    // The plugin that carries traffic for Services ("iptables", "ipvs", "userspace", one of a vendor's), or
    // "none".
    std::string proxy = "iptables";
    std::vector<std::string> node_port_addresses;  // CIDRs; empty: all of the node's
    std::string dns = "dns";                       // the plugin that answers the cluster's names, or "none"
    std::uint16_t dns_port = 10053;                // of each node's DNS server
    std::vector<std::string> dns_servers;  // for pods with dnsPolicy ClusterFirst; empty: the cluster's
    std::string cluster_domain = "cluster.local";
    bool operator==(const NetworkConfig&) const = default;
};

// Where a process with the role node alone belongs. Token and hash are needed until the machine has its
// certificate.
struct JoinConfig {
    std::string server;   // "https://192.0.2.1:6443"; empty: this process has its own API
    std::string token;    // a bootstrap token: "abcdef.0123456789abcdef"
    std::string ca_hash;  // of the CA's public key: "sha256:0123..."
    bool operator==(const JoinConfig&) const = default;
};

struct Config {
    std::string data_directory = "/var/lib/keelson";
    std::set<std::string> roles = {"api", "control", "node", "scheduler"};

    std::string api_address = "::";
    // Where the rest of the cluster reaches the API: the endpoint of the Service `kubernetes`. Empty in a
    // file: the machine's own address towards the default route; load_config() fills it in.
    std::string advertise_address;
    std::uint16_t api_port = 6443;  // 0: any free one; the kubeconfig tells which
    std::string admin_address = "127.0.0.1";
    std::uint16_t admin_port = 6444;        // 0: any free one; the log tells which
    std::vector<std::string> server_names;  // further names and IP addresses for the server certificate
    std::string token_file;                 // Kubernetes' static token file; empty: none
    std::string service_account_issuer = "https://kubernetes.default.svc.cluster.local";
    bool anonymous = true;
    std::size_t max_connections = 5000;

    std::string audit_policy_file;  // empty: no audit
    std::string audit_log_path;     // empty: audit.log in the data directory

    PluginConfig plugins;
    NodeConfig node;
    NetworkConfig network;
    JoinConfig join;

    base::LogOptions log;

    bool operator==(const Config& other) const;
};

// Reads a configuration document over the defaults. Unknown keys and values of the wrong kind fail, naming
// the line: "line 3: unknown key 'apiPort' (known here: address, port, ...)".
[[nodiscard]] base::Result<Config> parse_config(const std::string& yaml, Config defaults = {});

// The command line; flags that were not given are empty.
struct CommandLine {
    std::string config_file;
    std::optional<std::string> data_directory;
    std::optional<std::uint16_t> api_port;
    std::optional<std::uint16_t> admin_port;
    std::optional<std::string> roles;  // comma-separated
    std::optional<std::string> join_server;
    std::optional<std::string> join_token;
    std::optional<std::string> join_ca_hash;
    std::string early_exit_text;  // of --help and --version: print it and exit 0
};
// Fails with one line that says what is wrong.
[[nodiscard]] base::Result<CommandLine> parse_command_line(int count, const char* const* arguments);

// File (when there is one) and flags together, checked.
[[nodiscard]] base::Result<Config> load_config(const CommandLine& line);

}  // namespace keelson::daemon
