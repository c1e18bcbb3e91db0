#include "kernel/resource/quota_usage.h"

#include <algorithm>
#include <array>

#include "kernel/object/time_format.h"

namespace keelson::resource {
namespace {

using object::Member;
using object::Quantity;
using object::Value;

constexpr std::string_view kClassInfix = ".storageclass.storage.k8s.io/";
constexpr std::string_view kHugePages = "hugepages-";
constexpr std::string_view kRequests = "requests.";
constexpr std::array<std::string_view, 10> kPodNames{"pods",
                                                     "cpu",
                                                     "memory",
                                                     "ephemeral-storage",
                                                     "requests.cpu",
                                                     "requests.memory",
                                                     "requests.ephemeral-storage",
                                                     "limits.cpu",
                                                     "limits.memory",
                                                     "limits.ephemeral-storage"};
// Without naming them, a container would be unlimited.
constexpr std::array<std::string_view, 6> kNeeded{
    "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"};
// Resources of the core group that count under their plain names.
constexpr std::array<std::string_view, 4> kPlainNames{"configmaps", "resourcequotas",
                                                      "replicationcontrollers", "secrets"};

template <std::size_t Size>
bool is_one_of(const std::array<std::string_view, Size>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

std::string count_name(std::string_view group, std::string_view resource) {
    std::string name = "count/" + std::string(resource);
    if (!group.empty()) name += "." + std::string(group);
    return name;
}

bool is_extended(std::string_view name) {
    return name.find('/') != std::string_view::npos && name.find("kubernetes.io/") == std::string_view::npos;
}

bool is_of_pods(std::string_view name) {
    if (is_one_of(kPodNames, name) || name.starts_with(kHugePages)) return true;
    if (!name.starts_with(kRequests)) return false;
    name.remove_prefix(kRequests.size());
    return name.starts_with(kHugePages) || is_extended(name);
}

void raise_to(Amounts& amounts, const Amounts& least) {
    for (const auto& [name, amount] : least) {
        const auto [mine, is_new] = amounts.emplace(name, amount);
        if (!is_new && mine->second < amount) mine->second = amount;
    }
}

bool is_sidecar(Value init_container) {
    return init_container["restartPolicy"].as_string() == "Always";
}

// What a pod needs at most at one time: all containers and sidecars, or an init container beside the sidecars
// that were started before it.
Amounts pod_total(Value spec, std::string_view list) {
    Amounts running;
    for (const Value container : spec["containers"].items())
        add_amounts(running, amounts_of(container["resources"][list]));
    Amounts sidecars;
    Amounts starting;
    for (const Value container : spec["initContainers"].items()) {
        Amounts own = amounts_of(container["resources"][list]);
        if (is_sidecar(container)) {
            add_amounts(running, own);
            add_amounts(sidecars, own);
            raise_to(starting, sidecars);
        } else {
            add_amounts(own, sidecars);
            raise_to(starting, own);
        }
    }
    raise_to(running, starting);
    // What is said for the pod as a whole replaces the sum.
    for (const auto& [name, amount] : amounts_of(spec["resources"][list])) running[name] = amount;
    for (const auto& [name, amount] : amounts_of(spec["overhead"]))
        if (list == "requests" || running.contains(name)) running[name].add(amount);
    return running;
}

// Under the names of quotas.
Amounts renamed(const Amounts& requests, const Amounts& limits) {
    Amounts usage;
    for (const auto& [name, amount] : requests) {
        const bool is_native =
            name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with(kHugePages);
        if (is_native) usage[name] = amount;
        if (is_native || is_extended(name)) usage[std::string(kRequests) + name] = amount;
    }
    for (const auto& [name, amount] : limits)
        if (name == "cpu" || name == "memory" || name == "ephemeral-storage")
            usage["limits." + name] = amount;
    return usage;
}

bool has_ended(Value pod, base::WallTime now) {
    const std::string_view phase = pod["status"]["phase"].as_string();
    if (phase == "Succeeded" || phase == "Failed") return true;
    const Value metadata = pod["metadata"];
    const auto deletion = object::parse_time(metadata["deletionTimestamp"].as_string());
    const Value grace = metadata["deletionGracePeriodSeconds"];
    // One that should have been gone by now: its node does not answer.
    return deletion && grace.is_set() && object::instant_of(now).seconds > deletion->seconds;
}

Amounts pod_usage(Value pod, base::WallTime now) {
    if (has_ended(pod, now)) return {};
    Amounts usage = renamed(pod_total(pod["spec"], "requests"), pod_total(pod["spec"], "limits"));
    usage["pods"] = Quantity(1);
    return usage;
}

Amounts service_usage(Value service) {
    Amounts usage{{"services", Quantity(1)}};
    const Value spec = service["spec"];
    const std::string_view type = spec["type"].as_string();
    std::int64_t ports = static_cast<std::int64_t>(spec["ports"].size());
    if (type == "LoadBalancer") {
        usage["services.loadbalancers"] = Quantity(1);
        const Value allocates = spec["allocateLoadBalancerNodePorts"];
        if (allocates.is_set() && !allocates.as_boolean())
            ports = std::ranges::count_if(spec["ports"].items(),
                                          [](Value port) { return port["nodePort"].as_integer() != 0; });
    }
    if (type == "LoadBalancer" || type == "NodePort") usage["services.nodeports"] = Quantity(ports);
    return usage;
}

Amounts claim_usage(Value claim) {
    Amounts usage{{"persistentvolumeclaims", Quantity(1)}};
    Quantity size = amounts_of(claim["spec"]["resources"]["requests"])["storage"];
    // While it grows or shrinks the larger one counts.
    const Quantity allocated = amounts_of(claim["status"]["allocatedResources"])["storage"];
    if (size < allocated) size = allocated;
    usage["requests.storage"] = size;
    const std::string storage_class = claim["spec"]["storageClassName"].to_string();
    if (storage_class.empty()) return usage;
    const std::string prefix = storage_class + std::string(kClassInfix);
    usage[prefix + "persistentvolumeclaims"] = Quantity(1);
    usage[prefix + "requests.storage"] = size;
    return usage;
}

bool is_best_effort(Value pod) {
    const auto has_none = [](Value holder) {
        for (const std::string_view list : {"requests", "limits"})
            for (const auto& [name, amount] : amounts_of(holder["resources"][list]))
                if ((name == "cpu" || name == "memory") && !amount.is_zero()) return false;
        return true;
    };
    const Value spec = pod["spec"];
    return has_none(spec) && std::ranges::all_of(spec["containers"].items(), has_none) &&
           std::ranges::all_of(spec["initContainers"].items(), has_none);
}

bool reaches_other_namespaces(Value pod) {
    const auto reaches = [](Value term) {
        return !term["namespaces"].empty() || term["namespaceSelector"].is_set();
    };
    for (const std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
        const Value affinity = pod["spec"]["affinity"][kind];
        for (const Value term : affinity["requiredDuringSchedulingIgnoredDuringExecution"].items())
            if (reaches(term)) return true;
        for (const Value term : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items())
            if (reaches(term["podAffinityTerm"])) return true;
    }
    return false;
}

bool has_value(std::string_view value, std::string_view op, Value wanted) {
    if (op == "Exists") return !value.empty();
    if (op == "DoesNotExist") return value.empty();
    const bool is_listed = !value.empty() && std::ranges::any_of(wanted.items(), [&](Value one) {
        return one.as_string() == value;
    });
    return is_listed == (op == "In");
}

bool is_pod_in(Value pod, std::string_view scope, std::string_view op, Value values) {
    if (scope == "Terminating") return pod["spec"]["activeDeadlineSeconds"].is_set();
    if (scope == "NotTerminating") return pod["spec"]["activeDeadlineSeconds"].is_unset();
    if (scope == "BestEffort") return is_best_effort(pod);
    if (scope == "NotBestEffort") return !is_best_effort(pod);
    if (scope == "CrossNamespacePodAffinity") return reaches_other_namespaces(pod);
    if (scope == "PriorityClass") return has_value(pod["spec"]["priorityClassName"].as_string(), op, values);
    return false;
}

}  // namespace

Amounts amounts_of(Value list) {
    Amounts amounts;
    for (const Member& entry : list.members()) {
        const auto amount = Quantity::parse(entry.value.as_string());
        amounts.emplace(entry.name, amount ? *amount : Quantity());
    }
    return amounts;
}

void add_amounts(Amounts& to, const Amounts& more) {
    for (const auto& [name, amount] : more) {
        const auto [mine, is_new] = to.emplace(name, amount);
        if (!is_new) mine->second.add(amount);
    }
}

Amounts masked(const Amounts& amounts, const std::set<std::string>& names) {
    Amounts kept;
    for (const auto& [name, amount] : amounts)
        if (names.contains(name)) kept.emplace(name, amount);
    return kept;
}

std::string to_text(const Amounts& amounts) {
    std::string text;
    for (const auto& [name, amount] : amounts)
        text += (text.empty() ? "" : ",") + name + "=" + amount.to_string();
    return text;
}

bool counts_under(std::string_view group, std::string_view resource, std::string_view name) {
    if (name == count_name(group, resource)) return true;
    if (!group.empty()) return false;
    if (resource == "pods") return is_of_pods(name);
    if (resource == "services") return name == "services" || name.starts_with("services.");
    if (resource == "persistentvolumeclaims")
        return name == resource || name == "requests.storage" ||
               name.find(kClassInfix) != std::string_view::npos;
    return name == resource && is_one_of(kPlainNames, name);
}

Amounts quota_usage_of(std::string_view group, std::string_view resource, Value object, base::WallTime now) {
    Amounts usage;
    if (group.empty() && resource == "pods")
        usage = pod_usage(object, now);
    else if (group.empty() && resource == "services")
        usage = service_usage(object);
    else if (group.empty() && resource == "persistentvolumeclaims")
        usage = claim_usage(object);
    else if (group.empty() && is_one_of(kPlainNames, resource))
        usage.emplace(resource, Quantity(1));
    usage.emplace(count_name(group, resource), Quantity(1));
    return usage;
}

bool is_in_scope(Value quota, std::string_view group, std::string_view resource, Value object) {
    const Value spec = quota["spec"];
    const bool is_pod = group.empty() && resource == "pods";
    const bool is_claim = group.empty() && resource == "persistentvolumeclaims";
    const auto is_in = [&](std::string_view scope, std::string_view op, Value values) {
        if (is_pod) return is_pod_in(object, scope, op, values);
        return is_claim && scope == "VolumeAttributesClass" &&
               has_value(object["spec"]["volumeAttributesClassName"].as_string(), op, values);
    };
    for (const Value scope : spec["scopes"].items())
        if (!is_in(scope.as_string(), "Exists", {})) return false;
    for (const Value expression : spec["scopeSelector"]["matchExpressions"].items())
        if (!is_in(expression["scopeName"].as_string(), expression["operator"].as_string(),
                   expression["values"]))
            return false;
    return true;
}

std::string missing_for_quota(Value pod, const std::set<std::string>& names) {
    std::map<std::string, std::set<std::string>> missing;  // containers by name
    const Amounts of_pod = renamed(amounts_of(pod["spec"]["resources"]["requests"]),
                                   amounts_of(pod["spec"]["resources"]["limits"]));
    const auto look_at = [&](Value container) {
        const Value resources = container["resources"];
        const Amounts named = renamed(amounts_of(resources["requests"]), amounts_of(resources["limits"]));
        for (const std::string& name : names)
            if (is_one_of(kNeeded, name) && !named.contains(name) && !of_pod.contains(name))
                missing[name].insert(container["name"].to_string());
    };
    for (const Value container : pod["spec"]["containers"].items()) look_at(container);
    for (const Value container : pod["spec"]["initContainers"].items()) look_at(container);
    std::string text;
    for (const auto& [name, containers] : missing) {
        text += (text.empty() ? "" : "; ") + name + " for: ";
        bool is_first = true;
        for (const std::string& container : containers) {
            text += (is_first ? "" : ",") + container;
            is_first = false;
        }
    }
    return text;
}

}  // namespace keelson::resource
