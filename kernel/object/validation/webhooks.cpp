#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void validate_group_versions(FieldErrors& errors, const FieldPath& path, Value rule) {
    auto check_list = [&](std::string_view name, std::string_view what) {
        const FieldPath at = path.child(name);
        if (rule[name].empty()) errors.required(at);
        if (rule[name].size() > 1 && contains(rule[name], "*"))
            errors.invalid(at, rule[name], "if '*' is present, must not specify other " + std::string(what));
    };
    check_list("apiGroups", "API groups");
    check_list("apiVersions", "API versions");
    each(rule, "apiVersions", path, [&](Value version, const FieldPath& at) {
        if (version.empty()) errors.required(at);
    });
    const FieldPath resources = path.child("resources");
    if (rule["resources"].empty()) errors.required(resources);
    std::set<std::string_view> any_subresource, any_resource;
    each(rule, "resources", path, [&](Value resource, const FieldPath& at) {
        std::string_view text = resource.as_string();
        if (text.empty()) return errors.required(at);
        if (text == "*/*" && rule["resources"].size() > 1)
            errors.invalid(resources, rule["resources"],
                           "if '*/*' is present, must not specify other resources");
        std::size_t slash = text.find('/');
        std::string_view name = text.substr(0, slash);
        std::string_view sub = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
        if (any_subresource.contains(name) && slash != std::string_view::npos)
            errors.invalid(
                at, text,
                "if '" + std::string(name) + "/*' is present, must not specify " + std::string(text));
        if (any_resource.contains(sub) && slash != std::string_view::npos)
            errors.invalid(
                at, text,
                "if '*/" + std::string(sub) + "' is present, must not specify " + std::string(text));
        if (sub == "*") any_subresource.insert(name);
        if (name == "*") any_resource.insert(sub);
    });
    if (Value scope = rule["scope"]; scope.is_set())
        one_of(errors, path.child("scope"), scope.as_string(), {"*", "Cluster", "Namespaced"});
}

void validate_rule(FieldErrors& errors, const FieldPath& path, Value rule) {
    const FieldPath at = path.child("operations");
    Value operations = rule["operations"];
    if (operations.empty()) errors.required(at);
    if (operations.size() > 1 && contains(operations, "*"))
        errors.invalid(at, operations, "if '*' is present, must not specify other operations");
    for (std::size_t i = 0; i < operations.size(); ++i)
        one_of(errors, at.index(i), operations.at(i).as_string(),
               {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"});
    validate_group_versions(errors, path, rule);
}

void validate_match_conditions(FieldErrors& errors, const FieldPath& path, Value hook) {
    std::set<std::string_view> seen;
    if (hook["matchConditions"].size() > 64)
        errors.too_many(path.child("matchConditions"),
                        static_cast<std::int64_t>(hook["matchConditions"].size()), 64);
    each(hook, "matchConditions", path, [&](Value condition, const FieldPath& at) {
        std::string_view name = condition["name"].as_string();
        if (condition["expression"].empty()) errors.required(at.child("expression"));
        if (name.empty()) {
            errors.required(at.child("name"));
        } else {
            qualified_name(errors, at.child("name"), name);
            if (!seen.insert(name).second) errors.duplicate(at.child("name"), name);
        }
    });
}

void validate_hook(FieldErrors& errors, const FieldPath& path, Value hook, bool mutating) {
    std::string_view name = hook["name"].as_string();
    const FieldPath name_path = path.child("name");
    if (name.empty()) {
        errors.required(name_path);
    } else {
        Messages messages = is_dns1123_subdomain(name);
        if (!messages.empty())
            errors.invalid(name_path, name, join_messages(messages));
        else if (split(name, '.').size() < 3)
            errors.invalid(name_path, name,
                           "should be a domain with at least three segments separated by dots");
    }
    each(hook, "rules", path, [&](Value rule, const FieldPath& at) { validate_rule(errors, at, rule); });
    if (Value policy = hook["failurePolicy"]; policy.is_set())
        one_of(errors, path.child("failurePolicy"), policy.as_string(), {"Fail", "Ignore"});
    if (Value policy = hook["matchPolicy"]; policy.is_set())
        one_of(errors, path.child("matchPolicy"), policy.as_string(), {"Equivalent", "Exact"});
    if (Value effects = hook["sideEffects"]; effects.is_unset())
        errors.required(path.child("sideEffects"), "must specify one of None, NoneOnDryRun");
    else
        one_of(errors, path.child("sideEffects"), effects.as_string(), {"None", "NoneOnDryRun"});
    if (Value seconds = hook["timeoutSeconds"];
        seconds.is_set() && (seconds.as_integer() > 30 || seconds.as_integer() < 1))
        errors.invalid(path.child("timeoutSeconds"), seconds.as_integer(),
                       "the timeout value must be between 1 and 30 seconds");
    for (std::string_view selector : {"namespaceSelector", "objectSelector"})
        validate_label_selector(errors, path.child(selector), hook[selector]);
    if (Value policy = hook["reinvocationPolicy"]; mutating && policy.is_set())
        one_of(errors, path.child("reinvocationPolicy"), policy.as_string(), {"IfNeeded", "Never"});
    Value config = hook["clientConfig"], url = config["url"], service = config["service"];
    const FieldPath config_path = path.child("clientConfig");
    if (url.is_set() == service.is_set())
        errors.required(config_path, "exactly one of url or service is required");
    else if (url.is_set())
        validate_webhook_url(errors, config_path.child("url"), url.as_string(), true);
    else
        validate_webhook_service(errors, config_path.child("service"), service);
    validate_match_conditions(errors, path, hook);
}

void check_webhooks(FieldErrors& errors, const Request& request, bool mutating) {
    validate_plain_object_meta(errors, request, name_is_dns_subdomain);
    std::set<std::string_view> names;
    each(request.object, "webhooks", FieldPath(), [&](Value hook, const FieldPath& at) {
        validate_hook(errors, at, hook, mutating);
        Value versions = hook["admissionReviewVersions"];
        const FieldPath versions_path = at.child("admissionReviewVersions");
        if (versions.empty()) {
            errors.required(versions_path, "must specify one of v1, v1beta1");
        } else {
            std::set<std::string_view> seen;
            bool recognized = false;
            for (std::size_t i = 0; i < versions.size(); ++i) {
                std::string_view version = versions.at(i).as_string();
                if (!seen.insert(version).second) {
                    errors.invalid(versions_path.index(i), version, "duplicate version");
                    continue;
                }
                for (const std::string& message : is_dns1035_label(version))
                    errors.invalid(versions_path.index(i), version, message);
                recognized = recognized || version == "v1" || version == "v1beta1";
            }
            if (!recognized)
                errors.invalid(versions_path, versions, "must include at least one of v1, v1beta1");
        }
        if (std::string_view name = hook["name"].as_string(); !name.empty() && !names.insert(name).second)
            errors.duplicate(at.child("name"), name);
    });
}

}  // namespace

void validate_webhook_url(FieldErrors& errors, const FieldPath& path, std::string_view url,
                          bool force_https) {
    constexpr std::string_view kForm = "; desired format: https://host[/path]";
    auto with_form = [&](std::string_view text) { return std::string(text) + std::string(kForm); };
    std::string_view scheme, host, rest = url, user, fragment, query;
    if (std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
        fragment = rest.substr(hash + 1);
        rest = rest.substr(0, hash);
    }
    if (std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
        query = rest.substr(mark + 1);
        rest = rest.substr(0, mark);
    }
    std::size_t colon = rest.find(':');
    bool has_scheme = colon != std::string_view::npos && colon > 0;
    for (std::size_t i = 0; has_scheme && i < colon; ++i) {
        char c = rest[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        has_scheme = letter || (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
    }
    if (has_scheme) {
        scheme = rest.substr(0, colon);
        rest.remove_prefix(colon + 1);
    }
    if (rest.starts_with("//")) {
        rest.remove_prefix(2);
        host = rest.substr(0, rest.find('/'));
        if (std::size_t at = host.rfind('@'); at != std::string_view::npos) {
            user = host.substr(0, at);
            host.remove_prefix(at + 1);
        }
    }
    if (force_https && lower_case(scheme) != "https")
        errors.invalid(path, scheme, with_form("'https' is the only allowed URL scheme"));
    if (host.empty()) errors.invalid(path, host, with_form("host must be specified"));
    if (!user.empty()) errors.invalid(path, user, with_form("user information is not permitted in the URL"));
    if (!fragment.empty())
        errors.invalid(path, fragment, with_form("fragments are not permitted in the URL"));
    if (!query.empty())
        errors.invalid(path, query, with_form("query parameters are not permitted in the URL"));
}

void validate_webhook_service(FieldErrors& errors, const FieldPath& path, Value service) {
    if (service["name"].empty()) errors.required(path.child("name"), "service name is required");
    if (service["namespace"].empty())
        errors.required(path.child("namespace"), "service namespace is required");
    if (Value port = service["port"]; port.is_set())
        for (const std::string& message : is_port_number(port.as_integer()))
            errors.invalid(path.child("port"), port.as_integer(), "port is not valid: " + message);
    Value url_path = service["path"];
    if (url_path.is_unset()) return;
    std::string_view text = url_path.as_string();
    const FieldPath at = path.child("path");
    if (text.empty()) return;
    if (!text.starts_with('/')) errors.invalid(at, text, "must start with a '/'");
    std::string_view rest = text;
    if (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    auto steps = split(rest, '/');
    if (text == "/") return;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].empty()) {
            errors.invalid(at, text, "segment[" + std::to_string(i) + "] may not be empty");
            continue;
        }
        for (const std::string& message : is_dns1123_subdomain(steps[i]))
            errors.invalid(at, text, "segment[" + std::to_string(i) + "]: " + message);
    }
}

void check_validating_webhooks(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    check_webhooks(errors, request, false);
}

void check_mutating_webhooks(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    check_webhooks(errors, request, true);
}

namespace {

void validate_match_resources(FieldErrors& errors, const FieldPath& path, Value match, bool rules_required) {
    if (match["matchPolicy"].is_unset())
        errors.required(path.child("matchPolicy"));
    else
        one_of(errors, path.child("matchPolicy"), match["matchPolicy"].as_string(), {"Equivalent", "Exact"});
    for (std::string_view selector : {"namespaceSelector", "objectSelector"}) {
        if (match[selector].is_unset())
            errors.required(path.child(selector));
        else
            validate_label_selector(errors, path.child(selector), match[selector]);
    }
    if (rules_required && match["resourceRules"].empty()) errors.required(path.child("resourceRules"));
    for (std::string_view list : {"resourceRules", "excludeResourceRules"})
        each(match, list, path, [&](Value rule, const FieldPath& at) { validate_rule(errors, at, rule); });
}

void validate_group_version(FieldErrors& errors, const FieldPath& path, Value kind) {
    std::string_view version = kind["apiVersion"].as_string();
    if (version.empty())
        errors.required(path.child("apiVersion"));
    else if (split(version, '/').size() > 2)
        errors.invalid(path.child("apiVersion"), version,
                       "unexpected GroupVersion string: " + std::string(version));
    if (kind["kind"].empty()) errors.required(path.child("kind"));
}

}  // namespace

void check_admission_policy(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") return;
    validate_plain_object_meta(errors, request, name_is_dns_subdomain);
    if (Value policy = spec["failurePolicy"]; policy.is_unset())
        errors.required(path.child("failurePolicy"));
    else
        one_of(errors, path.child("failurePolicy"), policy.as_string(), {"Fail", "Ignore"});
    if (Value kind = spec["paramKind"]; kind.is_map())
        validate_group_version(errors, path.child("paramKind"), kind);
    if (Value match = spec["matchConstraints"]; match.is_map())
        validate_match_resources(errors, path.child("matchConstraints"), match, true);
    else
        errors.required(path.child("matchConstraints"));
    validate_match_conditions(errors, path, spec);
    each(spec, "variables", path, [&](Value variable, const FieldPath& at) {
        if (variable["name"].empty())
            errors.required(at.child("name"), "name is required");
        else
            for (const std::string& message : is_c_identifier(variable["name"].as_string()))
                errors.invalid(at.child("name"), variable["name"].as_string(), message);
        if (variable["expression"].empty()) errors.required(at.child("expression"), "expression is required");
    });
    bool validating = request.object["kind"].as_string() != "MutatingAdmissionPolicy";
    if (!validating) {
        if (spec["mutations"].empty())
            errors.required(path.child("mutations"), "mutations must contain at least one item");
        return;
    }
    if (spec["validations"].empty() && spec["auditAnnotations"].empty())
        errors.required(path, "validations or auditAnnotations must contain at least one item");
    each(spec, "validations", path, [&](Value validation, const FieldPath& at) {
        if (validation["expression"].empty())
            errors.required(at.child("expression"), "expression is not specified");
        if (Value reason = validation["reason"]; reason.is_set())
            one_of(errors, at.child("reason"), reason.as_string(),
                   {"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"});
    });
    if (spec["auditAnnotations"].size() > 20)
        errors.invalid(path.child("auditAnnotations"), spec["auditAnnotations"],
                       "must not have more than 20 auditAnnotations");
    std::set<std::string_view> keys;
    each(spec, "auditAnnotations", path, [&](Value annotation, const FieldPath& at) {
        std::string_view key = annotation["key"].as_string();
        if (key.empty())
            errors.required(at.child("key"));
        else
            qualified_name(errors, at.child("key"),
                           request.object.path({"metadata", "name"}).to_string() + "/" + std::string(key));
        if (annotation["valueExpression"].empty())
            errors.required(at.child("valueExpression"), "valueExpression is not specified");
        if (!keys.insert(key).second) errors.duplicate(at.child("key"), key);
    });
}

void check_admission_policy_binding(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_plain_object_meta(errors, request, name_is_dns_subdomain);
    std::string_view name = spec["policyName"].as_string();
    if (name.empty())
        errors.required(path.child("policyName"));
    else
        dns1123_subdomain(errors, path.child("policyName"), name);
    if (Value reference = spec["paramRef"]; reference.is_map()) {
        const FieldPath at = path.child("paramRef");
        bool named = !reference["name"].empty(), selected = reference["selector"].is_set();
        if (named == selected) errors.required(at, "one of name or selector must be specified");
        if (reference["parameterNotFoundAction"].is_unset())
            errors.required(at.child("parameterNotFoundAction"));
        else
            one_of(errors, at.child("parameterNotFoundAction"),
                   reference["parameterNotFoundAction"].as_string(), {"Allow", "Deny"});
    }
    if (Value match = spec["matchResources"]; match.is_map())
        validate_match_resources(errors, path.child("matchResources"), match, false);
    if (request.object["kind"].as_string() == "MutatingAdmissionPolicyBinding") return;
    if (spec["validationActions"].empty()) errors.required(path.child("validationActions"));
    std::set<std::string_view> seen;
    each(spec, "validationActions", path, [&](Value action, const FieldPath& at) {
        one_of(errors, at, action.as_string(), {"Audit", "Deny", "Warn"});
        if (!seen.insert(action.as_string()).second) errors.duplicate(at, action.as_string());
    });
    if (seen.contains("Deny") && seen.contains("Warn"))
        errors.invalid(
            path.child("validationActions"), spec["validationActions"],
            "must not contain both Deny and Warn (repeating the same validation failure information in the "
            "API response and headers serves no purpose)");
}

}  // namespace keelson::object::validation
