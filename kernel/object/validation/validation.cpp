#include "kernel/object/validation/validation.h"

#include <algorithm>

#include "kernel/object/validation/kinds.h"

namespace keelson::object {

namespace validation {

namespace {

void check_nothing(FieldErrors&, const Request&) {}

// Sorted by type.
constexpr KindEntry kEntries[] = {
    {"admissionregistration/v1.MutatingAdmissionPolicy", check_admission_policy},
    {"admissionregistration/v1.MutatingAdmissionPolicyBinding", check_admission_policy_binding},
    {"admissionregistration/v1.MutatingWebhookConfiguration", check_mutating_webhooks},
    {"admissionregistration/v1.ValidatingAdmissionPolicy", check_admission_policy},
    {"admissionregistration/v1.ValidatingAdmissionPolicyBinding", check_admission_policy_binding},
    {"admissionregistration/v1.ValidatingWebhookConfiguration", check_validating_webhooks},
    {"apiextensions/v1.CustomResourceDefinition", check_custom_resource_definition},
    {"apiregistration/v1.APIService", check_api_service},
    {"apps/v1.ControllerRevision", check_controller_revision},
    {"apps/v1.DaemonSet", check_daemon_set},
    {"apps/v1.Deployment", check_deployment},
    {"apps/v1.ReplicaSet", check_replica_set},
    {"apps/v1.StatefulSet", check_stateful_set},
    {"authentication/v1.SelfSubjectReview", check_nothing},
    {"authentication/v1.TokenRequest", check_token_request},
    {"authentication/v1.TokenReview", check_nothing},
    {"authorization/v1.LocalSubjectAccessReview", check_local_subject_access_review},
    {"authorization/v1.SelfSubjectAccessReview", check_self_subject_access_review},
    {"authorization/v1.SelfSubjectRulesReview", check_nothing},
    {"authorization/v1.SubjectAccessReview", check_subject_access_review},
    {"autoscaling/v1.HorizontalPodAutoscaler", check_horizontal_pod_autoscaler_v1},
    {"autoscaling/v1.Scale", check_scale},
    {"autoscaling/v2.HorizontalPodAutoscaler", check_horizontal_pod_autoscaler_v2},
    {"batch/v1.CronJob", check_cron_job},
    {"batch/v1.Job", check_job},
    {"certificates/v1.CertificateSigningRequest", check_certificate_request},
    {"coordination/v1.Lease", check_lease},
    {"core/v1.Binding", check_binding},
    {"core/v1.ConfigMap", check_config_map},
    {"core/v1.Endpoints", check_endpoints},
    {"core/v1.Event", check_event},
    {"core/v1.LimitRange", check_limit_range},
    {"core/v1.Namespace", check_name_space},
    {"core/v1.Node", check_node},
    {"core/v1.PersistentVolume", check_persistent_volume},
    {"core/v1.PersistentVolumeClaim", check_claim},
    {"core/v1.Pod", check_pod},
    {"core/v1.PodTemplate", check_pod_template},
    {"core/v1.ReplicationController", check_replication_controller},
    {"core/v1.ResourceQuota", check_resource_quota},
    {"core/v1.Secret", check_secret},
    {"core/v1.Service", check_service},
    {"core/v1.ServiceAccount", check_service_account},
    {"discovery/v1.EndpointSlice", check_endpoint_slice},
    {"events/v1.Event", check_events_event},
    {"flowcontrol/v1.FlowSchema", check_flow_schema},
    {"flowcontrol/v1.PriorityLevelConfiguration", check_priority_level},
    {"networking/v1.IPAddress", check_ip_address},
    {"networking/v1.Ingress", check_ingress},
    {"networking/v1.IngressClass", check_ingress_class},
    {"networking/v1.NetworkPolicy", check_network_policy},
    {"networking/v1.ServiceCIDR", check_service_cidr},
    {"node/v1.RuntimeClass", check_runtime_class},
    {"policy/v1.PodDisruptionBudget", check_disruption_budget},
    {"rbac/v1.ClusterRole", check_cluster_role},
    {"rbac/v1.ClusterRoleBinding", check_cluster_role_binding},
    {"rbac/v1.Role", check_role},
    {"rbac/v1.RoleBinding", check_role_binding},
    {"resource/v1.DeviceClass", check_device_class},
    {"resource/v1.ResourceClaim", check_resource_claim},
    {"resource/v1.ResourceClaimTemplate", check_resource_claim_template},
    {"resource/v1.ResourceSlice", check_resource_slice},
    {"scheduling/v1.PriorityClass", check_priority_class},
    {"storage/v1.CSIDriver", check_csi_driver},
    {"storage/v1.CSINode", check_csi_node},
    {"storage/v1.CSIStorageCapacity", check_csi_capacity},
    {"storage/v1.StorageClass", check_storage_class},
    {"storage/v1.VolumeAttachment", check_volume_attachment},
    {"storage/v1.VolumeAttributesClass", check_volume_attributes_class},
};
static_assert(std::ranges::is_sorted(kEntries, {}, &KindEntry::type));

}  // namespace

KindCheck find_kind_check(std::string_view type) {
    auto found = std::ranges::lower_bound(kEntries, type, {}, &KindEntry::type);
    return found != std::end(kEntries) && found->type == type ? found->check : nullptr;
}

}  // namespace validation

FieldErrors validate_create(const Resource& resource, Value object, Arena& arena) {
    validation::Request request{object, Value(), {}, resource.namespaced, &arena};
    FieldErrors errors;
    if (validation::KindCheck check = validation::find_kind_check(resource.type->id))
        check(errors, request);
    else
        validation::validate_plain_object_meta(errors, request, name_is_dns_subdomain);
    return errors;
}

FieldErrors validate_update(const Resource& resource, Value object, Value old, std::string_view subresource,
                            Arena& arena) {
    validation::Request request{object, old, subresource, resource.namespaced, &arena};
    FieldErrors errors;
    // Every update checks the metadata before the kind's own rules do it again; the causes show both.
    validation::validate_object_meta_update(errors, request);
    if (validation::KindCheck check = validation::find_kind_check(resource.type->id)) check(errors, request);
    return errors;
}

}  // namespace keelson::object
