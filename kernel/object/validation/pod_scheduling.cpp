#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

void validate_requirement(FieldErrors& errors, const FieldPath& path, Value requirement) {
    std::string_view operation = requirement["operator"].as_string();
    Value values = requirement["values"];
    if (operation == "In" || operation == "NotIn") {
        if (values.empty())
            errors.required(path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (operation == "Exists" || operation == "DoesNotExist") {
        if (!values.empty())
            errors.forbidden(path.child("values"),
                             "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (operation == "Gt" || operation == "Lt") {
        if (values.size() != 1)
            errors.required(path.child("values"),
                            "must be specified single value when `operator` is 'Lt' or 'Gt'");
    } else {
        errors.invalid(path.child("operator"), operation, "not a valid selector operator");
    }
    validate_label_key(errors, path.child("key"), requirement["key"].as_string());
    each(requirement, "values", path, [&](Value value, const FieldPath& at) {
        if (Messages messages = is_label_value(value.as_string()); !messages.empty())
            errors.invalid_each(at, value.as_string(), messages);
    });
}

void validate_field_requirement(FieldErrors& errors, const FieldPath& path, Value requirement) {
    std::string_view operation = requirement["operator"].as_string();
    if (operation == "In" || operation == "NotIn") {
        if (requirement["values"].size() != 1)
            errors.required(
                path.child("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    } else {
        errors.invalid(path.child("operator"), operation, "not a valid selector operator");
    }
    if (requirement["key"].as_string() != "metadata.name")
        return errors.invalid(path.child("key"), requirement["key"].as_string(),
                              "not a valid field selector key");
    each(requirement, "values", path,
         [&](Value value, const FieldPath& at) { dns1123_subdomain(errors, at, value.as_string()); });
}

void validate_weight(FieldErrors& errors, const FieldPath& path, Value term) {
    std::int64_t weight = term["weight"].as_integer();
    if (weight < 1 || weight > 100)
        errors.invalid(path.child("weight"), weight, "must be in the range 1-100");
}

void validate_match_keys(FieldErrors& errors, const FieldPath& path, Value term, std::string_view name) {
    Value selector = term["labelSelector"];
    if (term[name].empty()) return;
    if (!selector.is_map())
        return errors.forbidden(path.child(name), "must not be specified when labelSelector is not set");
    each(term, name, path,
         [&](Value key, const FieldPath& at) { validate_label_key(errors, at, key.as_string()); });
}

void validate_pod_affinity_term(FieldErrors& errors, const FieldPath& path, Value term) {
    validate_label_selector(errors, path.child("labelSelector"), term["labelSelector"]);
    validate_label_selector(errors, path.child("namespaceSelector"), term["namespaceSelector"]);
    for (Value name : term["namespaces"].items())
        dns1123_label(errors, path.child("namespace"), name.as_string());
    validate_match_keys(errors, path, term, "matchLabelKeys");
    validate_match_keys(errors, path, term, "mismatchLabelKeys");
    each(term, "matchLabelKeys", path, [&](Value key, const FieldPath& at) {
        if (contains(term["mismatchLabelKeys"], key.as_string()))
            errors.invalid(at, key.as_string(), "exists in both matchLabelKeys and mismatchLabelKeys");
    });
    std::string_view topology = term["topologyKey"].as_string();
    if (topology.empty()) errors.required(path.child("topologyKey"), "can not be empty");
    validate_label_key(errors, path.child("topologyKey"), topology);
}

void validate_pod_affinity(FieldErrors& errors, const FieldPath& path, Value affinity) {
    each(affinity, "requiredDuringSchedulingIgnoredDuringExecution", path,
         [&](Value term, const FieldPath& at) { validate_pod_affinity_term(errors, at, term); });
    each(affinity, "preferredDuringSchedulingIgnoredDuringExecution", path,
         [&](Value term, const FieldPath& at) {
             validate_weight(errors, at, term);
             validate_pod_affinity_term(errors, at.child("podAffinityTerm"), term["podAffinityTerm"]);
         });
}

}  // namespace

void validate_node_selector_term(FieldErrors& errors, const FieldPath& path, Value term) {
    each(term, "matchExpressions", path,
         [&](Value requirement, const FieldPath& at) { validate_requirement(errors, at, requirement); });
    each(term, "matchFields", path, [&](Value requirement, const FieldPath& at) {
        validate_field_requirement(errors, at, requirement);
    });
}

void validate_node_selector(FieldErrors& errors, const FieldPath& path, Value selector) {
    if (selector["nodeSelectorTerms"].empty())
        return errors.required(path.child("nodeSelectorTerms"), "must have at least one node selector term");
    each(selector, "nodeSelectorTerms", path,
         [&](Value term, const FieldPath& at) { validate_node_selector_term(errors, at, term); });
}

void validate_topology_selector_terms(FieldErrors& errors, const FieldPath& path, Value terms) {
    auto items = terms.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const FieldPath term_path = path.index(i);
        std::vector<std::string_view> seen;
        each(items[i], "matchLabelExpressions", term_path, [&](Value requirement, const FieldPath& at) {
            std::string_view key = requirement["key"].as_string();
            std::vector<std::string_view> values;
            if (requirement["values"].empty()) errors.required(at.child("values"));
            each(requirement, "values", at, [&](Value value, const FieldPath& value_path) {
                for (std::string_view other : values)
                    if (other == value.as_string()) return errors.duplicate(value_path, value.as_string());
                values.push_back(value.as_string());
            });
            validate_label_key(errors, at.child("key"), key);
            for (std::string_view other : seen)
                if (other == key) errors.duplicate(at.child("key"), key);
            seen.push_back(key);
        });
    }
    for (std::size_t i = 0; i < items.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (items[i].equals(items[j])) {
                errors.duplicate(path.index(i), "");
                break;
            }
}

void validate_affinity(FieldErrors& errors, const FieldPath& path, Value affinity) {
    if (Value node = affinity["nodeAffinity"]; node.is_map()) {
        const FieldPath at = path.child("nodeAffinity");
        if (Value required = node["requiredDuringSchedulingIgnoredDuringExecution"]; required.is_map())
            validate_node_selector(errors, at.child("requiredDuringSchedulingIgnoredDuringExecution"),
                                   required);
        each(node, "preferredDuringSchedulingIgnoredDuringExecution", at,
             [&](Value term, const FieldPath& term_path) {
                 validate_weight(errors, term_path, term);
                 validate_node_selector_term(errors, term_path.child("preference"), term["preference"]);
             });
    }
    if (Value pod = affinity["podAffinity"]; pod.is_map())
        validate_pod_affinity(errors, path.child("podAffinity"), pod);
    if (Value pod = affinity["podAntiAffinity"]; pod.is_map())
        validate_pod_affinity(errors, path.child("podAntiAffinity"), pod);
}

void validate_taint_effect(FieldErrors& errors, const FieldPath& path, std::string_view effect,
                           bool allow_empty) {
    if (effect.empty()) {
        if (!allow_empty) errors.required(path);
        return;
    }
    one_of(errors, path, effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"});
}

void validate_tolerations(FieldErrors& errors, const FieldPath& path, Value tolerations) {
    auto items = tolerations.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const FieldPath at = path.index(i);
        Value toleration = items[i];
        std::string_view key = toleration["key"].as_string();
        std::string_view operation = toleration["operator"].as_string();
        std::string_view effect = toleration["effect"].as_string();
        if (!key.empty()) validate_label_key(errors, at.child("key"), key);
        if (key.empty() && operation != "Exists")
            errors.invalid(
                at.child("operator"), operation,
                "operator must be Exists when `key` is empty, which means \"match all values and all "
                "keys\"");
        if (toleration["tolerationSeconds"].is_set() && effect != "NoExecute")
            errors.invalid(at.child("effect"), effect,
                           "effect must be 'NoExecute' when `tolerationSeconds` is set");
        if (operation.empty() || operation == "Equal") {
            std::string_view value = toleration["value"].as_string();
            if (Messages messages = is_label_value(value); !messages.empty())
                errors.invalid(at.child("operator"), value, join_messages(messages, ";"));
        } else if (operation == "Exists") {
            if (!toleration["value"].empty())
                errors.invalid(at.child("operator"), BadValue::go_structure(toleration),
                               "value must be empty when `operator` is 'Exists'");
        } else {
            errors.not_supported(at.child("operator"), operation, {"Equal", "Exists"});
        }
        validate_taint_effect(errors, at.child("effect"), effect, true);
    }
}

void validate_topology_spread(FieldErrors& errors, const FieldPath& path, Value constraints) {
    auto items = constraints.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const FieldPath at = path.index(i);
        Value constraint = items[i];
        if (std::int64_t skew = constraint["maxSkew"].as_integer(); skew <= 0)
            errors.invalid(at.child("maxSkew"), skew, "must be greater than zero");
        std::string_view topology = constraint["topologyKey"].as_string();
        std::string_view action = constraint["whenUnsatisfiable"].as_string();
        if (topology.empty()) errors.required(at.child("topologyKey"), "can not be empty");
        one_of(errors, at.child("whenUnsatisfiable"), action, {"DoNotSchedule", "ScheduleAnyway"});
        for (std::size_t j = i + 1; j < items.size(); ++j)
            if (items[j]["topologyKey"].as_string() == topology &&
                items[j]["whenUnsatisfiable"].as_string() == action) {
                errors.duplicate(at.child("{topologyKey, whenUnsatisfiable}"),
                                 "{" + std::string(topology) + ", " + std::string(action) + "}");
                break;
            }
        if (Value domains = constraint["minDomains"]; domains.is_set()) {
            if (domains.as_integer() <= 0)
                errors.invalid(at.child("minDomains"), domains.as_integer(), "must be greater than zero");
            if (action != "DoNotSchedule")
                errors.invalid(
                    at.child("minDomains"), domains.as_integer(),
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + std::string(action));
        }
        for (std::string_view name : {"nodeAffinityPolicy", "nodeTaintsPolicy"})
            if (constraint[name].is_set())
                one_of(errors, at.child(name), constraint[name].as_string(), {"Honor", "Ignore"});
        validate_match_keys(errors, at, constraint, "matchLabelKeys");
        if (Value selector = constraint["labelSelector"]; selector.is_map()) {
            each(constraint, "matchLabelKeys", at, [&](Value key, const FieldPath& key_path) {
                bool listed = selector["matchLabels"].has(key.as_string());
                for (Value expression : selector["matchExpressions"].items())
                    listed = listed || expression["key"].as_string() == key.as_string();
                if (listed)
                    errors.invalid(key_path, key.as_string(),
                                   "exists in both matchLabelKeys and labelSelector");
            });
            validate_label_selector(errors, at.child("labelSelector"), selector);
        }
    }
}

}  // namespace keelson::object::validation
