#include <algorithm>
#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kComputeResources[] = {"cpu",           "memory",       "limits.cpu",
                                                  "limits.memory", "requests.cpu", "requests.memory"};

bool is_compute_resource(std::string_view name) {
    return std::ranges::find(kComputeResources, name) != std::end(kComputeResources);
}

bool is_quota_resource(std::string_view name) {
    constexpr std::string_view kOthers[] = {"ephemeral-storage",
                                            "requests.ephemeral-storage",
                                            "limits.ephemeral-storage",
                                            "pods",
                                            "resourcequotas",
                                            "services",
                                            "replicationcontrollers",
                                            "secrets",
                                            "configmaps",
                                            "persistentvolumeclaims",
                                            "requests.storage",
                                            "services.nodeports",
                                            "services.loadbalancers"};
    return is_compute_resource(name) || std::ranges::find(kOthers, name) != std::end(kOthers) ||
           is_hugepages(name) || name.starts_with("requests.hugepages-");
}

bool is_scope(std::string_view scope) {
    constexpr std::string_view kScopes[] = {"Terminating",          "NotTerminating",
                                            "BestEffort",           "NotBestEffort",
                                            "PriorityClass",        "CrossNamespacePodAffinity",
                                            "VolumeAttributesClass"};
    return std::ranges::find(kScopes, scope) != std::end(kScopes);
}

bool scope_applies(std::string_view scope, std::string_view resource) {
    if (scope == "BestEffort") return resource == "pods";
    if (scope == "VolumeAttributesClass")
        return resource == "persistentvolumeclaims" || resource == "requests.storage";
    return resource == "pods" || is_compute_resource(resource);
}

bool conflicting(const std::set<std::string_view>& scopes) {
    return (scopes.contains("BestEffort") && scopes.contains("NotBestEffort")) ||
           (scopes.contains("Terminating") && scopes.contains("NotTerminating"));
}

void validate_scope_list(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value scopes = spec["scopes"];
    if (scopes.empty()) return;
    const FieldPath at = path.child("scopes");
    std::set<std::string_view> seen;
    for (Value scope : scopes.items()) {
        std::string_view name = scope.as_string();
        if (!is_scope(name)) errors.invalid(at, scopes, "unsupported scope");
        for (const Member& member : spec["hard"].members())
            if (is_quota_resource(member.name) && !scope_applies(name, member.name))
                errors.invalid(at, scopes, "unsupported scope applied to resource");
        seen.insert(name);
    }
    if (conflicting(seen)) errors.invalid(at, scopes, "conflicting scopes");
}

void validate_scope_selector(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value selector = spec["scopeSelector"];
    if (!selector.is_map()) return;
    const FieldPath at = path.child("scopeSelector.matchExpressions");
    std::set<std::string_view> seen;
    Value expressions = selector["matchExpressions"];
    for (std::size_t i = 0; i < expressions.size(); ++i) {
        Value expression = expressions.at(i);
        std::string_view name = expression["scopeName"].as_string(),
                         operation = expression["operator"].as_string();
        if (!is_scope(name)) errors.invalid(at.child("scopeName"), name, "unsupported scope");
        for (const Member& member : spec["hard"].members())
            if (is_quota_resource(member.name) && !scope_applies(name, member.name))
                errors.invalid(at, BadValue::go_structure(selector), "unsupported scope applied to resource");
        bool exists_only = name == "BestEffort" || name == "NotBestEffort" || name == "Terminating" ||
                           name == "NotTerminating" || name == "CrossNamespacePodAffinity";
        if (exists_only && operation != "Exists")
            errors.invalid(at.child("operator"), operation,
                           "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                           "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                           "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
        if (operation == "In" || operation == "NotIn") {
            if (expression["values"].empty())
                errors.required(
                    at.child("values"),
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
        } else if (operation == "Exists" || operation == "DoesNotExist") {
            if (!expression["values"].empty())
                errors.invalid(
                    at.child("values"), expression["values"],
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
        } else {
            errors.invalid(at.child("operator"), operation, "not a valid selector operator");
        }
        seen.insert(name);
    }
    if (conflicting(seen)) errors.invalid(at, BadValue::go_structure(selector), "conflicting scopes");
}

void validate_limit_resource(FieldErrors& errors, const FieldPath& path, std::string_view type,
                             std::string_view name) {
    if (type == "Pod" || type == "Container")
        validate_container_resource_name(errors, path, name);
    else
        validate_resource_name(errors, path, name);
}

// The bounds of one resource of one limit.
void validate_bounds(FieldErrors& errors, const FieldPath& path, Value limit, std::string_view name) {
    Value least = limit["min"][name], most = limit["max"][name], standard = limit["default"][name],
          request = limit["defaultRequest"][name], ratio = limit["maxLimitRequestRatio"][name];
    auto text = [](Value value) { return value.to_string(); };
    auto above = [](Value a, Value b) { return a.is_set() && b.is_set() && quantity_of(a) > quantity_of(b); };
    if (above(least, most))
        errors.invalid(path.entry("min", name), text(least),
                       "min value " + text(least) + " is greater than max value " + text(most));
    if (above(least, request))
        errors.invalid(
            path.entry("defaultRequest", name), text(request),
            "min value " + text(least) + " is greater than default request value " + text(request));
    if (above(request, most))
        errors.invalid(path.entry("defaultRequest", name), text(request),
                       "default request value " + text(request) + " is greater than max value " + text(most));
    if (above(request, standard))
        errors.invalid(path.entry("defaultRequest", name), text(request),
                       "default request value " + text(request) + " is greater than default limit value " +
                           text(standard));
    if (above(least, standard))
        errors.invalid(path.entry("default", name), text(least),
                       "min value " + text(least) + " is greater than default value " + text(standard));
    if (above(standard, most))
        errors.invalid(path.entry("default", name), text(most),
                       "default value " + text(standard) + " is greater than max value " + text(most));
    if (ratio.is_set()) {
        if (quantity_of(ratio) < Quantity(1))
            errors.invalid(path.entry("maxLimitRequestRatio", name), text(ratio),
                           "ratio " + text(ratio) + " is less than 1");
        if (least.is_set() && most.is_set()) {
            double bound = quantity_of(most).approximate() / quantity_of(least).approximate();
            if (quantity_of(ratio).approximate() > bound)
                errors.invalid(
                    path.entry("maxLimitRequestRatio", name), text(ratio),
                    "ratio " + text(ratio) + " is greater than max/min = " + std::to_string(bound));
        }
    }
    bool overcommit = is_native_resource(name) && !is_hugepages(name);
    if (!overcommit && request.is_set() && standard.is_set() &&
        !(quantity_of(request) == quantity_of(standard)))
        errors.invalid(path.entry("defaultRequest", name), text(request),
                       "default value " + text(standard) + " must equal to defaultRequest value " +
                           text(request) + " in " + std::string(name));
}

}  // namespace

void check_resource_quota(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    const FieldPath path("spec");
    auto check_list = [&](const FieldPath& at, Value list) {
        for (const Member& member : list.members()) {
            const FieldPath entry = at.key(member.name);
            validate_resource_name(errors, entry, member.name);
            if (member.name.find('/') == std::string_view::npos && !is_quota_resource(member.name))
                errors.invalid(entry, member.name, "must be a standard resource for quota");
            validate_resource_quantity(errors, entry, member.name, member.value);
        }
    };
    if (request.subresource == "status") {
        const FieldPath status("status");
        check_list(status.child("hard"), request.object.path({"status", "hard"}));
        check_list(status.child("used"), request.object.path({"status", "used"}));
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    Value spec = request.spec();
    check_list(path.child("hard"), spec["hard"]);
    validate_scope_list(errors, path, spec);
    validate_scope_selector(errors, path, spec);
    if (request.is_update() && !same(spec["scopes"], request.old_spec()["scopes"]))
        errors.invalid(path.child("scopes"), spec["scopes"], kImmutable);
}

void check_limit_range(FieldErrors& errors, const Request& request) {
    check_meta(errors, request, name_is_dns_subdomain);
    const FieldPath path("spec");
    std::set<std::string_view> types;
    each(request.spec(), "limits", path, [&](Value limit, const FieldPath& at) {
        std::string_view type = limit["type"].as_string();
        std::size_t before = errors.size();
        qualified_name(errors, at.child("type"), type);
        bool standard = type == "Pod" || type == "Container" || type == "PersistentVolumeClaim";
        if (errors.size() == before && type.find('/') == std::string_view::npos && !standard)
            errors.invalid(at.child("type"), type, "must be a standard limit type or fully qualified");
        if (!types.insert(type).second) errors.duplicate(at.child("type"), type);
        std::set<std::string_view> names;
        auto check_list = [&](std::string_view list) {
            for (const Member& member : limit[list].members()) {
                validate_limit_resource(errors, at.entry(list, member.name), type, member.name);
                names.insert(member.name);
            }
        };
        check_list("max");
        check_list("min");
        if (type == "Pod") {
            for (std::string_view list : {"default", "defaultRequest"})
                if (!limit[list].empty())
                    errors.forbidden(at.child(list), "may not be specified when `type` is 'Pod'");
        } else {
            check_list("default");
            check_list("defaultRequest");
        }
        if (type == "PersistentVolumeClaim" && limit["min"]["storage"].is_unset() &&
            limit["max"]["storage"].is_unset())
            errors.required(at.child("limits"),
                            "either minimum or maximum storage value is required, but neither was provided");
        check_list("maxLimitRequestRatio");
        for (std::string_view name : names) validate_bounds(errors, at, limit, name);
    });
}

}  // namespace keelson::object::validation
