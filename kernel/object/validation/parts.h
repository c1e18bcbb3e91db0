// Checks that several kinds share. Each adds its errors to `errors`; `path` is where the value stands.
#pragma once

#include <string_view>
#include <vector>

#include "kernel/object/field_errors.h"
#include "kernel/object/names.h"
#include "kernel/object/quantity.h"
#include "kernel/object/value.h"

namespace keelson::object::validation {

using NameCheck = Messages (*)(std::string_view name, bool prefix);

// What one validation works on. `old` is absent on create.
struct Request {
    Value object;
    Value old;
    std::string_view subresource;
    bool namespaced = false;
    Arena* arena = nullptr;

    [[nodiscard]] bool is_update() const { return old.is_set(); }
    [[nodiscard]] Value spec() const { return object["spec"]; }
    [[nodiscard]] Value old_spec() const { return old["spec"]; }
};

// Calls function(item, path of the item) for each item of a list member.
template <typename Function>
void each(Value object, std::string_view name, const FieldPath& path, Function function) {
    auto items = object[name].items();
    for (std::size_t i = 0; i < items.size(); ++i) function(items[i], path.item(name, i));
}

// Values that are equal once absent and empty lists and maps are the same.
[[nodiscard]] bool same(Value a, Value b);
[[nodiscard]] bool contains(Value list, std::string_view text);

constexpr std::string_view kImmutable = "field is immutable";
constexpr std::string_view kNotNegative = "must be greater than or equal to 0";

void not_negative(FieldErrors& errors, const FieldPath& path, Value number);
void immutable(FieldErrors& errors, const FieldPath& path, Value value, Value old, bool map = false);
// The member must be one of the allowed texts; an empty one is Required when `required`.
void one_of(FieldErrors& errors, const FieldPath& path, std::string_view text,
            std::initializer_list<std::string_view> allowed);

// Metadata.
void validate_object_meta(FieldErrors& errors, const Request& request, NameCheck check);
// Without the check of finalizer names that only Kubernetes' own kinds have.
void validate_plain_object_meta(FieldErrors& errors, const Request& request, NameCheck check);
void validate_object_meta_update(FieldErrors& errors, const Request& request);
void validate_labels(FieldErrors& errors, const FieldPath& path, Value labels);
void validate_annotations(FieldErrors& errors, const FieldPath& path, Value annotations);
void validate_label_key(FieldErrors& errors, const FieldPath& path, std::string_view key);
void validate_label_selector(FieldErrors& errors, const FieldPath& path, Value selector,
                             bool allow_invalid_values = false);
[[nodiscard]] bool selector_is_empty(Value selector);
[[nodiscard]] bool selector_matches(Value selector, Value labels);
// Whether its keys, operators and values can be used at all.
[[nodiscard]] bool selector_is_valid(Value selector);
// A map of labels as a selector.
[[nodiscard]] bool labels_match(Value selector, Value labels);
void validate_conditions(FieldErrors& errors, const FieldPath& path, Value conditions);

void dns1123_label(FieldErrors& errors, const FieldPath& path, std::string_view text);
void dns1123_subdomain(FieldErrors& errors, const FieldPath& path, std::string_view text);
void qualified_name(FieldErrors& errors, const FieldPath& path, std::string_view text);

// "5" or "10%": the number, or -1 for a percentage; the percentage in `percent`.
void validate_positive_int_or_percent(FieldErrors& errors, const FieldPath& path, Value value);
void validate_not_more_than_100_percent(FieldErrors& errors, const FieldPath& path, Value value);
[[nodiscard]] std::int64_t int_or_percent_value(Value value);

// Quantities.
[[nodiscard]] Quantity quantity_of(Value value);
void validate_not_negative_quantity(FieldErrors& errors, const FieldPath& path, Value value);
void validate_resource_quantity(FieldErrors& errors, const FieldPath& path, std::string_view resource,
                                Value value);
void validate_resource_name(FieldErrors& errors, const FieldPath& path, std::string_view name);
void validate_container_resource_name(FieldErrors& errors, const FieldPath& path, std::string_view name);
void validate_resource_requirements(FieldErrors& errors, const FieldPath& path, Value requirements,
                                    Value claim_names);
[[nodiscard]] bool is_native_resource(std::string_view name);
[[nodiscard]] bool is_extended_resource(std::string_view name);
[[nodiscard]] bool is_integer_resource(std::string_view name);
[[nodiscard]] bool is_standard_container_resource(std::string_view name);
[[nodiscard]] bool is_hugepages(std::string_view name);

// Pods.
struct PodOptions {
    bool is_template = false;  // of a workload, not a Pod
    bool is_update = false;
    std::string_view pod_name;  // of a Pod
};
// The volumes without errors: only those can be mounted.
using Volumes = std::vector<Value>;
struct PodContext {
    const PodOptions& options;
    Value spec;
    Volumes volumes;
    std::int64_t grace_period = 0;
    bool host_users = true;
};
void validate_pod_spec(FieldErrors& errors, const FieldPath& path, Value spec, const PodOptions& options);
void validate_pod_template(FieldErrors& errors, const FieldPath& path, Value pod_template);
// The image names, which templates may spell more freely.
void validate_pod_only(FieldErrors& errors, const FieldPath& path, Value spec);
void validate_affinity(FieldErrors& errors, const FieldPath& path, Value affinity);
void validate_node_selector(FieldErrors& errors, const FieldPath& path, Value selector);
void validate_node_selector_term(FieldErrors& errors, const FieldPath& path, Value term);
void validate_topology_selector_terms(FieldErrors& errors, const FieldPath& path, Value terms);
void validate_tolerations(FieldErrors& errors, const FieldPath& path, Value tolerations);
void validate_taint_effect(FieldErrors& errors, const FieldPath& path, std::string_view effect,
                           bool allow_empty);
void validate_topology_spread(FieldErrors& errors, const FieldPath& path, Value constraints);
[[nodiscard]] Volumes validate_volumes(FieldErrors& errors, const FieldPath& path, Value spec,
                                       const PodOptions& options);
void validate_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod);
void validate_init_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod);
void validate_ephemeral_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod);
void validate_environment(FieldErrors& errors, const FieldPath& path, Value container,
                          const Volumes& volumes);
void validate_field_reference(FieldErrors& errors, const FieldPath& path, Value reference, bool in_volume);
void validate_resource_field_reference(FieldErrors& errors, const FieldPath& path, Value reference,
                                       bool in_volume);
void validate_mounts(FieldErrors& errors, const FieldPath& path, Value container, const Volumes& volumes);
void validate_probes(FieldErrors& errors, const FieldPath& path, Value container, std::int64_t grace_period);
void validate_lifecycle(FieldErrors& errors, const FieldPath& path, Value lifecycle,
                        std::int64_t grace_period);
void validate_container_security(FieldErrors& errors, const FieldPath& path, Value context, bool host_users);
void validate_pod_security(FieldErrors& errors, const FieldPath& path, Value spec, const PodOptions& options);
void validate_dns(FieldErrors& errors, const FieldPath& path, Value spec);
void validate_operating_system(FieldErrors& errors, const FieldPath& path, Value spec);
void validate_port_number_or_name(FieldErrors& errors, const FieldPath& path, Value port);
void validate_pull_policy(FieldErrors& errors, const FieldPath& path, std::string_view policy);
void validate_item_path(FieldErrors& errors, const FieldPath& path, std::string_view text);
void validate_no_backsteps(FieldErrors& errors, const FieldPath& path, std::string_view text);
void validate_descending_path(FieldErrors& errors, const FieldPath& path, std::string_view text);

// Volumes.
void validate_iscsi(FieldErrors& errors, const FieldPath& path, Value source, bool persistent);
void validate_legacy_volume(FieldErrors& errors, const FieldPath& path, std::string_view kind, Value source,
                            bool persistent);
void validate_host_path(FieldErrors& errors, const FieldPath& path, Value source);
void validate_nfs(FieldErrors& errors, const FieldPath& path, Value source);
void validate_csi_driver_name(FieldErrors& errors, const FieldPath& path, std::string_view name);
void validate_claim_spec(FieldErrors& errors, const FieldPath& path, Value spec, bool ephemeral);
void validate_persistent_volume_spec(FieldErrors& errors, const FieldPath& path, Value spec,
                                     std::string_view name, bool inline_spec);

// Why a cron schedule cannot be parsed; empty when it can.
[[nodiscard]] std::string cron_schedule_error(std::string_view schedule);

// Web hooks (admission, conversion).
void validate_webhook_url(FieldErrors& errors, const FieldPath& path, std::string_view url, bool force_https);
void validate_webhook_service(FieldErrors& errors, const FieldPath& path, Value service);

// "acme.io/foo"
void validate_domain_prefixed_path(FieldErrors& errors, const FieldPath& path, std::string_view text);
// A domain of at least `segments` parts.
void validate_fully_qualified_name(FieldErrors& errors, const FieldPath& path, std::string_view name);

// By kind; one file per group.
using KindCheck = void (*)(FieldErrors& errors, const Request& request);
struct KindEntry {
    std::string_view type;  // id of the type
    KindCheck check;
};
[[nodiscard]] KindCheck find_kind_check(std::string_view type);

}  // namespace keelson::object::validation
