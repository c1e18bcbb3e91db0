#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

bool is_alone(Value list, std::string_view text) {
    return list.size() <= 1 || !contains(list, text);
}

void validate_wildcard(FieldErrors& errors, const FieldPath& path, Value list, std::string_view what) {
    if (!is_alone(list, "*"))
        errors.invalid(path, list, "if '*' is present, must not specify other " + std::string(what));
}

void validate_verbs(FieldErrors& errors, const FieldPath& path, Value verbs) {
    if (verbs.empty()) return errors.required(path, "verbs must contain at least one value");
    if (contains(verbs, "*")) return validate_wildcard(errors, path, verbs, "verbs");
}

void validate_resource_rule(FieldErrors& errors, const FieldPath& path, Value rule) {
    validate_verbs(errors, path.child("verbs"), rule["verbs"]);
    if (rule["apiGroups"].empty())
        errors.required(path.child("apiGroups"), "resource rules must supply at least one api group");
    else
        validate_wildcard(errors, path.child("apiGroups"), rule["apiGroups"], "api groups");
    if (rule["resources"].empty())
        errors.required(path.child("resources"), "resource rules must supply at least one resource");
    else
        validate_wildcard(errors, path.child("resources"), rule["resources"], "resources");
    if (rule["namespaces"].empty()) {
        if (!rule["clusterScope"].as_boolean())
            errors.required(path.child("namespaces"),
                            "resource rules that are not cluster scoped must supply at least one namespace");
    } else if (contains(rule["namespaces"], "*")) {
        validate_wildcard(errors, path.child("namespaces"), rule["namespaces"], "namespaces");
    } else {
        each(rule, "namespaces", path,
             [&](Value name, const FieldPath& at) { dns1123_label(errors, at, name.as_string()); });
    }
}

void validate_subject(FieldErrors& errors, const FieldPath& path, Value subject) {
    std::string_view kind = subject["kind"].as_string();
    Value user = subject["user"], group = subject["group"], account = subject["serviceAccount"];
    auto refuse = [&](std::string_view field, std::string_view owner) {
        if (subject[field].is_set())
            errors.forbidden(
                path.child(field),
                std::string(field) + " is forbidden when subject kind is not '" + std::string(owner) + "'");
    };
    auto require_name = [&](std::string_view field, std::string_view owner, Value value) {
        if (!value.is_map())
            errors.required(path.child(field), std::string(field) + " is required when subject kind is '" +
                                                   std::string(owner) + "'");
        else if (value["name"].empty())
            errors.required(path.child(field == "user" ? "user.name" : "group.name"));
    };
    if (kind == "ServiceAccount") {
        if (!account.is_map()) {
            errors.required(path.child("serviceAccount"),
                            "serviceAccount is required when subject kind is 'ServiceAccount'");
        } else {
            if (account["name"].empty())
                errors.required(path.child("serviceAccount.name"));
            else if (account["name"].as_string() != "*")
                dns1123_subdomain(errors, path.child("serviceAccount.name"), account["name"].as_string());
            if (account["namespace"].empty())
                errors.required(path.child("serviceAccount.namespace"),
                                "must specify namespace for service account");
            else
                dns1123_label(errors, path.child("serviceAccount.namespace"),
                              account["namespace"].as_string());
        }
        refuse("user", "User");
        refuse("group", "Group");
    } else if (kind == "User") {
        require_name("user", "User", user);
        refuse("serviceAccount", "ServiceAccount");
        refuse("group", "Group");
    } else if (kind == "Group") {
        require_name("group", "Group", group);
        refuse("serviceAccount", "ServiceAccount");
        refuse("user", "User");
    } else {
        errors.not_supported(path.child("kind"), kind, {"Group", "ServiceAccount", "User"});
    }
}

void validate_rule(FieldErrors& errors, const FieldPath& path, Value rule) {
    if (rule["subjects"].empty())
        errors.required(path.child("subjects"), "subjects must contain at least one value");
    each(rule, "subjects", path,
         [&](Value subject, const FieldPath& at) { validate_subject(errors, at, subject); });
    if (rule["resourceRules"].empty() && rule["nonResourceRules"].empty())
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    each(rule, "resourceRules", path,
         [&](Value resource, const FieldPath& at) { validate_resource_rule(errors, at, resource); });
    each(rule, "nonResourceRules", path, [&](Value other, const FieldPath& at) {
        validate_verbs(errors, at.child("verbs"), other["verbs"]);
        if (other["nonResourceURLs"].empty())
            errors.required(at.child("nonResourceURLs"), "nonResourceURLs must contain at least one value");
        else if (contains(other["nonResourceURLs"], "*"))
            validate_wildcard(errors, at.child("nonResourceURLs"), other["nonResourceURLs"],
                              "non-resource URLs");
        else
            each(other, "nonResourceURLs", at, [&](Value url, const FieldPath& url_path) {
                std::string_view text = url.as_string();
                if (!text.starts_with('/')) errors.invalid(url_path, text, "must start with slash");
            });
    });
}

}  // namespace

void check_flow_schema(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    std::int64_t precedence = spec["matchingPrecedence"].as_integer();
    const FieldPath precedence_path = path.child("matchingPrecedence");
    if (precedence <= 0) errors.invalid(precedence_path, precedence, "must be a positive value");
    if (precedence > 10000) errors.invalid(precedence_path, precedence, "must not be greater than 10000");
    if (precedence == 1 && request.object.path({"metadata", "name"}).as_string() != "exempt")
        errors.invalid(precedence_path, precedence,
                       "only the schema named 'exempt' may have matchingPrecedence 1");
    if (Value method = spec["distinguisherMethod"]; method.is_map())
        one_of(errors, path.child("distinguisherMethod"), method["type"].as_string(),
               {"ByNamespace", "ByUser"});
    std::string_view level = spec.path({"priorityLevelConfiguration", "name"}).as_string();
    const FieldPath level_path = path.child("priorityLevelConfiguration.name");
    if (level.empty())
        errors.required(level_path, "must reference a priority level");
    else
        dns1123_subdomain(errors, level_path, level);
    each(spec, "rules", path, [&](Value rule, const FieldPath& at) { validate_rule(errors, at, rule); });
}

void check_priority_level(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    std::string_view type = spec["type"].as_string();
    bool exempt = request.object.path({"metadata", "name"}).as_string() == "exempt";
    if (exempt != (type == "Exempt"))
        errors.invalid(path.child("type"), type,
                       exempt ? "type must be 'Exempt' if the name is 'exempt'"
                              : "type must be 'Exempt' if and only if `name` is 'exempt'");
    auto in_percent = [&](const FieldPath& at, Value value) {
        if (value.is_set() && (value.as_integer() < 0 || value.as_integer() > 100))
            errors.invalid(at, value.as_integer(), "must be between 0 and 100, inclusive");
    };
    if (type == "Exempt") {
        if (spec["limited"].is_set())
            errors.forbidden(path.child("limited"), "must be nil if the type is not Limited");
        in_percent(path.child("exempt.lendablePercent"), spec.path({"exempt", "lendablePercent"}));
        return;
    }
    if (type != "Limited") return errors.not_supported(path.child("type"), type, {"Exempt", "Limited"});
    if (spec["exempt"].is_set()) errors.forbidden(path.child("exempt"), "must be nil if the type is Limited");
    Value limited = spec["limited"];
    if (!limited.is_map())
        return errors.required(path.child("limited"), "must not be empty when type is Limited");
    const FieldPath at = path.child("limited");
    if (Value shares = limited["nominalConcurrencyShares"]; shares.as_integer() < 0)
        errors.invalid(at.child("nominalConcurrencyShares"), shares.as_integer(),
                       "must be a non-negative integer");
    const FieldPath response_path = at.child("limitResponse");
    Value response = limited["limitResponse"], queuing = response["queuing"];
    std::string_view response_type = response["type"].as_string();
    if (response_type == "Reject") {
        if (queuing.is_set())
            errors.forbidden(response_path.child("queuing"),
                             "must be nil if limited.limitResponse.type is not Limited");
    } else if (response_type == "Queue") {
        if (!queuing.is_map()) {
            errors.required(response_path.child("queuing"),
                            "must not be empty if limited.limitResponse.type is Limited");
        } else {
            std::int64_t queues = queuing["queues"].as_integer(), hand = queuing["handSize"].as_integer();
            const FieldPath queuing_path = response_path.child("queuing");
            if (queuing["queueLengthLimit"].as_integer() <= 0)
                errors.invalid(queuing_path.child("queueLengthLimit"),
                               queuing["queueLengthLimit"].as_integer(), "must be positive");
            if (queues <= 0)
                errors.invalid(queuing_path.child("queues"), queues, "must be positive");
            else if (queues > 10000000)
                errors.invalid(queuing_path.child("queues"), queues, "must not be greater than 10000000");
            if (hand <= 0)
                errors.invalid(queuing_path.child("handSize"), hand, "must be positive");
            else if (hand > queues)
                errors.invalid(queuing_path.child("handSize"), hand,
                               "should not be greater than queues (" + std::to_string(queues) + ")");
        }
    } else {
        errors.not_supported(response_path.child("type"), response_type, {"Queue", "Reject"});
    }
    in_percent(at.child("lendablePercent"), limited["lendablePercent"]);
    if (Value percent = limited["borrowingLimitPercent"]; percent.is_set() && percent.as_integer() < 0)
        errors.invalid(at.child("borrowingLimitPercent"), percent.as_integer(),
                       "if specified, must be a non-negative integer");
}

}  // namespace keelson::object::validation
