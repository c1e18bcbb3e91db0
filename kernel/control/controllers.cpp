#include "kernel/control/controllers.h"

#include "kernel/control/bootstrap_tokens.h"
#include "kernel/control/certificates.h"
#include "kernel/control/cluster_dns.h"
#include "kernel/control/cron_job.h"
#include "kernel/control/daemon_set.h"
#include "kernel/control/deployment.h"
#include "kernel/control/disruption.h"
#include "kernel/control/endpoints.h"
#include "kernel/control/garbage_collector.h"
#include "kernel/control/horizontal_pod_autoscaler.h"
#include "kernel/control/job.h"
#include "kernel/control/namespace.h"
#include "kernel/control/namespace_defaults.h"
#include "kernel/control/node_ipam.h"
#include "kernel/control/node_lifecycle.h"
#include "kernel/control/persistent_volumes.h"
#include "kernel/control/pod_gc.h"
#include "kernel/control/replica_set.h"
#include "kernel/control/resource_quota.h"
#include "kernel/control/role_aggregation.h"
#include "kernel/control/stateful_set.h"

namespace keelson::control {

void add_all_controllers(Engine& engine, const Surroundings& surroundings,
                         const ControllerSettings& settings) {
    engine.add(make_deployment_controller(surroundings));
    engine.add(make_replica_set_controller(surroundings));
    engine.add(make_replication_controller_controller(surroundings));
    engine.add(make_stateful_set_controller(surroundings));
    engine.add(make_daemon_set_controller(surroundings));
    engine.add(make_job_controller(surroundings));
    engine.add(make_ttl_after_finished_controller(surroundings));
    engine.add(make_cron_job_controller(surroundings));
    engine.add(make_disruption_controller(surroundings));
    if (settings.metrics)
        engine.add(make_horizontal_pod_autoscaler_controller(surroundings, *settings.metrics));
    engine.add(make_endpoint_slice_controller(surroundings));
    engine.add(make_endpoints_controller(surroundings));
    engine.add(make_endpoint_mirroring_controller(surroundings));
    engine.add(make_cluster_dns_controller(surroundings, settings.dns_address));
    engine.add(make_node_lifecycle_controller(surroundings));
    engine.add(make_node_ipam_controller(surroundings, settings.pod_cidrs), 1);
    engine.add(make_taint_eviction_controller(surroundings));
    engine.add(make_pod_gc_controller(surroundings));
    engine.add(make_persistent_volume_binder(surroundings));
    engine.add(make_claim_protection_controller(surroundings));
    engine.add(make_volume_protection_controller(surroundings));
    engine.add(make_ephemeral_volume_controller(surroundings));
    if (settings.volume_makers) engine.add(make_volume_provisioner(surroundings, *settings.volume_makers));
    engine.add(make_service_account_controller(surroundings));
    engine.add(make_root_certificate_controller(surroundings, settings.root_certificates));
    engine.add(make_role_aggregation_controller(surroundings), 1);
    if (!settings.authority.key.empty()) {
        engine.add(make_certificate_approving_controller(surroundings));
        engine.add(make_certificate_signing_controller(surroundings, settings.authority));
    }
    engine.add(make_certificate_cleaning_controller(surroundings));
    engine.add(make_token_cleaning_controller(surroundings));
    if (!settings.server.empty())
        engine.add(make_cluster_info_controller(surroundings, {settings.server, settings.root_certificates}),
                   1);
    // These look at the metadata of everything, and share what the others look at.
    engine.add(make_resource_quota_controller(surroundings));
    engine.add(make_namespace_controller(surroundings));
    engine.add(make_garbage_collector(surroundings), 32);
}

}  // namespace keelson::control
