// The files and names that a pod's containers share: /etc/hosts, /etc/resolv.conf, the hostname.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>

#include "kernel/base/files.h"
#include "kernel/node/container_settings.h"
#include "kernel/node/safe_files.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Result;

// As the kubelet bounds them, for what C libraries can take.
constexpr std::size_t kMostServers = 3;
constexpr std::size_t kMostSearches = 32;
constexpr std::size_t kLongestSearchLine = 2048;
constexpr std::size_t kLongestDomain = 253;
constexpr std::size_t kLongestHostname = 63;
constexpr std::size_t kLongestKernelName = 64;

constexpr std::string_view kOwnHosts =
    "# Kubernetes-managed hosts file.\n"
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n";

struct Resolver {
    std::vector<std::string> servers;
    std::vector<std::string> searches;
    std::vector<std::string> options;  // "ndots:5", "edns0"
};

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin == std::string_view::npos) return words;
        const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        line.remove_prefix(end);
    }
}

void add_once(std::vector<std::string>& texts, std::string_view text) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.emplace_back(text);
}

std::string_view option_name(std::string_view option) {
    return option.substr(0, option.find(':'));
}

// A later value of an option replaces the earlier one.
void set_option(std::vector<std::string>& options, std::string option) {
    for (std::string& known : options)
        if (option_name(known) == option_name(option)) {
            known = std::move(option);
            return;
        }
    options.push_back(std::move(option));
}

// A domain with and without the dot at its end is the same; "." alone is the root.
std::string_view without_last_dot(std::string_view domain) {
    return domain.size() > 1 && domain.ends_with('.') ? domain.substr(0, domain.size() - 1) : domain;
}

Resolver parse_resolver(std::string_view text) {
    Resolver resolver;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::vector<std::string_view> words = words_of(line.substr(0, line.find_first_of("#;")));
        if (words.size() < 2) continue;
        if (words[0] == "nameserver") resolver.servers.emplace_back(words[1]);
        // The last of such lines counts.
        if (words[0] == "search") resolver.searches.clear();
        for (const std::string_view word : std::span(words).subspan(1)) {
            if (words[0] == "search") resolver.searches.emplace_back(without_last_dot(word));
            if (words[0] == "options") set_option(resolver.options, std::string(word));
        }
    }
    return resolver;
}

Resolver of_cluster(const Resolver& of_node, const DnsSettings& settings, std::string_view namespace_name) {
    Resolver resolver;
    for (const std::string& server : settings.cluster_servers) add_once(resolver.servers, server);
    if (!settings.cluster_domain.empty()) {
        add_once(resolver.searches, fmt::format("{}.svc.{}", namespace_name, settings.cluster_domain));
        add_once(resolver.searches, "svc." + settings.cluster_domain);
        add_once(resolver.searches, settings.cluster_domain);
    }
    for (const std::string& search : of_node.searches) add_once(resolver.searches, search);
    resolver.options = {"ndots:5"};
    return resolver;
}

void add_config(Resolver& resolver, core_v1::PodDNSConfig config) {
    for (const std::string_view server : config.nameservers()) add_once(resolver.servers, server);
    for (const std::string_view search : config.searches())
        add_once(resolver.searches, without_last_dot(search));
    for (const core_v1::PodDNSConfigOption option : config.options())
        set_option(resolver.options, option.has_value() ? fmt::format("{}:{}", option.name(), option.value())
                                                        : std::string(option.name()));
}

void bound(Resolver& resolver) {
    if (resolver.servers.size() > kMostServers) resolver.servers.resize(kMostServers);
    auto& searches = resolver.searches;
    if (searches.size() > kMostSearches) searches.resize(kMostSearches);
    std::erase_if(searches, [](const std::string& search) { return search.size() > kLongestDomain; });
    std::size_t length = 0, count = 0;
    while (count < searches.size()) {
        length += searches[count].size() + (count > 0 ? 1 : 0);
        if (length > kLongestSearchLine) break;
        ++count;
    }
    searches.resize(count);
}

// The resolver that the pod's policy asks for, before its own settings.
Resolver by_policy(core_v1::Pod pod, const DnsSettings& settings, const std::string& node_resolver) {
    const core_v1::PodSpec spec = pod.spec();
    const std::string_view policy = spec.dns_policy();
    if (policy == "None") return {};
    Resolver of_node = parse_resolver(node_resolver);
    const bool wants_cluster = policy == "ClusterFirstWithHostNet" ||
                               ((policy == "ClusterFirst" || policy.empty()) && !spec.host_network());
    if (!wants_cluster || settings.cluster_servers.empty()) return of_node;
    return of_cluster(of_node, settings, pod.metadata().namespace_());
}

std::string truncated(std::string_view hostname) {
    if (hostname.size() <= kLongestHostname) return std::string(hostname);
    hostname = hostname.substr(0, kLongestHostname);
    return std::string(hostname.substr(0, hostname.find_last_not_of("-.") + 1));
}

}  // namespace

std::string hosts_file(object::Value pod_value, const HostNames& names,
                       const std::vector<std::string>& pod_addresses, const std::string& node_hosts) {
    const core_v1::PodSpec spec = core_v1::Pod(pod_value).spec();
    std::string text;
    if (spec.host_network()) {
        text = "# Kubernetes-managed hosts file (host network).\n" + node_hosts;
    } else {
        text = kOwnHosts;
        const std::string own =
            names.full_name.empty()
                ? names.hostname
                : names.full_name + "\t" + names.full_name.substr(0, names.full_name.find('.'));
        for (const std::string& address : pod_addresses) text += fmt::format("{}\t{}\n", address, own);
    }
    if (spec.host_aliases().empty()) return text;
    text += "\n# Entries added by HostAliases.\n";
    for (const core_v1::HostAlias alias : spec.host_aliases()) {
        text += alias.ip();
        for (const std::string_view name : alias.hostnames()) text += fmt::format("\t{}", name);
        text += "\n";
    }
    return text;
}

std::string resolver_file(object::Value pod_value, const DnsSettings& settings,
                          const std::string& node_resolver) {
    const core_v1::Pod pod(pod_value);
    Resolver resolver = by_policy(pod, settings, node_resolver);
    if (pod.spec().has_dns_config()) add_config(resolver, pod.spec().dns_config());
    bound(resolver);
    std::string text;
    if (!resolver.searches.empty()) text += fmt::format("search {}\n", fmt::join(resolver.searches, " "));
    for (const std::string& server : resolver.servers) text += fmt::format("nameserver {}\n", server);
    if (!resolver.options.empty()) text += fmt::format("options {}\n", fmt::join(resolver.options, " "));
    return text;
}

HostNames host_names(object::Value pod_value, std::string_view cluster_domain) {
    const core_v1::Pod pod(pod_value);
    const core_v1::PodSpec spec = pod.spec();
    HostNames names;
    if (spec.has_hostname_override()) {
        names.hostname = truncated(spec.hostname_override());
        return names;
    }
    names.hostname = truncated(spec.hostname().empty() ? pod.metadata().name() : spec.hostname());
    if (spec.subdomain().empty()) return names;
    names.full_name = fmt::format("{}.{}.{}.svc.{}", names.hostname, spec.subdomain(),
                                  pod.metadata().namespace_(), cluster_domain);
    if (!spec.set_hostname_as_fqdn()) return names;
    if (names.full_name.size() > kLongestKernelName)
        names.problem = fmt::format(
            "failed to construct FQDN from pod hostname and cluster domain, FQDN {} is too long ({} "
            "characters is "
            "the max, {} characters requested)",
            names.full_name, kLongestKernelName, names.full_name.size());
    names.hostname = names.full_name;
    return names;
}

Result<void> write_pod_files(object::Value pod, const std::string& pod_directory, const HostNames& names,
                             const std::vector<std::string>& pod_addresses, const DnsSettings& settings) {
    constexpr mode_t kReadable = 0644;
    const auto read_or_empty = [](const std::string& path) {
        // Links are usual here, and a node without such a file is as one with an empty one.
        const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
        return real ? base::read_file(real.get()).value_or("") : std::string();
    };
    // Containers hold on to the file that was there when they started: the same text stays the same file.
    const auto write = [&](const std::string& name, const std::string& text) -> Result<void> {
        const std::string path = pod_directory + "/" + name;
        if (read_or_empty(path) == text && base::exists(path)) return {};
        return replace_file(path, text, kReadable);
    };
    KEELSON_TRY_VOID(base::make_directory(pod_directory, 0750));
    KEELSON_TRY_VOID(write("etc-hosts", hosts_file(pod, names, pod_addresses, read_or_empty("/etc/hosts"))));
    KEELSON_TRY_VOID(
        write("resolv.conf", resolver_file(pod, settings, read_or_empty(settings.node_resolv_conf))));
    return write("hostname", names.hostname + "\n");
}

}  // namespace keelson::node
