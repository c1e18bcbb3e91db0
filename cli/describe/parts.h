// The pieces that descriptions of several kinds share, and the kinds themselves.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/describe/describe.h"
#include "cli/describe/description.h"
#include "kernel/object/quantity.h"

namespace keelson::cli::describing {

struct Context {
    const Json& object;
    Related& related;
    const DescribeOptions& options;
    Description& out;
};

// Events about the object, at its end.
void write_events(const Context& context);
void write_event_list(Description& out, std::vector<Json> events, std::int64_t now);

// The value of a variable that comes from the pod or from a container's resources; empty where that is not
// known.
using Resolve = std::function<std::string(const Json& variable)>;
struct Containers {
    std::string_view label;  // "Containers"
    const Json& specs;
    const Json& statuses;
    std::string_view indent = "";
    const Json* pod = nullptr;  // resolves variables
};
void write_containers(Description& out, const Containers& containers);
void write_volumes(Description& out, const Json& volumes, std::string_view indent);
// "Type:" and what belongs to it, of a volume or of a persistent volume's source.
void write_volume_source(Description& out, const Json& source);
void write_claim_template(Description& out, const Json& claim);
void write_pod_template(Description& out, const Json& pod_template);
void write_topology_spread(Description& out, const Json& constraints, std::string_view indent);
void write_tolerations(Description& out, const Json& tolerations, std::string_view indent = "");
// Type, status and reason.
void write_short_conditions(Description& out, const Json& conditions);
// "1 Running / 0 Waiting / 0 Succeeded / 0 Failed" of the pods that the selector chooses and the object owns.
std::string pods_status(const Context& context, const Json& selector);
// A selector as a request has it.
std::string selector_query(const Json& selector);
// "RWO,ROX"
std::string access_modes(const Json& modes);
void write_quota_rows(Description& out, int level, const Json& quota);
void write_limit_rows(Description& out, std::string_view indent, const Json& limit_range);
// "web:80 (10.0.0.1:80,...)" of a backend of an ingress.
void write_requests(Description& out, int level, const Json& resources);

// Zero for what is no quantity.
object::Quantity quantity(const Json& value);
// What a pod asks for and may have: of "requests" or "limits".
object::Quantity pod_amount(const Json& pod, std::string_view which, const std::string& resource);

void describe_pod(const Context& context);
void describe_node(const Context& context);
void describe_service(const Context& context);
void describe_endpoints(const Context& context);
void describe_endpoint_slice(const Context& context);
void describe_ingress(const Context& context);
void describe_ingress_class(const Context& context);
void describe_network_policy(const Context& context);
void describe_deployment(const Context& context);
void describe_replica_set(const Context& context);
void describe_replication_controller(const Context& context);
void describe_stateful_set(const Context& context);
void describe_daemon_set(const Context& context);
void describe_job(const Context& context);
void describe_cron_job(const Context& context);
void describe_config_map(const Context& context);
void describe_secret(const Context& context);
void describe_namespace(const Context& context);
void describe_quota(const Context& context);
void describe_limit_range(const Context& context);
void describe_persistent_volume(const Context& context);
void describe_persistent_volume_claim(const Context& context);
void describe_storage_class(const Context& context);
void describe_service_account(const Context& context);
void describe_role(const Context& context);
void describe_role_binding(const Context& context);
void describe_signing_request(const Context& context);
void describe_autoscaler(const Context& context);
void describe_disruption_budget(const Context& context);
void describe_priority_class(const Context& context);
void describe_generic(const Context& context);

}  // namespace keelson::cli::describing
