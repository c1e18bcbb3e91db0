// Where the rooms are joined: given the parts that the daemon has made, returns what serves Kubernetes
// requests.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/access/authentication.h"
#include "kernel/access/authorization.h"
#include "kernel/access/flow_control.h"
#include "kernel/api/chain.h"
#include "kernel/api/health_handler.h"
#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/base/result.h"
#include "kernel/daemon/config.h"
#include "kernel/daemon/credentials.h"
#include "kernel/daemon/plugin_objects.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/store/store.h"

namespace keelson::daemon {

// All references live until after Wiring::stop has returned.
struct WireParts {
    const Config& config;
    const Credentials& credentials;
    const std::string& data_directory;
    std::uint16_t api_port;
    base::Executor& executor;
    base::RandomSource& random;
    base::Metrics& metrics;
    access::Authentication& authentication;  // more authenticators may be added here
    plugin::PluginHost& plugins;
    PluginObjects& plugin_objects;
    access::Authorization& authorization;
    access::FlowControl& flow_control;
    api::HealthChecks& health;
};

struct Wiring {
    // Every request that is neither health, version nor metrics.
    api::ContextHandler kubernetes;
    store::Store* store = nullptr;  // until stop
    // The plugins have changed: what they said no longer counts. Any thread.
    std::function<void(const std::string& plugin)> plugin_changed;
    // Takes over what of a configuration that was read again can change.
    std::function<void(const Config& config)> reload;
    // A plugin asks to look at something. Any thread; not after stop.
    std::function<void(const std::string& key)> plugin_reconcile;
    // A plugin tells something about an object. Any thread; not after stop.
    std::function<void(const std::string& plugin, const std::string& event_json)> plugin_event;
    // Called once, after the API server has stopped: ends what wire() has started and flushes. May be empty.
    std::function<void()> stop;
};

// Opens the store, starts what the roles ask for. A failure ends the daemon with exit code 1 and its message.
[[nodiscard]] base::Result<Wiring> wire(const WireParts& parts);

}  // namespace keelson::daemon
