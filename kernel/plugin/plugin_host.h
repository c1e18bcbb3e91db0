// The plugins of this process: finds them, checks them, loads them, keeps them well, swaps them.
//
// A plugin that cannot be loaded stays listed with its reason; the kernel starts in any case.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/metrics.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/objects.h"
#include "kernel/plugin/plugin.h"

namespace keelson::plugin {

// What the operator says about one plugin; what is not said comes from the manifest.
struct PluginSettings {
    std::string name;
    std::string manifest_path;  // empty: <plugin directory>/<name>.yaml
    bool enabled = true;
    std::optional<Isolation> isolation;  // in_process is granted here only, never by a manifest
    std::string sha256;                  // that the library must have; empty: any
    std::string config;                  // a JSON document; empty: {}
    // Where parts of the config stood in the operator's file: JSON pointer to line; may be empty.
    std::map<std::string, int> config_lines;
    std::optional<Limits> limits;
    std::vector<ObjectAccess> objects;  // that the plugin may read, if its manifest asks for them
    bool operator==(const PluginSettings& other) const {
        return name == other.name && manifest_path == other.manifest_path && enabled == other.enabled &&
               isolation == other.isolation && sha256 == other.sha256 && config == other.config &&
               limits == other.limits && objects == other.objects;
    }
};

#ifdef KEELSON_CHECK_DOCUMENTS
inline constexpr bool kChecksDocuments = true;
#else
inline constexpr bool kChecksDocuments = false;
#endif

// Whose signature plugins need.
struct TrustedKey {
    std::string file;    // a public key in PEM: Ed25519, ECDSA or RSA
    std::string vendor;  // of plugins whose id begins with it ("com.example"); empty: of all
    bool operator==(const TrustedKey&) const = default;
};

struct HostSettings {
    std::string directory;  // manifests here are plugins by themselves; watched
    std::vector<std::string>
        allowed_directories;      // where add() and replace() may take manifests from, besides
    std::string state_directory;  // private copies, sockets and the plugins' own directories
    std::string node_name;        // of this machine, in the API
    std::string host_program;     // keelson-plugin-host
    std::vector<PluginSettings> plugins;
    std::vector<TrustedKey> trusted_keys;
    std::string own_directory;  // plugins that came with the program need no signature
    // Tests run unprivileged: files of this user count as root's.
    std::uint32_t trusted_user = 0;
    bool watch_directory = true;
    std::chrono::milliseconds health_interval{5000};
    // Requests and replies against sdk/schema, by this process and by those of isolated plugins.
    bool check_documents = kChecksDocuments;
    // Where keelson.host.objects takes them from; null: it is not offered. Outlives the host.
    ObjectsSource* objects = nullptr;
};

// What plugins send on their own. Called from any thread.
struct Listener {
    std::function<void(const std::string& plugin, const std::string& event_json)> event;
    std::function<void(const std::string& plugin, const std::string& key)> reconcile;
    // Something about a plugin is different: state, capabilities, version.
    std::function<void(const std::string& plugin)> changed;
};

// Thread-safe. Tasks answer when the change has been carried out, or say why it was not; nothing is changed
// then.
class PluginHost {
  public:
    virtual ~PluginHost() = default;

    // Loads what the settings name, in the order of what requires what. Comes back when each has become ready
    // or failed.
    virtual base::Task<void> start() = 0;
    // Stops in-process plugins; isolated ones stay for the next kernel unless `everything`.
    virtual base::Task<void> stop(bool everything) = 0;

    [[nodiscard]] virtual std::vector<Info> list() const = 0;
    [[nodiscard]] virtual std::shared_ptr<Plugin> find(std::string_view name) const = 0;
    // Those that have the capability now, in the order of the settings.
    [[nodiscard]] virtual std::vector<std::shared_ptr<Plugin>> with_capability(std::string_view id) const = 0;

    // From a manifest's path: in the plugin directory or an allowed one.
    virtual base::Task<base::Result<Info>> add(PluginSettings settings) = 0;
    virtual base::Task<base::Result<Info>> configure(std::string name, std::string config_json) = 0;
    // What of the API the plugin may read from now on, of what its manifest asks for; it is not restarted.
    virtual base::Task<base::Result<Info>> accept(std::string name, std::vector<ObjectAccess> objects) = 0;
    virtual base::Task<base::Result<Info>> enable(std::string name, bool enabled) = 0;
    // The same files again: a new library beside the manifest, or a fresh start.
    virtual base::Task<base::Result<Info>> reload(std::string name) = 0;
    // Another manifest takes over; the same id.
    virtual base::Task<base::Result<Info>> replace(std::string name, std::string manifest_path) = 0;
    // Refused while calls are under way or another plugin requires it, unless forced.
    virtual base::Task<base::Result<void>> remove(std::string name, bool force) = 0;
    // The operator's settings as a whole, after the configuration file has been read again.
    virtual base::Task<void> apply(std::vector<PluginSettings> plugins) = 0;

    // Copies each request and reply of a plugin to the sink (any thread) until the returned handle goes.
    [[nodiscard]] virtual std::shared_ptr<void> trace(std::string_view name,
                                                      std::function<void(const std::string& line)> sink) = 0;
};

[[nodiscard]] std::shared_ptr<PluginHost> make_plugin_host(HostSettings settings, base::Executor& executor,
                                                           base::Metrics& metrics, Listener listener);

}  // namespace keelson::plugin
