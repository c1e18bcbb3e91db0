#include "kernel/daemon/wire.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "kernel/access/identity.h"
#include "kernel/access/node_authorizer.h"
#include "kernel/access/plugin_authenticator.h"
#include "kernel/access/rbac_authorizer.h"
#include "kernel/access/token_issuer.h"
#include "kernel/admin/staged_restore.h"
#include "kernel/api/kubernetes_handler.h"
#include "kernel/api/metrics_source.h"
#include "kernel/api/node_gate.h"
#include "kernel/api/openid_handler.h"
#include "kernel/base/log.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/daemon/control_plane.h"
#include "kernel/daemon/network_role.h"
#include "kernel/daemon/node_role.h"
#include "kernel/daemon/plugin_events.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/resource/bootstrap_token_authenticator.h"
#include "kernel/resource/node_relations.h"
#include "kernel/resource/role_guard.h"
#include "kernel/resource/service_account_authenticator.h"
#include "kernel/resource/signer_guard.h"
#include "kernel/resource/stored_rbac.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"
#include "kernel/store/lmdb.h"

namespace keelson::daemon {
namespace {

class Nodes final : public api::NodeGate {
  public:
    // Both before the first request, and before controllers ask.
    void set(NodeRole& role) {
        name_ = role.name();
        node_.emplace(Node{role.streams(), role.agent()});
    }
    void set(std::shared_ptr<const api::ClientTls> tls) { tls_ = std::move(tls); }
    [[nodiscard]] const Node* find(const std::string& node_name) override {
        return node_ && node_name == name_ ? &*node_ : nullptr;
    }
    [[nodiscard]] std::shared_ptr<const api::ClientTls> client_tls() override { return tls_; }

  private:
    std::string name_;
    std::optional<Node> node_;
    std::shared_ptr<const api::ClientTls> tls_;
};

// Everything that serves requests, in the order in which it is built; torn down the other way round.
struct Rooms {
    std::unique_ptr<store::Store> store;
    std::unique_ptr<resource::Verbs> verbs;
    std::unique_ptr<resource::Subresources> subresources;
    std::unique_ptr<resource::StoredNodeRelations> node_relations;
    std::unique_ptr<resource::StoredRbac> rbac;
    std::unique_ptr<resource::RoleGuard> role_guard;
    std::unique_ptr<resource::SignerGuard> signer_guard;
    std::shared_ptr<access::PluginAuthenticator> authenticator;
    std::unique_ptr<access::PluginTokenIssuer> issuer;
    std::unique_ptr<api::OpenIdHandler> openid;
    Nodes nodes;
    std::unique_ptr<api::KubernetesHandler> handler;
    std::unique_ptr<client::Client> node_client;
    std::shared_ptr<NodeRole> node;
    std::shared_ptr<NetworkRole> network;
    std::shared_ptr<PluginEvents> plugin_events;
    std::unique_ptr<control::MetricsSource> usages;
    std::unique_ptr<ControlPlane> control_plane;
    std::mutex node_mutex;  // of these pointers: plugins speak from any thread
};

// For benchmarks: KEELSON_TEST_SYNC_DELAY_MS makes every sync of the store take that much longer.
store::LmdbOptions store_options_for_test_environment() {
    store::LmdbOptions options;
    if (const char* delay_ms = std::getenv("KEELSON_TEST_SYNC_DELAY_MS"))
        options.faults.sync_delay = std::chrono::milliseconds(std::clamp(std::atoi(delay_ms), 0, 10'000));
    return options;
}

// Answers name the flow schema and priority level by the uids of their objects.
base::Result<void> name_flow_control(const resource::Lookup& lookup, access::FlowControl& flow_control) {
    constexpr std::string_view kGroup = "flowcontrol.apiserver.k8s.io";
    object::Arena arena;
    auto name_of = [](object::Value object) { return object["metadata"]["name"].to_string(); };
    auto uid_of = [](object::Value object) { return object["metadata"]["uid"].to_string(); };
    KEELSON_TRY_VOID(lookup.each(kGroup, "flowschemas", "", arena, [&](object::Value schema) {
        flow_control.set_schema_uid(name_of(schema), uid_of(schema));
    }));
    return lookup.each(kGroup, "prioritylevelconfigurations", "", arena, [&](object::Value level) {
        flow_control.set_level_uid(name_of(level), uid_of(level));
    });
}

// Where the rest of the cluster reaches the API.
std::string advertised_server(const WireParts& parts) {
    const std::string& address = parts.config.advertise_address;
    const std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
    return "https://" + host + ":" + std::to_string(parts.api_port);
}

// Who is asking is for the plugins to say, but for the kernel's own credentials, which are asked about
// before.
void wire_access(const WireParts& parts, Rooms& rooms) {
    const std::string& issuer = parts.config.service_account_issuer;
    auto having = [&plugins = parts.plugins](std::string_view capability) {
        return [&plugins, capability] { return plugins.with_capability(capability); };
    };
    access::PluginAuthenticatorSettings settings;
    settings.audiences = {issuer};
    base::Counter& stale = parts.metrics.counter("serviceaccount_stale_tokens_total",
                                                 "Cumulative stale projected service "
                                                 "account tokens used");
    settings.stale_token = [&stale] { stale.add(); };
    rooms.authenticator = std::make_shared<access::PluginAuthenticator>(
        having(access::authenticator_capability), parts.executor.clock(), std::move(settings));
    parts.authentication.set_audiences({issuer});
    parts.authentication.add(std::make_shared<resource::ServiceAccountAuthenticator>(
        rooms.authenticator, rooms.verbs->lookup(), parts.executor.clock()));
    rooms.issuer = std::make_unique<access::PluginTokenIssuer>(having(access::token_issuer_capability));
    resource::TokenSettings tokens;
    tokens.audiences = {issuer};
    rooms.subresources->issue_tokens(*rooms.issuer, std::move(tokens));
    rooms.openid =
        std::make_unique<api::OpenIdHandler>(*rooms.issuer, advertised_server(parts) + "/openid/v1/jwks");
    parts.authentication.add(std::make_shared<resource::BootstrapTokenAuthenticator>(rooms.verbs->lookup(),
                                                                                     parts.executor.clock()));
    rooms.node_relations = std::make_unique<resource::StoredNodeRelations>(rooms.verbs->lookup());
    parts.authorization.add(std::make_shared<access::NodeAuthorizer>(*rooms.node_relations));
    rooms.rbac = std::make_unique<resource::StoredRbac>(*rooms.store);
    parts.authorization.add(std::make_shared<access::RbacAuthorizer>(*rooms.rbac));
    rooms.role_guard = std::make_unique<resource::RoleGuard>(parts.authorization, *rooms.rbac);
    rooms.signer_guard = std::make_unique<resource::SignerGuard>(parts.authorization);
    rooms.verbs->guard(*rooms.role_guard, *rooms.signer_guard);
}

// What this API server shows to nodes. It is in no file: a new one is made at every start.
base::Result<std::shared_ptr<const api::ClientTls>> node_client_tls(const WireParts& parts) {
    const base::WallTime now = parts.executor.clock().wall_now();
    CertificateRequest request;
    request.common_name = "kube-apiserver-kubelet-client";
    request.organizations = {std::string(access::masters_group)};
    request.for_client = true;
    request.not_before = now - std::chrono::minutes(5);
    request.not_after = now + std::chrono::years(10);
    KEELSON_TRY(const KeyAndCertificate own, issue(parts.credentials.authority, request));
    return api::ClientTls::create({.authority = parts.credentials.authority.certificate,
                                   .certificate = own.certificate,
                                   .private_key = own.key});
}

api::ContextHandler make_handler(const std::shared_ptr<Rooms>& rooms) {
    return [rooms, kubernetes = rooms->handler->handler()](api::Exchange& exchange,
                                                           api::RequestContext& context) -> base::Task<void> {
        if (!context.info.is_resource_request && api::OpenIdHandler::handles(exchange.request()))
            return rooms->openid->handle(exchange);
        return kubernetes(exchange, context);
    };
}

}  // namespace

base::Result<Wiring> wire(const WireParts& parts) {
    auto rooms = std::make_shared<Rooms>();
    const std::string store_directory = parts.data_directory + "/store";
    KEELSON_TRY(const auto restored, admin::take_staged_restore(parts.data_directory, store_directory));
    if (restored) base::log_info("a snapshot has been restored", {{"revision", *restored}});
    KEELSON_TRY(rooms->store, store::open_lmdb_store(store_directory, store_options_for_test_environment()));
    rooms->verbs = std::make_unique<resource::Verbs>(*rooms->store, parts.executor.clock(), parts.random,
                                                     resource::NetworkSettings());
    rooms->subresources =
        std::make_unique<resource::Subresources>(*rooms->verbs, &parts.authorization, &parts.authentication);
    wire_access(parts, *rooms);
    resource::BootstrapSettings bootstrap;
    bootstrap.advertise_address = parts.config.advertise_address;
    bootstrap.api_port = parts.api_port;
    KEELSON_TRY_VOID(base::sync_wait(parts.executor, resource::bootstrap(*rooms->verbs, bootstrap)));
    // Now rather than at the first request. Without it nobody but administrators and the kernel's parts may
    // do anything.
    if (auto read = rooms->rbac->read([](const access::RbacPolicy&) {}); !read)
        base::log_error("roles and bindings cannot be read", {{"error", read.error()}});
    KEELSON_TRY_VOID(name_flow_control(rooms->verbs->lookup(), parts.flow_control));
    KEELSON_TRY(auto node_tls, node_client_tls(parts));
    rooms->nodes.set(std::move(node_tls));
    rooms->handler =
        std::make_unique<api::KubernetesHandler>(*rooms->verbs, *rooms->subresources, &rooms->nodes);
    parts.health.add("store", [store = rooms->store.get()]() -> base::Result<void> {
        if (!store->statistics().read_only) return base::ok();
        return base::Status(base::Reason::service_unavailable,
                            "the disk is full: only deletions are accepted");
    });
    rooms->node_client = client::make_in_process_client(*rooms->verbs, *rooms->subresources,
                                                        access::node_identity(node_name(parts.config)));
    rooms->plugin_events = PluginEvents::start(*rooms->node_client, parts.random, node_name(parts.config));
    rooms->node = NodeRole::start({.config = parts.config,
                                   .data_directory = parts.data_directory,
                                   .client = *rooms->node_client,
                                   .plugins = parts.plugins,
                                   .random = parts.random,
                                   .metrics = parts.metrics});
    if (rooms->node) {
        rooms->nodes.set(*rooms->node);
        rooms->network = NetworkRole::start({.config = parts.config,
                                             .data_directory = parts.data_directory,
                                             .node_name = rooms->node->name(),
                                             .node_addresses = rooms->node->addresses(),
                                             .client = *rooms->node_client,
                                             .plugins = parts.plugins,
                                             .executor = parts.executor,
                                             .random = parts.random,
                                             .metrics = parts.metrics});
    }
    // It asks the node what pods use.
    rooms->usages = api::make_metrics_source(rooms->verbs->lookup(), rooms->nodes);
    rooms->control_plane = ControlPlane::start({.roles = parts.config.roles,
                                                .root_certificates = parts.credentials.authority.certificate,
                                                .pod_cidrs = parts.config.network.pod_cidrs,
                                                .authority = parts.credentials.authority,
                                                .server = advertised_server(parts),
                                                .dns_address = cluster_dns_address(parts.config),
                                                .verbs = *rooms->verbs,
                                                .subresources = *rooms->subresources,
                                                .random = parts.random,
                                                .metrics = parts.metrics,
                                                .plugins = parts.plugins,
                                                .usages = *rooms->usages});
    parts.plugin_objects.begin(*rooms->verbs, *rooms->subresources);
    Wiring wiring;
    wiring.kubernetes = make_handler(rooms);
    wiring.store = rooms->store.get();
    wiring.plugin_changed = [rooms](const std::string& name) {
        rooms->authenticator->invalidate();
        const std::lock_guard lock(rooms->node_mutex);
        if (rooms->node) rooms->node->plugin_changed(name);
        if (rooms->network) rooms->network->plugin_changed(name);
    };
    wiring.reload = [rooms](const Config& config) {
        const std::lock_guard lock(rooms->node_mutex);
        if (rooms->network) rooms->network->reload(config);
    };
    wiring.plugin_reconcile = [rooms](const std::string& key) {
        const std::lock_guard lock(rooms->node_mutex);
        if (rooms->node) rooms->node->reconcile(key);
    };
    wiring.plugin_event = [rooms](const std::string& plugin, const std::string& event_json) {
        const std::lock_guard lock(rooms->node_mutex);
        if (rooms->plugin_events) rooms->plugin_events->take(plugin, event_json);
    };
    wiring.stop = [rooms, &objects = parts.plugin_objects] {
        objects.end();
        std::shared_ptr<NodeRole> node;
        std::shared_ptr<NetworkRole> network;
        std::shared_ptr<PluginEvents> events;
        {
            const std::lock_guard lock(rooms->node_mutex);
            node = std::move(rooms->node);
            network = std::move(rooms->network);
            events = std::move(rooms->plugin_events);
        }
        // Its controllers ask the node.
        rooms->control_plane.reset();
        events.reset();
        network.reset();
        node.reset();
        rooms->store->close();
    };
    return wiring;
}

}  // namespace keelson::daemon
