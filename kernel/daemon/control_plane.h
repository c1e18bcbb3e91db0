// The reconcile loop and the scheduler of a running keelsond, on a thread of their own.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/control/metrics_source.h"
#include "kernel/daemon/certificates.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"

namespace keelson::daemon {

class ControlPlane {
  public:
    struct Parts {
        const std::set<std::string>& roles;    // "control", "scheduler"
        const std::string& root_certificates;  // PEM
        const std::vector<std::string>& pod_cidrs;
        const KeyAndCertificate& authority;
        const std::string& server;  // "https://192.0.2.1:6443"
        const std::string& dns_address;
        resource::Verbs& verbs;
        resource::Subresources& subresources;
        base::RandomSource& random;
        base::Metrics& metrics;
        plugin::PluginHost& plugins;     // make volumes
        control::MetricsSource& usages;  // what autoscalers go by
    };

    // Everything in `parts` outlives it. Starts in the background; does nothing without a role of its own.
    [[nodiscard]] static std::unique_ptr<ControlPlane> start(const Parts& parts);
    // Stops, and waits until nothing of it runs any more.
    virtual ~ControlPlane() = default;
};

}  // namespace keelson::daemon
