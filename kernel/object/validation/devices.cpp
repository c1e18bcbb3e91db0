#include <algorithm>
#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void required_subdomain(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.empty())
        errors.required(path);
    else
        dns1123_subdomain(errors, path, text);
}

void validate_selectors(FieldErrors& errors, const FieldPath& path, Value holder) {
    if (holder["selectors"].size() > 32)
        errors.too_many(path.child("selectors"), static_cast<std::int64_t>(holder["selectors"].size()), 32);
    each(holder, "selectors", path, [&](Value selector, const FieldPath& at) {
        if (!selector["cel"].is_map())
            errors.required(at.child("cel"));
        else if (selector["cel"]["expression"].size() > (10 << 10))
            errors.too_long(at.child("cel.expression"), 10 << 10);
    });
}

void validate_tolerations_of(FieldErrors& errors, const FieldPath& path, Value request) {
    each(request, "tolerations", path, [&](Value toleration, const FieldPath& at) {
        std::string_view operation = toleration["operator"].as_string(), key = toleration["key"].as_string();
        if (!key.empty()) validate_label_key(errors, at.child("key"), key);
        if (operation == "Exists") {
            if (!toleration["value"].empty())
                errors.invalid(at.child("value"), toleration["value"].as_string(),
                               "must be empty when `operator` is 'Exists'");
        } else if (operation == "Equal") {
            if (Messages messages = is_label_value(toleration["value"].as_string()); !messages.empty())
                errors.invalid_each(at.child("value"), toleration["value"].as_string(), messages);
        } else {
            errors.not_supported(at.child("operator"), operation, {"Equal", "Exists"});
        }
        if (std::string_view effect = toleration["effect"].as_string(); !effect.empty())
            one_of(errors, at.child("effect"), effect, {"NoExecute", "NoSchedule", "None"});
    });
}

void validate_request(FieldErrors& errors, const FieldPath& path, Value request) {
    required_subdomain(errors, path.child("deviceClassName"), request["deviceClassName"].as_string());
    validate_selectors(errors, path, request);
    std::string_view mode = request["allocationMode"].as_string();
    std::int64_t count = request["count"].as_integer();
    if (mode == "All") {
        if (count != 0)
            errors.invalid(path.child("count"), count, "must not be specified when allocationMode is 'All'");
    } else if (mode == "ExactCount") {
        if (count <= 0) errors.invalid(path.child("count"), count, "must be greater than zero");
    } else {
        errors.not_supported(path.child("allocationMode"), mode, {"All", "ExactCount"});
    }
    validate_tolerations_of(errors, path, request);
}

void validate_claim_devices(FieldErrors& errors, const FieldPath& path, Value devices) {
    std::set<std::string_view> names;
    if (devices["requests"].size() > 32)
        errors.too_many(path.child("requests"), static_cast<std::int64_t>(devices["requests"].size()), 32);
    each(devices, "requests", path, [&](Value request, const FieldPath& at) {
        std::string_view name = request["name"].as_string();
        dns1123_label(errors, at.child("name"), name);
        if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
        bool exactly = request["exactly"].is_map(), first = !request["firstAvailable"].empty();
        if (exactly == first)
            return exactly ? errors.invalid(
                                 at, BadValue::omitted(),
                                 "exactly one of `exactly` or `firstAvailable` is required, but multiple "
                                 "fields are set")
                           : errors.required(at, "exactly one of `exactly` or `firstAvailable` is required");
        if (exactly) return validate_request(errors, at.child("exactly"), request["exactly"]);
        std::set<std::string_view> sub_names;
        each(request, "firstAvailable", at, [&](Value alternative, const FieldPath& alternative_path) {
            std::string_view sub_name = alternative["name"].as_string();
            dns1123_label(errors, alternative_path.child("name"), sub_name);
            if (!sub_names.insert(sub_name).second)
                errors.duplicate(alternative_path.child("name"), sub_name);
            validate_request(errors, alternative_path, alternative);
        });
    });
    auto known = [&](std::string_view name) { return names.contains(name.substr(0, name.find('/'))); };
    auto check_references = [&](Value holder, const FieldPath& at) {
        std::set<std::string_view> seen;
        each(holder, "requests", at, [&](Value reference, const FieldPath& reference_path) {
            std::string_view name = reference.as_string();
            if (!known(name))
                errors.invalid(reference_path, name,
                               "must be the name of a request in the claim or the name of a request and a "
                               "subrequest separated by '/'");
            if (!seen.insert(name).second) errors.duplicate(reference_path, name);
        });
    };
    each(devices, "constraints", path, [&](Value constraint, const FieldPath& at) {
        check_references(constraint, at);
        if (constraint["matchAttribute"].is_unset() && constraint["distinctAttribute"].is_unset())
            errors.required(at, "exactly one of `matchAttribute` or `distinctAttribute` is required");
    });
    each(devices, "config", path, [&](Value config, const FieldPath& at) {
        check_references(config, at);
        if (!config["opaque"].is_map()) return errors.required(at.child("opaque"));
        const FieldPath opaque = at.child("opaque");
        required_subdomain(errors, opaque.child("driver"), config["opaque"]["driver"].as_string());
        if (config["opaque"]["parameters"].is_unset()) errors.required(opaque.child("parameters"));
    });
}

}  // namespace

void check_resource_claim(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (request.subresource == "status") return;
        if (!same(request.spec(), request.old_spec()))
            errors.invalid(path, BadValue::go_structure(request.spec()), kImmutable);
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_claim_devices(errors, path.child("devices"), request.spec()["devices"]);
}

void check_resource_claim_template(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath metadata = path.child("metadata");
    const FieldPath inner = path.child("spec");
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (!same(request.spec(), request.old_spec()))
            errors.invalid(path, BadValue::go_structure(request.spec()), kImmutable);
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    Value own = request.spec()["metadata"];
    validate_labels(errors, metadata.child("labels"), own["labels"]);
    validate_annotations(errors, metadata.child("annotations"), own["annotations"]);
    validate_claim_devices(errors, inner.child("devices"), request.spec().path({"spec", "devices"}));
}

void check_device_class(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_selectors(errors, path, request.spec());
    each(request.spec(), "config", path, [&](Value config, const FieldPath& at) {
        if (!config["opaque"].is_map()) return errors.required(at.child("opaque"));
        required_subdomain(errors, at.child("opaque.driver"), config["opaque"]["driver"].as_string());
    });
}

void check_resource_slice(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    int places = (spec["nodeName"].is_set() && !spec["nodeName"].empty()) + spec["nodeSelector"].is_map() +
                 spec["allNodes"].as_boolean() + spec["perDeviceNodeSelection"].as_boolean();
    if (places == 0)
        errors.required(
            path,
            "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required");
    else if (places > 1)
        errors.invalid(path, BadValue::omitted(),
                       "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is "
                       "required, but multiple fields are set");
    required_subdomain(errors, path.child("driver"), spec["driver"].as_string());
    std::string_view pool = spec.path({"pool", "name"}).as_string();
    if (pool.empty()) errors.required(path.child("pool.name"));
    if (std::int64_t count = spec.path({"pool", "resourceSliceCount"}).as_integer(); count <= 0)
        errors.invalid(path.child("pool.resourceSliceCount"), count, "must be greater than zero");
    std::set<std::string_view> names;
    const auto is_costly = [](Value device) {
        return !device["taints"].empty() || !device["consumesCounters"].empty();
    };
    const auto devices = spec["devices"].items();
    const std::int64_t most_devices = std::ranges::any_of(devices, is_costly) ? 64 : 128;
    if (const auto count = static_cast<std::int64_t>(devices.size()); count > most_devices)
        errors.too_many(path.child("devices"), count, most_devices);
    each(spec, "devices", path, [&](Value device, const FieldPath& at) {
        std::string_view name = device["name"].as_string();
        dns1123_label(errors, at.child("name"), name);
        if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
    });
    if (!request.is_update()) return;
    Value old = request.old_spec();
    for (std::string_view name : {"driver", "nodeName"})
        immutable(errors, path.child(name), spec[name], old[name]);
}

}  // namespace keelson::object::validation
