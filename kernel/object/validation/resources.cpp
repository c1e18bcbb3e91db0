#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kStandardResources[] = {
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
};

bool is_overcommit_allowed(std::string_view name) {
    return is_native_resource(name) && !is_hugepages(name);
}

}  // namespace

Quantity quantity_of(Value value) {
    auto parsed = Quantity::parse(value.as_string());
    return parsed ? *parsed : Quantity();
}

bool is_hugepages(std::string_view name) {
    return name.starts_with("hugepages-");
}

bool is_native_resource(std::string_view name) {
    return name.find('/') == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos;
}

bool is_extended_resource(std::string_view name) {
    if (is_native_resource(name) || name.starts_with("requests.")) return false;
    return is_qualified_name("requests." + std::string(name)).empty();
}

bool is_standard_container_resource(std::string_view name) {
    return name == "cpu" || name == "memory" || name == "ephemeral-storage" || is_hugepages(name);
}

bool is_integer_resource(std::string_view name) {
    constexpr std::string_view kIntegers[] = {
        "pods",       "resourcequotas",         "services",           "replicationcontrollers", "secrets",
        "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers"};
    return std::ranges::find(kIntegers, name) != std::end(kIntegers) || is_extended_resource(name);
}

void validate_not_negative_quantity(FieldErrors& errors, const FieldPath& path, Value value) {
    if (quantity_of(value).sign() < 0) errors.invalid(path, value.as_string(), kNotNegative);
}

void validate_resource_quantity(FieldErrors& errors, const FieldPath& path, std::string_view resource,
                                Value value) {
    Quantity quantity = quantity_of(value);
    if (quantity.sign() < 0) errors.invalid(path, value.as_string(), kNotNegative);
    if (is_integer_resource(resource) && quantity.milli_value() % 1000 != 0)
        errors.invalid(path, value.as_string(), "must be an integer");
}

void validate_resource_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    std::size_t before = errors.size();
    qualified_name(errors, path, name);
    if (errors.size() != before || name.find('/') != std::string_view::npos) return;
    bool standard = std::ranges::find(kStandardResources, name) != std::end(kStandardResources) ||
                    is_hugepages(name) || name.starts_with("requests.hugepages-");
    if (!standard) errors.invalid(path, name, "must be a standard resource type or fully qualified");
}

void validate_container_resource_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    validate_resource_name(errors, path, name);
    if (name.find('/') == std::string_view::npos) {
        if (!is_standard_container_resource(name))
            errors.invalid(path, name, "must be a standard resource for containers");
    } else if (!is_native_resource(name) && !is_extended_resource(name)) {
        errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

void validate_resource_requirements(FieldErrors& errors, const FieldPath& path, Value requirements,
                                    Value claim_names) {
    Value limits = requirements["limits"];
    Value requests = requirements["requests"];
    bool has_hugepages = false, has_cpu_or_memory = false;
    auto note = [&](std::string_view name) {
        if (is_hugepages(name)) has_hugepages = true;
        if (name == "cpu" || name == "memory") has_cpu_or_memory = true;
    };
    auto hugepages_fit = [&](const FieldPath& at, std::string_view name, Value amount) {
        if (!is_hugepages(name)) return;
        auto size = Quantity::parse(name.substr(10));
        if (!size || size->value() <= 0) {
            errors.invalid(at, amount.as_string(), "resource names must have the hugepages- prefix");
        } else if (quantity_of(amount).value() % size->value() != 0) {
            errors.invalid(at, amount.as_string(), "must be an integer multiple of hugepage size");
        }
    };
    const FieldPath limits_path = path.child("limits");
    const FieldPath requests_path = path.child("requests");
    for (const Member& limit : limits.members()) {
        const FieldPath at = limits_path.key(limit.name);
        validate_container_resource_name(errors, at, limit.name);
        validate_resource_quantity(errors, at, limit.name, limit.value);
        note(limit.name);
        hugepages_fit(at, limit.name, limit.value);
    }
    for (const Member& request : requests.members()) {
        const FieldPath at = requests_path.key(request.name);
        validate_container_resource_name(errors, at, request.name);
        validate_resource_quantity(errors, at, request.name, request.value);
        Value limit = limits[request.name];
        std::string name(request.name);
        if (limit.is_set()) {
            Quantity wanted = quantity_of(request.value), most = quantity_of(limit);
            if (!(wanted == most) && !is_overcommit_allowed(request.name))
                errors.invalid(requests_path, request.value.as_string(),
                               "must be equal to " + name + " limit of " + limit.to_string());
            else if (wanted > most)
                errors.invalid(requests_path, request.value.as_string(),
                               "must be less than or equal to " + name + " limit of " + limit.to_string());
        } else if (!is_overcommit_allowed(request.name)) {
            errors.required(limits_path, "Limit must be set for non overcommitable resources");
        }
        note(request.name);
        hugepages_fit(at, request.name, request.value);
    }
    if (has_hugepages && !has_cpu_or_memory) errors.forbidden(path, "HugePages require cpu or memory");
    auto claims = requirements["claims"].items();
    for (std::size_t i = 0; i < claims.size(); ++i) {
        const FieldPath at = path.item("claims", i);
        std::string_view name = claims[i]["name"].as_string();
        std::string_view request = claims[i]["request"].as_string();
        if (name.empty()) {
            errors.required(at.child("name"));
            continue;
        }
        bool duplicate = false;
        for (std::size_t j = 0; j < i; ++j)
            duplicate = duplicate || (claims[j]["name"].as_string() == name &&
                                      claims[j]["request"].as_string() == request);
        if (duplicate) errors.duplicate(at, name);
        bool known = false;
        for (Value claim : claim_names.items()) known = known || claim["name"].as_string() == name;
        if (!known) errors.not_found(at.child("name"), name);
    }
}

}  // namespace keelson::object::validation
