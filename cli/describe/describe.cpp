#include "cli/describe/describe.h"

#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"

namespace keelson::cli::describing {
namespace {

struct Describer {
    std::string_view group;
    std::string_view kind;
    void (*describe)(const Context& context);
};

constexpr Describer kDescribers[] = {
    {"", "ConfigMap", describe_config_map},
    {"", "Endpoints", describe_endpoints},
    {"", "LimitRange", describe_limit_range},
    {"", "Namespace", describe_namespace},
    {"", "Node", describe_node},
    {"", "PersistentVolume", describe_persistent_volume},
    {"", "PersistentVolumeClaim", describe_persistent_volume_claim},
    {"", "Pod", describe_pod},
    {"", "ReplicationController", describe_replication_controller},
    {"", "ResourceQuota", describe_quota},
    {"", "Secret", describe_secret},
    {"", "Service", describe_service},
    {"", "ServiceAccount", describe_service_account},
    {"apps", "DaemonSet", describe_daemon_set},
    {"apps", "Deployment", describe_deployment},
    {"apps", "ReplicaSet", describe_replica_set},
    {"apps", "StatefulSet", describe_stateful_set},
    {"autoscaling", "HorizontalPodAutoscaler", describe_autoscaler},
    {"batch", "CronJob", describe_cron_job},
    {"batch", "Job", describe_job},
    {"certificates.k8s.io", "CertificateSigningRequest", describe_signing_request},
    {"discovery.k8s.io", "EndpointSlice", describe_endpoint_slice},
    {"networking.k8s.io", "Ingress", describe_ingress},
    {"networking.k8s.io", "IngressClass", describe_ingress_class},
    {"networking.k8s.io", "NetworkPolicy", describe_network_policy},
    {"policy", "PodDisruptionBudget", describe_disruption_budget},
    {"rbac.authorization.k8s.io", "ClusterRole", describe_role},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", describe_role_binding},
    {"rbac.authorization.k8s.io", "Role", describe_role},
    {"rbac.authorization.k8s.io", "RoleBinding", describe_role_binding},
    {"scheduling.k8s.io", "PriorityClass", describe_priority_class},
    {"storage.k8s.io", "StorageClass", describe_storage_class},
};

}  // namespace

std::string describe(const Json& object, Related& related, const DescribeOptions& options) {
    Description out;
    const Context context{object, related, options, out};
    const std::string version = text(object, {"apiVersion"});
    const std::size_t slash = version.find('/');
    const std::string group = slash == std::string::npos ? std::string() : version.substr(0, slash);
    const std::string kind = text(object, {"kind"});
    auto* describe_it = describe_generic;
    for (const Describer& describer : kDescribers)
        if (describer.kind == kind && describer.group == group) describe_it = describer.describe;
    describe_it(context);
    return out.take();
}

}  // namespace keelson::cli::describing
