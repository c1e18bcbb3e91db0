#include "kernel/daemon/app.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "kernel/api/server.h"
#include "kernel/base/executor_real.h"
#include "kernel/base/files.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/daemon/administration.h"
#include "kernel/daemon/data_directory.h"
#include "kernel/daemon/memory_keeper.h"
#include "kernel/daemon/network_role.h"
#include "kernel/daemon/plugin_objects.h"
#include "kernel/daemon/plugins.h"
#include "kernel/daemon/version.h"
#include "kernel/daemon/wire.h"

namespace keelson::daemon {
namespace {

using access::TokenAuthenticator;
using base::Reason;
using base::Result;
using base::Status;

constexpr base::Duration drain_time = std::chrono::milliseconds(4000);
constexpr base::Duration shortest_renewal_pause = std::chrono::minutes(1);
constexpr base::Duration longest_renewal_pause = std::chrono::hours(12);

// The token plugin reads it; a broken one is told before anything starts.
Result<void> check_token_file(const Config& config) {
    if (config.token_file.empty()) return base::ok();
    auto text = base::read_file(config.token_file, 1 << 20);
    if (!text) return std::move(text).error().with_context("token file: ");
    auto parsed = access::parse_token_file(*text);
    if (!parsed) return std::move(parsed).error().with_context("token file " + config.token_file + ": ");
    return base::ok();
}

std::shared_ptr<TokenAuthenticator> make_admin_authenticator(const std::string& admin_token) {
    auto authenticator = std::make_shared<TokenAuthenticator>();
    authenticator->set_tokens(
        {{.token = admin_token,
          .identity = {
              .user = "admin", .uid = "1", .groups = {std::string(access::masters_group)}, .extra = {}}}});
    return authenticator;
}

Result<access::AuditPolicy> read_audit_policy(const Config& config) {
    if (config.audit_policy_file.empty()) return access::AuditPolicy{};
    auto text = base::read_file(config.audit_policy_file, 1 << 20);
    if (!text) return std::move(text).error().with_context("audit policy: ");
    auto policy = access::parse_audit_policy(*text);
    if (!policy)
        return std::move(policy).error().with_context("audit policy " + config.audit_policy_file + ": ");
    return policy;
}

Result<std::shared_ptr<access::AuditLog>> open_audit(const Config& config, base::Executor& executor) {
    if (config.audit_policy_file.empty()) return std::shared_ptr<access::AuditLog>();
    KEELSON_TRY(access::AuditPolicy policy, read_audit_policy(config));
    return access::AuditLog::open(config.audit_log_path, std::move(policy), executor);
}

// The files that the configuration names, looked at before anything is changed.
Result<void> check_named_files(const Config& config) {
    const auto usage = [](const Status& status) { return Status(Reason::bad_request, status.message()); };
    if (const auto tokens = check_token_file(config); !tokens) return usage(tokens.error());
    if (const auto policy = read_audit_policy(config); !policy) return usage(policy.error());
    return base::ok();
}

// Nodes and pods reach it by the address that it advertises.
std::vector<std::string> names_of_server(const Config& config) {
    std::vector<std::string> names = config.server_names;
    if (!config.advertise_address.empty()) names.push_back(config.advertise_address);
    return names;
}

Result<std::shared_ptr<const api::TlsContext>> make_tls(const Credentials& credentials) {
    return api::TlsContext::create({.certificate_chain = credentials.server.certificate,
                                    .private_key = credentials.server.key,
                                    .client_ca = credentials.authority.certificate});
}

// Thousands of watchers are sockets; the usual soft limit is 1,024.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

// Members are in the order of their dependence: destruction goes the other way round.
struct App::Impl {
    Impl(Config wanted, DataDirectory directory) : config(std::move(wanted)), data(std::move(directory)) {}

    Result<void> start(api::Listener listener);
    void renew();
    void schedule_renewal();
    api::ContextHandler make_handler();
    void add_server_metrics();
    void start_plugins();
    Result<void> know_own_certificates();

    Config config;
    DataDirectory data;
    std::unique_ptr<base::ThreadExecutor> executor = base::make_thread_executor(2, 8);
    base::Metrics metrics;
    std::mutex mutex;  // of credentials, audit and renewal
    Credentials credentials;
    std::shared_ptr<access::AuditLog> audit;
    CredentialOptions credential_options;
    std::shared_ptr<access::OwnCertificateAuthenticator> own_certificates =
        std::make_shared<access::OwnCertificateAuthenticator>();
    PluginObjects plugin_objects;
    std::shared_ptr<plugin::PluginHost> plugins;
    std::atomic<bool> plugins_matter{false};  // wired: a change of theirs has to be told
    access::Authentication authentication;
    access::Authorization authorization;
    access::FlowControl flow_control{access::default_flow_control()};
    api::HealthChecks health;
    std::unique_ptr<api::HealthHandler> health_handler;
    Wiring wiring;
    std::unique_ptr<api::Server> server;
    std::unique_ptr<admin::AdminServer> administration;
    std::shared_ptr<base::Timer> renewal;
    std::optional<MemoryKeeper> memory_keeper;
    bool stopped = false;
};

Result<void> App::Impl::start(api::Listener listener) {
    credential_options = {
        .directory = data.path(), .server_names = names_of_server(config), .api_port = listener.port()};
    KEELSON_TRY(credentials, ensure_credentials(credential_options, executor->clock()));
    KEELSON_TRY_VOID(know_own_certificates());
    KEELSON_TRY(audit, open_audit(config, *executor));
    KEELSON_TRY(auto tls, make_tls(credentials));

    authentication.allow_anonymous(config.anonymous);
    // Before any plugin: a broken one locks nobody out.
    authentication.add(own_certificates);
    authentication.add(make_admin_authenticator(credentials.admin_token));
    authorization.add(std::make_shared<access::FixedAuthorizer>());
    start_plugins();
    KEELSON_TRY(wiring, wire({.config = config,
                              .credentials = credentials,
                              .data_directory = data.path(),
                              .api_port = listener.port(),
                              .executor = *executor,
                              .random = base::system_random(),
                              .metrics = metrics,
                              .authentication = authentication,
                              .plugins = *plugins,
                              .plugin_objects = plugin_objects,
                              .authorization = authorization,
                              .flow_control = flow_control,
                              .health = health}));
    plugins_matter = true;
    health_handler = std::make_unique<api::HealthHandler>(
        health, metrics,
        api::VersionInfo{.keelson_version = keelson_version, .revision = {}, .build_date = {}});

    api::ChainParts parts{.authentication = authentication,
                          .authorization = authorization,
                          .flow_control = flow_control,
                          .metrics = metrics,
                          .audit_log = [this] {
                              const std::lock_guard lock(mutex);
                              return audit;
                          }};
    api::ServerOptions options;
    options.limits.connections = config.max_connections;
    server = std::make_unique<api::Server>(std::move(listener), std::move(tls), options, *executor,
                                           api::make_chain(std::move(parts), make_handler()));
    add_server_metrics();
    KEELSON_TRY(administration, start_administration({.config = config,
                                                      .credentials = credentials,
                                                      .data_directory = data.path(),
                                                      .authentication = authentication,
                                                      .health = health,
                                                      .plugins = *plugins,
                                                      .store = *wiring.store,
                                                      .metrics = metrics,
                                                      .executor = *executor}));
    server->start();
    schedule_renewal();
    memory_keeper.emplace(*executor, MemoryKeeper::own());
    return base::ok();
}

// A plugin that cannot be loaded is listed as such; the daemon starts in any case.
void App::Impl::start_plugins() {
    plugin::Listener listener;
    listener.changed = [this](const std::string& name) {
        if (plugins_matter) wiring.plugin_changed(name);
    };
    listener.reconcile = [this](const std::string&, const std::string& key) {
        if (plugins_matter) wiring.plugin_reconcile(key);
    };
    listener.event = [this](const std::string& name, const std::string& event) {
        if (plugins_matter) wiring.plugin_event(name, event);
    };
    plugin::HostSettings settings = plugin_host_settings(config, data.path());
    settings.objects = &plugin_objects;
    // There to be dropped into.
    if (config.plugins.directory.empty())
        if (auto made = base::make_directory(settings.directory, 0755); !made)
            base::log_error("cannot make the plugin directory", {{"error", made.error()}});
    plugins = plugin::make_plugin_host(std::move(settings), *executor, metrics, std::move(listener));
    base::sync_wait(*executor, plugins->start());
}

Result<void> App::Impl::know_own_certificates() {
    KEELSON_TRY(const auto fingerprint, fingerprint_of(credentials.admin.certificate));
    own_certificates->set_fingerprints({fingerprint});
    return base::ok();
}

api::ContextHandler App::Impl::make_handler() {
    return [this](api::Exchange& exchange, api::RequestContext& context) -> base::Task<void> {
        if (!context.info.is_resource_request && health_handler->handle(exchange)) co_return;
        co_await wiring.kubernetes(exchange, context);
    };
}

void App::Impl::add_server_metrics() {
    metrics.on_collect([this](base::Metrics& all) {
        const api::ServerStatistics now = server->statistics();
        all.gauge("keelson_api_connections", "Open connections.").set(static_cast<double>(now.connections));
        all.gauge("keelson_api_connections_refused", "Connections refused for want of room.")
            .set(static_cast<double>(now.refused));
        all.gauge("keelson_api_connections_evicted", "Idle connections closed to make room.")
            .set(static_cast<double>(now.evicted));
        all.gauge("keelson_api_handshake_failures", "TLS handshakes that failed.")
            .set(static_cast<double>(now.handshake_failures));
        for (const access::LevelStatistics& level : flow_control.statistics()) {
            const base::MetricLabels labels{{"priority_level", level.level}};
            all.gauge("apiserver_flowcontrol_current_executing_requests", "Requests that hold a seat.",
                      labels)
                .set(level.executing);
            all.gauge("apiserver_flowcontrol_current_inqueue_requests", "Requests that wait for a seat.",
                      labels)
                .set(level.waiting);
            all.gauge("apiserver_flowcontrol_rejected_requests", "Requests rejected so far.", labels)
                .set(static_cast<double>(level.rejected));
        }
    });
}

void App::Impl::schedule_renewal() {
    const base::Duration due = credentials.renew_at - executor->clock().wall_now();
    const base::Duration pause = std::clamp(due, shortest_renewal_pause, longest_renewal_pause);
    renewal = executor->post_after(pause, [this] { executor->run_blocking([this] { renew(); }); });
}

// Wall clocks jump: what is due is asked anew at every pass, never remembered.
void App::Impl::renew() {
    const std::lock_guard lock(mutex);
    auto renewed = ensure_credentials(credential_options, executor->clock());
    if (!renewed) {
        base::log_error("cannot renew certificates", {{"error", renewed.error()}});
    } else {
        credentials = std::move(*renewed);
        if (auto known = know_own_certificates(); !known)
            base::log_error("cannot use the renewed admin certificate", {{"error", known.error()}});
        if (credentials.server_changed) {
            if (auto tls = make_tls(credentials)) {
                server->set_tls(std::move(*tls));
                base::log_info("the server certificate has been renewed");
                if (auto replaced = administration->replace_tls(admin_tls(credentials)); !replaced)
                    base::log_error("the admin API cannot use it", {{"error", replaced.error()}});
            } else {
                base::log_error("cannot use the renewed certificate", {{"error", tls.error()}});
            }
        }
    }
    schedule_renewal();
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

App::~App() {
    stop();
}

Result<std::unique_ptr<App>> App::start(const Config& config) {
    KEELSON_TRY_VOID(check_named_files(config));
    auto listener = api::Listener::open(config.api_address, config.api_port);
    if (!listener) {
        Status status = std::move(listener).error();
        return Status(Reason::bad_request,
                      status.message() + "; stop what listens there, or choose another port with --api-port");
    }
    if (config.admin_port != 0) {
        // Only looked at here, before anything is changed; the admin API binds it later.
        auto free = api::Listener::open(config.admin_address, config.admin_port);
        if (!free)
            return Status(Reason::bad_request,
                          free.error().message() +
                              "; stop what listens there, or choose another port for the "
                              "admin API with --admin-port");
    }
    KEELSON_TRY(DataDirectory data, DataDirectory::enter(config.data_directory));
    raise_descriptor_limit();
    auto app = std::unique_ptr<App>(new App(std::make_unique<Impl>(config, std::move(data))));
    KEELSON_TRY_VOID(app->impl_->start(std::move(*listener)));
    return app;
}

std::uint16_t App::api_port() const {
    return impl_->server->port();
}

std::uint16_t App::admin_port() const {
    return impl_->administration->port();
}

Result<void> App::reload(const Config& config) {
    Impl& impl = *impl_;
    KEELSON_TRY_VOID(check_token_file(config));
    KEELSON_TRY(auto audit, open_audit(config, *impl.executor));
    KEELSON_TRY_VOID(base::configure_log(config.log));
    base::sync_wait(*impl.executor,
                    impl.plugins->apply(wanted_plugins(config, known_proxies(impl.data.path()))));
    impl.wiring.reload(config);
    // It would see a new file by itself, but not at once.
    if (impl.plugins->find("token")) {
        auto reloaded = base::sync_wait(*impl.executor, impl.plugins->reload("token"));
        if (!reloaded) base::log_error("the token plugin was not reloaded", {{"error", reloaded.error()}});
    }
    {
        const std::lock_guard lock(impl.mutex);
        impl.audit = std::move(audit);
        impl.credential_options.server_names = names_of_server(config);
        if (impl.renewal) impl.renewal->cancel();
    }
    Config remaining = config;
    remaining.token_file = impl.config.token_file;
    remaining.network.proxy = impl.config.network.proxy;
    remaining.plugins.entries = impl.config.plugins.entries;
    remaining.audit_policy_file = impl.config.audit_policy_file;
    remaining.audit_log_path = impl.config.audit_log_path;
    remaining.server_names = impl.config.server_names;
    remaining.log = impl.config.log;
    if (!(remaining == impl.config)) base::log_warning("some changes of the configuration need a restart");
    impl.renew();
    return base::ok();
}

void App::stop() {
    Impl& impl = *impl_;
    if (std::exchange(impl.stopped, true)) return;
    impl.memory_keeper.reset();
    {
        const std::lock_guard lock(impl.mutex);
        if (impl.renewal) impl.renewal->cancel();
    }
    if (impl.server) {
        const std::size_t cut_off = impl.server->stop(drain_time);
        if (cut_off > 0) base::log_warning("connections were cut off", {{"count", cut_off}});
    }
    if (impl.administration) impl.administration->stop();
    impl.plugins_matter = false;
    // Isolated ones stay: their data paths flow on, and the next start finds them.
    if (impl.plugins) base::sync_wait(*impl.executor, impl.plugins->stop(false));
    if (impl.wiring.stop) impl.wiring.stop();
    impl.executor->stop();
}

void notify_service_manager(const std::string& state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path)
        return;
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path);
    const socklen_t length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const base::FileDescriptor descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (descriptor)
        ::sendto(descriptor.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace keelson::daemon
