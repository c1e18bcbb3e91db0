// The collections that the kernel's own parts look at.
#pragma once

#include "kernel/client/informer.h"

namespace keelson::client::collections {

inline constexpr Collection config_maps{"", "v1", "configmaps"};
inline constexpr Collection endpoints{"", "v1", "endpoints"};
inline constexpr Collection events{"", "v1", "events"};
inline constexpr Collection limit_ranges{"", "v1", "limitranges"};
inline constexpr Collection namespaces{"", "v1", "namespaces"};
inline constexpr Collection nodes{"", "v1", "nodes"};
inline constexpr Collection persistent_volume_claims{"", "v1", "persistentvolumeclaims"};
inline constexpr Collection persistent_volumes{"", "v1", "persistentvolumes"};
inline constexpr Collection pods{"", "v1", "pods"};
inline constexpr Collection pod_templates{"", "v1", "podtemplates"};
inline constexpr Collection replication_controllers{"", "v1", "replicationcontrollers"};
inline constexpr Collection resource_quotas{"", "v1", "resourcequotas"};
inline constexpr Collection secrets{"", "v1", "secrets"};
inline constexpr Collection service_accounts{"", "v1", "serviceaccounts"};
inline constexpr Collection services{"", "v1", "services"};
inline constexpr Collection controller_revisions{"apps", "v1", "controllerrevisions"};
inline constexpr Collection daemon_sets{"apps", "v1", "daemonsets"};
inline constexpr Collection deployments{"apps", "v1", "deployments"};
inline constexpr Collection replica_sets{"apps", "v1", "replicasets"};
inline constexpr Collection stateful_sets{"apps", "v1", "statefulsets"};
inline constexpr Collection horizontal_pod_autoscalers{"autoscaling", "v2", "horizontalpodautoscalers"};
inline constexpr Collection cron_jobs{"batch", "v1", "cronjobs"};
inline constexpr Collection jobs{"batch", "v1", "jobs"};
inline constexpr Collection leases{"coordination.k8s.io", "v1", "leases"};
inline constexpr Collection endpoint_slices{"discovery.k8s.io", "v1", "endpointslices"};
inline constexpr Collection pod_disruption_budgets{"policy", "v1", "poddisruptionbudgets"};
inline constexpr Collection cluster_roles{"rbac.authorization.k8s.io", "v1", "clusterroles"};
inline constexpr Collection priority_classes{"scheduling.k8s.io", "v1", "priorityclasses"};
inline constexpr Collection csi_nodes{"storage.k8s.io", "v1", "csinodes"};
inline constexpr Collection storage_classes{"storage.k8s.io", "v1", "storageclasses"};

}  // namespace keelson::client::collections
