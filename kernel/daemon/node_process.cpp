#include "kernel/daemon/node_process.h"

#include <atomic>
#include <optional>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/metrics.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/http.h"
#include "kernel/daemon/data_directory.h"
#include "kernel/daemon/memory_keeper.h"
#include "kernel/daemon/network_role.h"
#include "kernel/daemon/node_join.h"
#include "kernel/daemon/node_role.h"
#include "kernel/daemon/node_server.h"
#include "kernel/daemon/plugin_events.h"
#include "kernel/daemon/plugins.h"
#include "kernel/daemon/renewed_client.h"

namespace keelson::daemon {
namespace {

using base::Result;
using base::Task;

Task<void> wait_for(base::Completion<bool> ended) {
    co_await ended;
}

Result<std::unique_ptr<client::Client>> connect(const Config& config, const NodeCredentials& credentials) {
    KEELSON_TRY(const ServerAddress server, parse_server_url(config.join.server));
    client::HttpSettings settings;
    settings.host = server.host;
    settings.port = server.port;
    settings.ca_certificates = credentials.authority;
    settings.certificate = credentials.client.certificate;
    settings.private_key = credentials.client.key;
    return client::make_http_client(std::move(settings));
}

// Members are in the order of their dependence: destruction goes the other way round.
class RunningNodeProcess final : public NodeProcess {
  public:
    RunningNodeProcess(Config config, DataDirectory directory)
        : config_(std::move(config)), data_(std::move(directory)), files_(data_.path()) {}

    ~RunningNodeProcess() override {
        memory_keeper_.reset();
        if (server_) server_->stop();
        if (rotation_) {
            rotation_->stop();
            base::sync_wait(*executor_, wait_for(rotation_ended_));
        }
        node_matters_ = false;
        // Isolated plugins stay: their containers run on, and the next start finds them.
        if (plugins_) base::sync_wait(*executor_, plugins_->stop(false));
        server_.reset();
        network_.reset();
        node_.reset();
        events_.reset();
        client_.reset();
        executor_->stop();
    }

    Result<void> start() {
        KEELSON_TRY(api::Listener listener, api::Listener::open("::", config_.node.port));
        KEELSON_TRY(credentials_, ensure_credentials());
        KEELSON_TRY(auto client, connect(config_, credentials_));
        client_ = std::make_unique<RenewedClient>(std::move(client));
        start_plugins();
        node_ = NodeRole::start({.config = config_,
                                 .data_directory = data_.path(),
                                 .client = *client_,
                                 .plugins = *plugins_,
                                 .random = base::system_random(),
                                 .metrics = metrics_,
                                 .port = listener.port()});
        network_ = NetworkRole::start({.config = config_,
                                       .data_directory = data_.path(),
                                       .node_name = node_->name(),
                                       .node_addresses = node_->addresses(),
                                       .client = *client_,
                                       .plugins = *plugins_,
                                       .executor = *executor_,
                                       .random = base::system_random(),
                                       .metrics = metrics_});
        events_ = PluginEvents::start(*client_, base::system_random(), node_name(config_));
        node_matters_ = true;
        start_rotation();
        server_ = std::make_unique<NodeServer>(NodeServer::Parts{std::move(listener), *node_, *client_,
                                                                 credentials_.authority, *executor_,
                                                                 base::system_random()});
        server_->start();
        memory_keeper_.emplace(*executor_, MemoryKeeper::own());
        return base::ok();
    }

    Result<void> reload(const Config& config) override {
        KEELSON_TRY_VOID(base::configure_log(config.log));
        base::sync_wait(*executor_, plugins_->apply(wanted_plugins(config, known_proxies(data_.path()))));
        network_->reload(config);
        Config remaining = config;
        remaining.plugins.entries = config_.plugins.entries;
        remaining.network.proxy = config_.network.proxy;
        remaining.log = config_.log;
        if (!(remaining == config_)) base::log_warning("some changes of the configuration need a restart");
        return base::ok();
    }

  private:
    Result<NodeCredentials> ensure_credentials() {
        const std::string name = node_name(config_);
        KEELSON_TRY(auto present, files_.read(name, executor_->clock().wall_now()));
        if (present) return std::move(*present);
        if (config_.join.token.empty() || config_.join.ca_hash.empty())
            return base::Status(base::Reason::bad_request,
                                "this machine has no certificate of a node that is still good: join with "
                                "--token and --ca-hash");
        auto joined = base::sync_wait(*executor_, join_cluster(config_.join, name, files_));
        if (!joined) return std::move(joined).error().with_context("joining " + config_.join.server + ": ");
        base::log_info("joined the cluster", {{"server", config_.join.server}, {"node", name}});
        return joined;
    }

    // A plugin that cannot be loaded is listed in the log; the node says that it is not ready meanwhile.
    void start_plugins() {
        plugin::Listener listener;
        listener.changed = [this](const std::string& name) {
            if (!node_matters_) return;
            node_->plugin_changed(name);
            network_->plugin_changed(name);
        };
        listener.reconcile = [this](const std::string&, const std::string& key) {
            if (node_matters_) node_->reconcile(key);
        };
        listener.event = [this](const std::string& name, const std::string& event) {
            if (node_matters_) events_->take(name, event);
        };
        plugin::HostSettings settings = plugin_host_settings(config_, data_.path());
        if (config_.plugins.directory.empty())
            if (auto made = base::make_directory(settings.directory, 0755); !made)
                base::log_error("cannot make the plugin directory", {{"error", made.error()}});
        plugins_ = plugin::make_plugin_host(std::move(settings), *executor_, metrics_, std::move(listener));
        base::sync_wait(*executor_, plugins_->start());
    }

    void start_rotation() {
        CertificateOrder order;
        order.node_name = node_name(config_);
        rotation_ = std::make_unique<CertificateRotation>(
            CertificateRotation::Parts{*client_, base::system_random(), std::move(order),
                                       [this](const KeyAndCertificate& pair) { return take(pair); }});
        base::spawn(*executor_, rotation_->run(credentials_.client.certificate),
                    [ended = rotation_ended_] { ended.complete(true); });
    }

    // What cannot be used is not stored.
    Result<void> take(const KeyAndCertificate& pair) {
        NodeCredentials next{credentials_.authority, pair};
        if (!belong_together(next.authority, pair))
            return base::Status(base::Reason::internal_error, "its CA has not signed the new certificate");
        KEELSON_TRY(auto client, connect(config_, next));
        KEELSON_TRY_VOID(files_.write_client(pair));
        client_->renew(std::move(client));
        return base::ok();
    }

    Config config_;
    DataDirectory data_;
    NodeCredentialFiles files_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 8);
    base::Metrics metrics_;
    NodeCredentials credentials_;
    std::shared_ptr<plugin::PluginHost> plugins_;
    std::unique_ptr<RenewedClient> client_;
    std::unique_ptr<PluginEvents> events_;
    std::unique_ptr<NodeRole> node_;
    std::unique_ptr<NetworkRole> network_;
    std::atomic<bool> node_matters_{false};
    std::unique_ptr<NodeServer> server_;
    std::unique_ptr<CertificateRotation> rotation_;
    base::Completion<bool> rotation_ended_;
    std::optional<MemoryKeeper> memory_keeper_;
};

}  // namespace

Result<std::unique_ptr<NodeProcess>> NodeProcess::start(const Config& config) {
    KEELSON_TRY(DataDirectory data, DataDirectory::enter(config.data_directory));
    auto process = std::make_unique<RunningNodeProcess>(config, std::move(data));
    KEELSON_TRY_VOID(process->start());
    return std::unique_ptr<NodeProcess>(std::move(process));
}

}  // namespace keelson::daemon
