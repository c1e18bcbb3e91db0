#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::size_t kParametersMost = 512;
constexpr std::size_t kParameterBytesMost = 256 << 10;

void validate_parameters(FieldErrors& errors, const FieldPath& path, Value parameters, bool required) {
    if (required && parameters.empty()) errors.required(path, "must contain at least one key/value pair");
    if (parameters.size() > kParametersMost)
        return errors.too_long(path, static_cast<std::int64_t>(kParametersMost));
    std::size_t total = 0;
    for (const Member& member : parameters.members()) {
        if (member.name.empty()) errors.invalid(path, member.name, "field can not be empty.");
        total += member.name.size() + member.value.size();
    }
    if (total > kParameterBytesMost) errors.too_long(path, static_cast<std::int64_t>(kParameterBytesMost));
}

void validate_provisioner(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    if (name.empty()) return errors.required(path);
    std::string lower = lower_case(name);
    errors.invalid_each(path, lower, is_qualified_name(lower));
}

BadValue printed_attachment(Value spec) {
    Value source = spec["source"];
    return BadValue::raw(
        "{\"Attacher\":" + go_quoted(spec["attacher"].as_string()) +
        ",\"Source\":{\"PersistentVolumeName\":" + BadValue(source["persistentVolumeName"]).text() +
        ",\"InlineVolumeSpec\":" + BadValue::go_structure(source["inlineVolumeSpec"]).text() +
        "},\"NodeName\":" + go_quoted(spec["nodeName"].as_string()) + "}");
}

void validate_attach_error(FieldErrors& errors, const FieldPath& path, Value error) {
    if (error["message"].size() > 1024) errors.too_long(path.child("message"), 1024);
}

}  // namespace

void check_storage_class(FieldErrors& errors, const Request& request) {
    Value object = request.object;
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        immutable(errors, FieldPath("parameters"), object["parameters"], request.old["parameters"], true);
        for (std::string_view name : {"provisioner", "reclaimPolicy", "volumeBindingMode"})
            immutable(errors, FieldPath(name), object[name], request.old[name]);
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_provisioner(errors, FieldPath("provisioner"), object["provisioner"].as_string());
    validate_parameters(errors, FieldPath("parameters"), object["parameters"], false);
    if (std::string_view policy = object["reclaimPolicy"].as_string(); !policy.empty())
        one_of(errors, FieldPath("reclaimPolicy"), policy, {"Delete", "Retain"});
    if (Value mode = object["volumeBindingMode"]; mode.is_unset())
        errors.required(FieldPath("volumeBindingMode"));
    else
        one_of(errors, FieldPath("volumeBindingMode"), mode.as_string(),
               {"Immediate", "WaitForFirstConsumer"});
    validate_topology_selector_terms(errors, FieldPath("allowedTopologies"), object["allowedTopologies"]);
}

void check_csi_driver(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (spec["attachRequired"].is_unset()) errors.required(path.child("attachedRequired"));
    if (spec["podInfoOnMount"].is_unset()) errors.required(path.child("podInfoOnMount"));
    if (Value policy = spec["fsGroupPolicy"]; policy.is_unset())
        errors.required(path.child("fsGroupPolicy"));
    else
        one_of(errors, path.child("fsGroupPolicy"), policy.as_string(),
               {"File", "None", "ReadWriteOnceWithFSType"});
    std::set<std::string_view> audiences;
    each(spec, "tokenRequests", path, [&](Value token, const FieldPath& at) {
        if (!audiences.insert(token["audience"].as_string()).second)
            errors.duplicate(at.child("audience"), token["audience"].as_string());
        Value seconds = token["expirationSeconds"];
        if (seconds.is_unset()) return;
        if (seconds.as_integer() < 600)
            errors.invalid(at.child("expirationSeconds"), seconds.as_integer(),
                           "may not specify a duration less than 10 minutes");
        if (seconds.as_integer() > (std::int64_t{1} << 32))
            errors.invalid(at.child("expirationSeconds"), seconds.as_integer(),
                           "may not specify a duration larger than 2^32 seconds");
    });
    for (Value mode : spec["volumeLifecycleModes"].items())
        one_of(errors, path.child("volumeLifecycleModes"), mode.as_string(), {"Ephemeral", "Persistent"});
    if (Value period = spec["nodeAllocatableUpdatePeriodSeconds"];
        period.is_set() && period.as_integer() < 10)
        errors.invalid(path.child("nodeAllocatableUpdatePeriodSeconds"), period.as_integer(),
                       "must be greater than or equal to 10 seconds");
    if (!request.is_update()) return;
    Value old = request.old_spec();
    immutable(errors, path.child("attachedRequired"), spec["attachRequired"], old["attachRequired"]);
    immutable(errors, path.child("volumeLifecycleModes"), spec["volumeLifecycleModes"],
              old["volumeLifecycleModes"]);
}

void check_csi_node(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    std::set<std::string_view> names;
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    each(request.spec(), "drivers", path, [&](Value driver, const FieldPath& at) {
        std::string_view name = driver["name"].as_string();
        validate_csi_driver_name(errors, at.child("name"), name);
        std::string_view id = driver["nodeID"].as_string();
        if (id.empty()) errors.required(at.child("nodeID"));
        if (id.size() > 256) errors.invalid(at.child("nodeID"), id, "must be 256 characters or less");
        if (Value count = driver.path({"allocatable", "count"}); count.is_set() && count.as_integer() < 0)
            errors.invalid(at.child("allocatable.count"), count.as_integer(), kNotNegative);
        if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
        for (Value key : driver["topologyKeys"].items()) {
            if (key.empty()) errors.required(at);
            if (Messages messages = is_qualified_name(key.as_string()); !messages.empty())
                errors.invalid_each(at, key.as_string(), messages);
        }
        for (Value old : request.old_spec()["drivers"].items())
            if (old["name"].as_string() == name && !old.equals(driver))
                errors.invalid(at, BadValue::go_structure(driver), kImmutable);
    });
}

void check_volume_attachment(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec(), source = spec["source"];
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (request.subresource != "status" && !same(spec, request.old_spec()))
            errors.invalid(path, printed_attachment(spec), kImmutable);
    } else {
        validate_object_meta(errors, request, name_is_dns_subdomain);
        if (spec["attacher"].empty())
            errors.required(path.child("attacher"));
        else
            validate_csi_driver_name(errors, path.child("attacher"), spec["attacher"].as_string());
        const FieldPath at = path.child("source");
        Value name = source["persistentVolumeName"], inline_spec = source["inlineVolumeSpec"];
        if (name.is_unset() && inline_spec.is_unset())
            errors.required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        if (name.is_set() && inline_spec.is_set())
            errors.forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        if (name.is_set()) {
            if (name.empty())
                errors.required(at.child("persistentVolumeName"),
                                "must specify non empty persistentVolumeName");
            dns1123_subdomain(errors, at.child("persistentVolumeName"), name.as_string());
        }
        if (inline_spec.is_map())
            validate_persistent_volume_spec(errors, at.child("inlineVolumeSpec"), inline_spec, {}, true);
        dns1123_subdomain(errors, path.child("nodeName"), spec["nodeName"].as_string());
    }
    const FieldPath status("status");
    Value state = request.object["status"];
    std::size_t total = 0;
    for (const Member& member : state["attachmentMetadata"].members())
        total += member.name.size() + member.value.size();
    if (total > kParameterBytesMost)
        errors.too_long(status.child("attachmentMetadata"), static_cast<std::int64_t>(kParameterBytesMost));
    validate_attach_error(errors, status.child("attachError"), state["attachError"]);
    validate_attach_error(errors, status.child("detachError"), state["detachError"]);
}

void check_csi_capacity(FieldErrors& errors, const Request& request) {
    Value object = request.object;
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    dns1123_subdomain(errors, FieldPath("storageClassName"), object["storageClassName"].as_string());
    for (std::string_view name : {"capacity", "maximumVolumeSize"})
        if (object[name].is_set()) validate_not_negative_quantity(errors, FieldPath(name), object[name]);
    validate_label_selector(errors, FieldPath("nodeTopology"), object["nodeTopology"]);
    if (!request.is_update()) return;
    for (std::string_view name : {"storageClassName", "nodeTopology"})
        immutable(errors, FieldPath(name), object[name], request.old[name]);
}

void check_volume_attributes_class(FieldErrors& errors, const Request& request) {
    Value object = request.object;
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        for (std::string_view name : {"driverName", "parameters"})
            if (!same(object[name], request.old[name]))
                errors.forbidden(FieldPath(name), "updates to " + std::string(name) + " are forbidden.");
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_provisioner(errors, FieldPath("driverName"), object["driverName"].as_string());
    validate_parameters(errors, FieldPath("parameters"), object["parameters"], true);
}

}  // namespace keelson::object::validation
