// The checks of each kind; the file that defines one is named after its API group or subject.
#pragma once

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

// Metadata on create or update, in the order that most kinds have: update rules, then the object's own.
void check_meta(FieldErrors& errors, const Request& request, NameCheck check);

#define KEELSON_KIND_CHECK(name) void name(FieldErrors& errors, const Request& request)
KEELSON_KIND_CHECK(check_pod);
KEELSON_KIND_CHECK(check_pod_template);
KEELSON_KIND_CHECK(check_service);
KEELSON_KIND_CHECK(check_endpoints);
KEELSON_KIND_CHECK(check_config_map);
KEELSON_KIND_CHECK(check_secret);
KEELSON_KIND_CHECK(check_service_account);
KEELSON_KIND_CHECK(check_name_space);
KEELSON_KIND_CHECK(check_node);
KEELSON_KIND_CHECK(check_persistent_volume);
KEELSON_KIND_CHECK(check_claim);
KEELSON_KIND_CHECK(check_resource_quota);
KEELSON_KIND_CHECK(check_limit_range);
KEELSON_KIND_CHECK(check_event);
KEELSON_KIND_CHECK(check_events_event);
KEELSON_KIND_CHECK(check_replication_controller);
KEELSON_KIND_CHECK(check_binding);
KEELSON_KIND_CHECK(check_deployment);
KEELSON_KIND_CHECK(check_replica_set);
KEELSON_KIND_CHECK(check_daemon_set);
KEELSON_KIND_CHECK(check_stateful_set);
KEELSON_KIND_CHECK(check_controller_revision);
KEELSON_KIND_CHECK(check_job);
KEELSON_KIND_CHECK(check_cron_job);
KEELSON_KIND_CHECK(check_horizontal_pod_autoscaler_v1);
KEELSON_KIND_CHECK(check_horizontal_pod_autoscaler_v2);
KEELSON_KIND_CHECK(check_scale);
KEELSON_KIND_CHECK(check_ingress);
KEELSON_KIND_CHECK(check_ingress_class);
KEELSON_KIND_CHECK(check_network_policy);
KEELSON_KIND_CHECK(check_service_cidr);
KEELSON_KIND_CHECK(check_ip_address);
KEELSON_KIND_CHECK(check_disruption_budget);
KEELSON_KIND_CHECK(check_role);
KEELSON_KIND_CHECK(check_cluster_role);
KEELSON_KIND_CHECK(check_role_binding);
KEELSON_KIND_CHECK(check_cluster_role_binding);
KEELSON_KIND_CHECK(check_storage_class);
KEELSON_KIND_CHECK(check_csi_driver);
KEELSON_KIND_CHECK(check_csi_node);
KEELSON_KIND_CHECK(check_volume_attachment);
KEELSON_KIND_CHECK(check_csi_capacity);
KEELSON_KIND_CHECK(check_volume_attributes_class);
KEELSON_KIND_CHECK(check_lease);
KEELSON_KIND_CHECK(check_endpoint_slice);
KEELSON_KIND_CHECK(check_priority_class);
KEELSON_KIND_CHECK(check_runtime_class);
KEELSON_KIND_CHECK(check_validating_webhooks);
KEELSON_KIND_CHECK(check_mutating_webhooks);
KEELSON_KIND_CHECK(check_admission_policy);
KEELSON_KIND_CHECK(check_admission_policy_binding);
KEELSON_KIND_CHECK(check_custom_resource_definition);
KEELSON_KIND_CHECK(check_api_service);
KEELSON_KIND_CHECK(check_flow_schema);
KEELSON_KIND_CHECK(check_priority_level);
KEELSON_KIND_CHECK(check_certificate_request);
KEELSON_KIND_CHECK(check_resource_claim);
KEELSON_KIND_CHECK(check_resource_claim_template);
KEELSON_KIND_CHECK(check_device_class);
KEELSON_KIND_CHECK(check_resource_slice);
KEELSON_KIND_CHECK(check_token_request);
KEELSON_KIND_CHECK(check_subject_access_review);
KEELSON_KIND_CHECK(check_self_subject_access_review);
KEELSON_KIND_CHECK(check_local_subject_access_review);
#undef KEELSON_KIND_CHECK

}  // namespace keelson::object::validation
