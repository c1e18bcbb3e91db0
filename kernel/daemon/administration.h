// The admin API of this daemon: what it may see and do.
#pragma once

#include <memory>
#include <string>

#include "kernel/access/authentication.h"
#include "kernel/admin/admin.h"
#include "kernel/api/health_handler.h"
#include "kernel/base/executor.h"
#include "kernel/base/metrics.h"
#include "kernel/base/result.h"
#include "kernel/daemon/config.h"
#include "kernel/daemon/credentials.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/store/store.h"

namespace keelson::daemon {

// References as in admin::AdminParts.
struct AdministrationParts {
    const Config& config;
    const Credentials& credentials;
    const std::string& data_directory;
    const access::Authentication& authentication;
    api::HealthChecks& health;
    plugin::PluginHost& plugins;
    store::Store& store;
    base::Metrics& metrics;
    base::Executor& executor;
};
[[nodiscard]] base::Result<std::unique_ptr<admin::AdminServer>> start_administration(
    const AdministrationParts& parts);

[[nodiscard]] admin::TlsMaterial admin_tls(const Credentials& credentials);

// The configuration as it is in force, as JSON; configurations of plugins may hold secrets and are left out.
[[nodiscard]] std::string effective_config(const Config& config);

}  // namespace keelson::daemon
