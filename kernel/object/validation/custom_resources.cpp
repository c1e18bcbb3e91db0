#include <set>

#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

// Kubernetes reports what all versions have in common at the level of the spec.
bool same_in_all(Value versions, std::string_view name) {
    for (std::size_t i = 1; i < versions.size(); ++i)
        if (!same(versions.at(0)[name], versions.at(i)[name])) return false;
    return true;
}

void joined(FieldErrors& errors, const FieldPath& path, std::string_view text, const Messages& messages) {
    if (!messages.empty()) errors.invalid(path, text, join_messages(messages));
}

void validate_names(FieldErrors& errors, const FieldPath& path, Value names) {
    for (std::string_view name : {"plural", "singular", "kind", "listKind"})
        if (names[name].empty()) errors.required(path.child(name));
    for (std::string_view name : {"plural", "singular", "kind", "listKind"}) {
        std::string_view text = names[name].as_string();
        if (text.empty()) continue;
        bool lowered = name == "kind" || name == "listKind";
        Messages messages = is_dns1035_label(lowered ? lower_case(text) : std::string(text));
        if (!messages.empty())
            errors.invalid(path.child(name), text,
                           (lowered ? "may have mixed case, but should otherwise match: " : "") +
                               join_messages(messages));
    }
    for (std::string_view list : {"shortNames", "categories"})
        each(names, list, path, [&](Value name, const FieldPath& at) {
            joined(errors, at, name.as_string(), is_dns1035_label(name.as_string()));
        });
    if (!names["kind"].empty() && names["kind"].as_string() == names["listKind"].as_string())
        errors.invalid(path.child("listKind"), names["listKind"].as_string(),
                       "kind and listKind may not be the same");
}

void validate_column(FieldErrors& errors, const FieldPath& path, Value column) {
    if (column["name"].empty()) errors.required(path.child("name"));
    constexpr std::string_view kTypes = "must be one of boolean,date,integer,number,string";
    std::string_view type = column["type"].as_string();
    if (type.empty())
        errors.required(path.child("type"), kTypes);
    else if (type != "boolean" && type != "date" && type != "integer" && type != "number" && type != "string")
        errors.invalid(path.child("type"), type, kTypes);
    if (std::string_view format = column["format"].as_string(); !format.empty()) {
        bool known = false;
        for (std::string_view one :
             {"byte", "date", "date-time", "double", "float", "int32", "int64", "password"})
            known = known || one == format;
        if (!known)
            errors.invalid(path.child("format"), format,
                           "must be one of byte,date,date-time,double,float,int32,int64,password");
    }
    std::string_view json_path = column["jsonPath"].as_string();
    if (json_path.empty())
        errors.required(path.child("JSONPath"));
    else if (!json_path.starts_with('.'))
        errors.invalid(path.child("JSONPath"), json_path,
                       "is invalid: must be a simple json path starting with .");
}

struct SchemaPlace {
    bool root = false;
    bool in_logic = false;  // below allOf, anyOf, oneOf or not
    std::string_view of;    // "object fields", "array items"
};

void validate_schema(FieldErrors& errors, const FieldPath& path, Value schema, SchemaPlace place, int depth);

void validate_schema_lists(FieldErrors& errors, const FieldPath& path, Value schema) {
    std::string_view type = schema["type"].as_string();
    if (Value list_type = schema["x-kubernetes-list-type"]; list_type.is_set()) {
        const FieldPath at = path.child("x-kubernetes-list-type");
        if (type != "array") {
            if (type.empty())
                errors.required(path.child("type"), "must be array if x-kubernetes-list-type is specified");
            else
                errors.invalid(path.child("type"), type,
                               "must be array if x-kubernetes-list-type is specified");
        }
        one_of(errors, at, list_type.as_string(), {"atomic", "map", "set"});
    }
    bool is_map_list = schema["x-kubernetes-list-type"].as_string() == "map";
    if (is_map_list && schema["x-kubernetes-list-map-keys"].empty())
        errors.required(path.child("x-kubernetes-list-map-keys"),
                        "must not be empty if x-kubernetes-list-type is map");
    if (!is_map_list && !schema["x-kubernetes-list-map-keys"].empty())
        errors.invalid(path.child("x-kubernetes-list-type"), schema["x-kubernetes-list-type"],
                       "must be map if x-kubernetes-list-map-keys is non-empty");
    if (Value map_type = schema["x-kubernetes-map-type"]; map_type.is_set()) {
        if (type != "object")
            errors.invalid(path.child("type"), type, "must be object if x-kubernetes-map-type is specified");
        one_of(errors, path.child("x-kubernetes-map-type"), map_type.as_string(), {"atomic", "granular"});
    }
}

void validate_schema_node(FieldErrors& errors, const FieldPath& path, Value schema, SchemaPlace place) {
    for (std::string_view name :
         {"id", "definitions", "dependencies", "patternProperties", "additionalItems"})
        if (Value value = schema[name]; value.is_set() && !value.empty())
            errors.forbidden(path.child(name), std::string(name) + " is not supported");
    if (!schema["$ref"].empty()) errors.forbidden(path.child("$ref"), "$ref is not supported");
    if (schema["uniqueItems"].as_boolean())
        errors.forbidden(path.child("uniqueItems"),
                         "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    if (!schema["properties"].empty() && schema["additionalProperties"].is_set())
        errors.forbidden(path.child("additionalProperties"),
                         "additionalProperties and properties are mutual exclusive");
    Value preserve = schema["x-kubernetes-preserve-unknown-fields"];
    if (preserve.is_set() && !preserve.as_boolean())
        errors.invalid(path.child("x-kubernetes-preserve-unknown-fields"), false,
                       "must be true or undefined");
    std::string_view type = schema["type"].as_string();
    if (!type.empty())
        one_of(errors, path.child("type"), type,
               {"array", "boolean", "integer", "number", "object", "string"});
    validate_schema_lists(errors, path, schema);
    if (place.in_logic) {
        for (std::string_view name : {"type", "description", "title", "default", "nullable",
                                      "additionalProperties", "x-kubernetes-preserve-unknown-fields",
                                      "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"})
            if (Value value = schema[name]; value.is_set() && !(value.is_string() && value.empty()))
                errors.forbidden(path.child(name), "must be empty to be structural");
        return;
    }
    if (type.empty() && !schema["x-kubernetes-int-or-string"].as_boolean() &&
        !(preserve.as_boolean() && !place.root)) {
        if (place.root)
            errors.required(path.child("type"), "must not be empty at the root");
        else
            errors.required(path.child("type"), "must not be empty for specified " + std::string(place.of));
    }
    if (place.root) {
        if (!type.empty() && type != "object")
            errors.invalid(path.child("type"), type, "must be object at the root");
        if (schema["nullable"].as_boolean())
            errors.forbidden(path.child("nullable"), "nullable cannot be true at the root");
    }
    if (type == "array" && schema["items"].is_unset())
        errors.required(path.child("items"), "must be specified");
}

void validate_rules(FieldErrors& errors, const FieldPath& path, Value schema) {
    each(schema, "x-kubernetes-validations", path, [&](Value rule, const FieldPath& at) {
        if (rule["rule"].empty()) errors.required(at.child("rule"), "rule is not specified");
        std::string_view message = rule["message"].as_string();
        if (message.find_first_of("\r\n") != std::string_view::npos)
            errors.invalid(at.child("message"), message, "message must not contain line breaks");
        if (rule["rule"].as_string().find_first_of("\r\n") != std::string_view::npos && message.empty())
            errors.required(at.child("message"), "message must be specified if rule contains line breaks");
        if (Value reason = rule["reason"]; reason.is_set())
            one_of(errors, at.child("reason"), reason.as_string(),
                   {"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"});
    });
}

void validate_schema(FieldErrors& errors, const FieldPath& path, Value schema, SchemaPlace place, int depth) {
    constexpr int kDepthMost = 200;
    if (!schema.is_map() || depth > kDepthMost) return;
    validate_schema_node(errors, path, schema, place);
    validate_rules(errors, path, schema);
    SchemaPlace field{false, place.in_logic, "object fields"}, item{false, place.in_logic, "array items"};
    for (const Member& property : schema["properties"].members())
        validate_schema(errors, path.entry("properties", property.name), property.value, field, depth + 1);
    if (schema["additionalProperties"].is_map())
        validate_schema(errors, path.child("additionalProperties"), schema["additionalProperties"], field,
                        depth + 1);
    if (Value items = schema["items"]; items.is_list())
        errors.forbidden(path.child("items"), "items must be a schema object and not an array");
    else if (items.is_map())
        validate_schema(errors, path.child("items"), items, item, depth + 1);
    SchemaPlace logic{false, true, {}};
    for (std::string_view name : {"allOf", "anyOf", "oneOf"})
        each(schema, name, path,
             [&](Value part, const FieldPath& at) { validate_schema(errors, at, part, logic, depth + 1); });
    if (schema["not"].is_map()) validate_schema(errors, path.child("not"), schema["not"], logic, depth + 1);
}

void validate_subresources(FieldErrors& errors, const FieldPath& path, Value subresources) {
    Value scale = subresources["scale"];
    if (!scale.is_map()) return;
    const FieldPath at = path.child("scale");
    auto check_path = [&](std::string_view name, std::string_view prefix, bool required) {
        std::string_view text = scale[name].as_string();
        if (text.empty()) {
            if (required) errors.required(at.child(name));
            return;
        }
        bool fits = text.starts_with(prefix) || (name == "labelSelectorPath" && text.starts_with(".spec."));
        if (!fits)
            errors.invalid(
                at.child(name), text,
                name == "labelSelectorPath"
                    ? "should be a json path under either .status or .spec"
                    : "should be a json path under " + std::string(prefix.substr(0, prefix.size() - 1)));
    };
    check_path("specReplicasPath", ".spec.", true);
    check_path("statusReplicasPath", ".status.", true);
    check_path("labelSelectorPath", ".status.", false);
}

void validate_conversion(FieldErrors& errors, const FieldPath& path, Value conversion) {
    if (!conversion.is_map()) return;
    std::string_view strategy = conversion["strategy"].as_string();
    if (strategy.empty())
        errors.required(path.child("strategy"));
    else
        one_of(errors, path.child("strategy"), strategy, {"None", "Webhook"});
    Value webhook = conversion["webhook"], config = webhook["clientConfig"];
    const FieldPath config_path = path.child("webhookClientConfig");
    if (strategy == "Webhook") {
        if (!config.is_map()) {
            errors.required(config_path, "required when strategy is set to Webhook");
        } else if (config["url"].is_set() == config["service"].is_set()) {
            errors.required(config_path, "exactly one of url or service is required");
        } else if (config["url"].is_set()) {
            validate_webhook_url(errors, config_path.child("url"), config["url"].as_string(), true);
        } else {
            validate_webhook_service(errors, config_path.child("service"), config["service"]);
        }
        Value versions = webhook["conversionReviewVersions"];
        const FieldPath versions_path = path.child("conversionReviewVersions");
        if (versions.empty())
            errors.required(versions_path);
        else if (!contains(versions, "v1") && !contains(versions, "v1beta1"))
            errors.invalid(versions_path, versions, "must include at least one of v1, v1beta1");
    } else {
        if (config.is_map())
            errors.forbidden(config_path, "should not be set when strategy is not set to Webhook");
        if (!webhook["conversionReviewVersions"].empty())
            errors.forbidden(path.child("conversionReviewVersions"),
                             "should not be set when strategy is not set to Webhook");
    }
}

void validate_selectable(FieldErrors& errors, const FieldPath& path, Value holder) {
    Value fields = holder["selectableFields"];
    if (fields.size() > 8)
        errors.too_many(path.child("selectableFields"), static_cast<std::int64_t>(fields.size()), 8);
    std::set<std::string_view> seen;
    each(holder, "selectableFields", path, [&](Value field, const FieldPath& at) {
        std::string_view text = field["jsonPath"].as_string();
        if (text.empty()) return errors.required(at.child("jsonPath"));
        if (!text.starts_with('.') || text.starts_with(".metadata"))
            errors.invalid(at.child("jsonPath"), text,
                           "is an invalid path: must be a field path starting with . and outside metadata");
        if (!seen.insert(text).second) errors.duplicate(at.child("jsonPath"), text);
    });
}

void validate_version_parts(FieldErrors& errors, const FieldPath& path, Value version, bool own_schema,
                            bool own_columns, bool own_subresources) {
    if (Value schema = version.path({"schema", "openAPIV3Schema"}); own_schema && schema.is_map())
        validate_schema(errors, path.child("schema.openAPIV3Schema"), schema, SchemaPlace{true, false, {}},
                        0);
    if (own_subresources) validate_subresources(errors, path.child("subresources"), version["subresources"]);
    if (own_columns)
        each(version, "additionalPrinterColumns", path,
             [&](Value column, const FieldPath& at) { validate_column(errors, at, column); });
    Value warning = version["deprecationWarning"];
    if (warning.is_set()) {
        const FieldPath at = path.child("deprecationWarning");
        if (!version["deprecated"].as_boolean())
            errors.invalid(at, warning.as_string(), "can only be set for deprecated versions");
        if (warning.size() > 256) errors.invalid(at, warning.as_string(), "must be <= 256 characters long");
        if (warning.empty()) errors.invalid(at, warning.as_string(), "must not be empty");
    }
}

void validate_definition_spec(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::string_view group = spec["group"].as_string();
    if (group.empty())
        errors.required(path.child("group"));
    else if (Messages messages = is_dns1123_subdomain(group); !messages.empty())
        joined(errors, path.child("group"), group, messages);
    else if (split(group, '.').size() < 2)
        errors.invalid(path.child("group"), group, "should be a domain with at least one dot");
    std::string_view scope = spec["scope"].as_string();
    if (scope.empty())
        errors.required(path.child("scope"));
    else
        one_of(errors, path.child("scope"), scope, {"Cluster", "Namespaced"});
    if (spec["preserveUnknownFields"].as_boolean())
        errors.invalid(path.child("preserveUnknownFields"), true,
                       "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                       "spec.versions[*].schema instead");
    Value versions = spec["versions"];
    bool shared_schema = same_in_all(versions, "schema"),
         shared_columns = same_in_all(versions, "additionalPrinterColumns"),
         shared_subresources = same_in_all(versions, "subresources");
    int stored = 0;
    bool unique = true;
    std::set<std::string_view> names;
    each(spec, "versions", path, [&](Value version, const FieldPath& at) {
        if (version["storage"].as_boolean()) ++stored;
        std::string_view name = version["name"].as_string();
        unique = names.insert(name).second && unique;
        joined(errors, at.child("name"), name, is_dns1035_label(name));
        validate_version_parts(errors, at, version, !shared_schema, !shared_columns, !shared_subresources);
        validate_selectable(errors, at, version);
    });
    if (!unique)
        errors.invalid(path.child("versions"), BadValue::go_structure(versions),
                       "must contain unique version names");
    if (stored != 1)
        errors.invalid(path.child("versions"), BadValue::go_structure(versions),
                       "must have exactly one version marked as storage version");
    validate_names(errors, path.child("names"), spec["names"]);
    Value first = versions.at(0);
    if (shared_columns)
        each(first, "additionalPrinterColumns", path,
             [&](Value column, const FieldPath& at) { validate_column(errors, at, column); });
    if (Value schema = first.path({"schema", "openAPIV3Schema"}); shared_schema && schema.is_map())
        validate_schema(errors, path.child("validation.openAPIV3Schema"), schema,
                        SchemaPlace{true, false, {}}, 0);
    if (shared_subresources) validate_subresources(errors, path.child("subresources"), first["subresources"]);
    validate_conversion(errors, path.child("conversion"), spec["conversion"]);
    each(spec, "versions", path, [&](Value version, const FieldPath& at) {
        if (version.path({"schema", "openAPIV3Schema"}).is_unset())
            errors.required(at.child("schema.openAPIV3Schema"));
    });
}

void validate_stored_versions(FieldErrors& errors, Value object) {
    const FieldPath status("status");
    const FieldPath path = status.child("storedVersions");
    Value stored = object.path({"status", "storedVersions"});
    if (stored.empty()) return errors.invalid(path, stored, "must have at least one stored version");
    Value versions = object.path({"spec", "versions"});
    for (Value version : versions.items())
        if (version["storage"].as_boolean() && !contains(stored, version["name"].as_string()))
            errors.invalid(path, stored, "must have the storage version " + version["name"].to_string());
    for (std::size_t i = 0; i < stored.size(); ++i) {
        bool known = false;
        for (Value version : versions.items())
            known = known || version["name"].as_string() == stored.at(i).as_string();
        if (!known)
            errors.invalid(
                path.index(i), stored.at(i).as_string(),
                "missing from spec.versions; " + stored.at(i).to_string() +
                    " was previously a storage version, and must remain in spec.versions until a storage "
                    "migration ensures no data remains persisted in " +
                    stored.at(i).to_string() + " and removes " + stored.at(i).to_string() +
                    " from status.storedVersions");
    }
}

}  // namespace

void check_custom_resource_definition(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath metadata("metadata");
    Value object = request.object, spec = request.spec();
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") return validate_stored_versions(errors, object);
    if (!request.is_update()) {
        validate_plain_object_meta(errors, request, [](std::string_view, bool) { return Messages(); });
        std::string_view name = object.path({"metadata", "name"}).as_string();
        std::string expected = spec.path({"names", "plural"}).to_string() + "." + spec["group"].to_string();
        if (!name.empty() && name != expected)
            errors.invalid(metadata.child("name"), name, "must be spec.names.plural+\".\"+spec.group");
    }
    validate_definition_spec(errors, path, spec);
    if (request.is_update()) {
        Value old = request.old_spec();
        bool established = false;
        for (Value condition : request.old.path({"status", "conditions"}).items())
            established = established || (condition["type"].as_string() == "Established" &&
                                          condition["status"].as_string() == "True");
        if (established) {
            immutable(errors, path.child("scope"), spec["scope"], old["scope"]);
            immutable(errors, path.child("names.kind"), spec["names"]["kind"], old["names"]["kind"]);
        }
        immutable(errors, path.child("group"), spec["group"], old["group"]);
        immutable(errors, path.child("names.plural"), spec["names"]["plural"], old["names"]["plural"]);
    }
    validate_stored_versions(errors, object);
    std::string_view group = spec["group"].as_string();
    bool guarded = group == "k8s.io" || group.ends_with(".k8s.io") || group == "kubernetes.io" ||
                   group.ends_with(".kubernetes.io");
    constexpr std::string_view kApproval = "api-approved.kubernetes.io";
    std::string_view approval = object.path({"metadata", "annotations", kApproval}).as_string();
    if (guarded && approval.empty())
        errors.required(metadata.entry("annotations", kApproval),
                        "protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
                        "https://github.com/kubernetes/enhancements/pull/1111");
}

void check_api_service(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath metadata("metadata");
    Value object = request.object, spec = request.spec();
    std::string_view group = spec["group"].as_string(), version = spec["version"].as_string();
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") return;
    validate_plain_object_meta(errors, request, name_is_path_segment);
    std::string required = std::string(version) + "." + std::string(group);
    std::string_view name = object.path({"metadata", "name"}).as_string();
    if (name != required)
        errors.invalid(metadata.child("name"), name,
                       "must be `spec.version+\".\"+spec.group`: " + go_quoted(required));
    if (group.empty() && version != "v1")
        errors.required(path.child("group"), "only v1 may have an empty group and it better be legacy kube");
    if (!group.empty()) joined(errors, path.child("group"), group, is_dns1123_subdomain(group));
    joined(errors, path.child("version"), version, is_dns1035_label(version));
    std::int64_t minimum = spec["groupPriorityMinimum"].as_integer(),
                 priority = spec["versionPriority"].as_integer();
    if (minimum <= 0 || minimum > 20000)
        errors.invalid(path.child("groupPriorityMinimum"), minimum, "must be positive and less than 20000");
    if (priority <= 0 || priority > 1000)
        errors.invalid(path.child("versionPriority"), priority, "must be positive and less than 1000");
    Value service = spec["service"];
    bool insecure = spec["insecureSkipTLSVerify"].as_boolean(), bundle = !spec["caBundle"].empty();
    if (!service.is_map()) {
        if (bundle)
            errors.invalid(path.child("caBundle"),
                           BadValue::raw(std::to_string(spec["caBundle"].size() * 3 / 4) + " bytes"),
                           "local APIServices may not have a caBundle");
        if (insecure)
            errors.invalid(path.child("insecureSkipTLSVerify"), true,
                           "local APIServices may not have insecureSkipTLSVerify");
        return;
    }
    if (service["namespace"].empty()) errors.required(path.child("service.namespace"));
    if (service["name"].empty()) errors.required(path.child("service.name"));
    errors.invalid_each(path.child("service.port"), service["port"].as_integer(),
                        is_port_number(service["port"].as_integer()));
    if (insecure && bundle)
        errors.invalid(path.child("insecureSkipTLSVerify"), true, "may not be true if caBundle is present");
}

}  // namespace keelson::object::validation
