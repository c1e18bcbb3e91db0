#include "kernel/daemon/administration.h"

#include <sys/un.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "kernel/access/identity.h"
#include "kernel/base/log.h"

namespace keelson::daemon {
namespace {

using base::Result;

// Not a lambda: a task that refers to what called it would outlive it.
base::Task<Result<admin::Caller>> identify(const access::Authentication* authentication,
                                           access::Credentials credentials) {
    auto asking = authentication->authenticate(std::move(credentials));
    auto identity = co_await asking;
    if (!identity) co_return std::move(identity).error();
    admin::Caller caller;
    caller.name = identity->user;
    caller.is_admin = identity->in_group(access::masters_group);
    co_return caller;
}

std::vector<admin::HealthItem> health_items(const api::HealthChecks& health) {
    std::vector<admin::HealthItem> items;
    for (api::HealthChecks::Outcome& outcome : health.run(false))
        items.push_back({std::move(outcome.name), outcome.passed, std::move(outcome.failure)});
    return items;
}

// Empty when the path is too long for a socket.
std::string socket_path(const std::string& data_directory) {
    std::string path = data_directory + "/run/admin.sock";
    if (path.size() < sizeof(sockaddr_un::sun_path)) return path;
    base::log_warning("the data directory's path is too long for the admin API's socket", {{"path", path}});
    return {};
}

std::string_view level_text(base::LogLevel level) {
    constexpr std::string_view kTexts[] = {"debug", "info", "warning", "error", "off"};
    return kTexts[static_cast<std::size_t>(level)];
}

nlohmann::json plugin_config(const PluginConfig& plugins) {
    nlohmann::json entries = nlohmann::json::array();
    for (const plugin::PluginSettings& plugin : plugins.entries) {
        nlohmann::json entry{{"name", plugin.name}, {"enabled", plugin.enabled}};
        if (!plugin.manifest_path.empty()) entry["manifest"] = plugin.manifest_path;
        if (!plugin.sha256.empty()) entry["sha256"] = plugin.sha256;
        if (plugin.isolation) entry["isolation"] = plugin::isolation_text(*plugin.isolation);
        if (!plugin.config.empty()) entry["config"] = "(hidden)";
        for (const plugin::ObjectAccess& access : plugin.objects)
            entry["objects"].push_back(
                {{"apiVersion", access.api_version}, {"resource", access.resource}, {"verbs", access.verbs}});
        entries.push_back(std::move(entry));
    }
    nlohmann::json keys = nlohmann::json::array();
    for (const plugin::TrustedKey& key : plugins.trusted_keys)
        keys.push_back({{"file", key.file}, {"vendor", key.vendor}});
    return {{"directory", plugins.directory},
            {"allowedDirectories", plugins.allowed_directories},
            {"trustedKeys", std::move(keys)},
            {"checkDocuments", plugins.check_documents},
            {"entries", std::move(entries)}};
}

}  // namespace

std::string effective_config(const Config& config) {
    return nlohmann::json{
        {"dataDirectory", config.data_directory},
        {"roles", config.roles},
        {"apiServer",
         {{"address", config.api_address},
          {"advertiseAddress", config.advertise_address},
          {"port", config.api_port},
          {"serverNames", config.server_names},
          {"tokenFile", config.token_file},
          {"serviceAccountIssuer", config.service_account_issuer},
          {"anonymous", config.anonymous},
          {"maxConnections", config.max_connections}}},
        {"admin", {{"address", config.admin_address}, {"port", config.admin_port}}},
        {"audit", {{"policyFile", config.audit_policy_file}, {"path", config.audit_log_path}}},
        {"plugins", plugin_config(config.plugins)},
        {"log",
         {{"level", level_text(config.log.level)},
          {"format", config.log.json ? "json" : "text"},
          {"path", config.log.path}}}}
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

admin::TlsMaterial admin_tls(const Credentials& credentials) {
    return {.certificate_chain = credentials.server.certificate,
            .private_key = credentials.server.key,
            .client_ca = credentials.authority.certificate};
}

Result<std::unique_ptr<admin::AdminServer>> start_administration(const AdministrationParts& parts) {
    auto level = std::make_shared<std::atomic<base::LogLevel>>(parts.config.log.level);
    admin::AdminParts admin{.plugins = parts.plugins,
                            .store = parts.store,
                            .metrics = parts.metrics,
                            .executor = parts.executor,
                            .authenticate = {},
                            .health = {},
                            .config = {},
                            .log_level = {},
                            .set_log_level = {},
                            .tls = admin_tls(parts.credentials),
                            .address = parts.config.admin_address,
                            .port = parts.config.admin_port,
                            .socket_path = socket_path(parts.data_directory),
                            .data_directory = parts.data_directory,
                            .upload_directory = {},
                            .limits = {}};
    admin.authenticate = [authentication = &parts.authentication](access::Credentials credentials) {
        return identify(authentication, std::move(credentials));
    };
    admin.health = [health = &parts.health] { return health_items(*health); };
    admin.config = [config = &parts.config] { return effective_config(*config); };
    admin.log_level = [level] { return level->load(); };
    admin.set_log_level = [level](base::LogLevel wanted) {
        *level = wanted;
        base::set_log_level(wanted);
    };
    return admin::AdminServer::start(std::move(admin));
}

}  // namespace keelson::daemon
