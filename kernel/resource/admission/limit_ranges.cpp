// LimitRanges: default requests and limits for containers, and the bounds that pods, containers and claims
// keep. Rules and wording follow Kubernetes' LimitRanger
// (https://kubernetes.io/docs/concepts/policy/limit-range/).
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/object/quantity.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {
namespace {

using base::Result;
using object::Arena;
using object::Member;
using object::Quantity;
using object::Value;

Result<std::vector<Value>> limits_of(const AdmissionRequest& request) {
    std::vector<Value> limits;
    KEELSON_TRY_VOID(
        request.lookup.each("", "limitranges", request.call.namespace_name, request.arena, [&](Value range) {
            for (Value item : range["spec"]["limits"].items()) limits.push_back(item);
        }));
    return limits;
}

std::string join(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

// Fills what is missing of one resource list; the names that were set.
std::set<std::string> fill(Value container, std::string_view list, Value defaults, Arena& arena) {
    std::set<std::string> filled;
    if (defaults.empty()) return filled;
    Value resources = container.child_map(arena, "resources");
    for (const Member& entry : defaults.members()) {
        if (resources[list].has(entry.name)) continue;
        resources.child_map(arena, list).set(arena, entry.name, entry.value);
        filled.insert(std::string(entry.name));
    }
    if (resources[list].is_map()) resources[list].sort_members();
    return filled;
}

void merge_defaults(Value into, Value defaults, Arena& arena) {
    for (const Member& entry : defaults.members())
        if (!into.has(entry.name)) into.set(arena, entry.name, entry.value);
}

void apply_container_defaults(const std::vector<Value>& limits, Value pod, Arena& arena) {
    Value default_limits = Value::map(arena), default_requests = Value::map(arena);
    for (Value limit : limits) {
        if (limit["type"].as_string() != "Container") continue;
        merge_defaults(default_requests, limit["defaultRequest"], arena);
        merge_defaults(default_limits, limit["default"], arena);
    }
    std::vector<std::string> notes;
    for (auto [list, label] :
         {std::pair<std::string_view, std::string_view>{"containers", "container"},
          std::pair<std::string_view, std::string_view>{"initContainers", "init container"}}) {
        for (Value container : pod["spec"][list].items()) {
            std::string name = std::string(label) + " " + container["name"].to_string();
            auto requests = fill(container, "requests", default_requests, arena);
            auto set_limits = fill(container, "limits", default_limits, arena);
            if (!requests.empty()) notes.push_back(join(requests) + " request for " + name);
            if (!set_limits.empty()) notes.push_back(join(set_limits) + " limit for " + name);
        }
    }
    if (notes.empty()) return;
    std::string text = "LimitRanger plugin set: ";
    for (std::size_t i = 0; i < notes.size(); ++i) text += (i == 0 ? "" : "; ") + notes[i];
    pod["metadata"]
        .child_map(arena, "annotations")
        .set(arena, "kubernetes.io/limit-ranger", Value::string(arena, text));
}

struct Bound {
    std::string_view type;
    std::string name;
    const Quantity* request;
    const Quantity* limit;
};

Quantity parse(Value text) {
    auto quantity = Quantity::parse(text.as_string());
    return quantity ? *quantity : Quantity();
}

void check_minimum(const Bound& bound, const Quantity& least, std::vector<std::string>& errors) {
    std::string what =
        "minimum " + bound.name + " usage per " + std::string(bound.type) + " is " + least.to_string();
    if (!bound.request) {
        errors.push_back(what + ".  No request is specified");
        return;
    }
    if (bound.request->compare(least) < 0)
        errors.push_back(what + ", but request is " + bound.request->to_string());
    else if (bound.limit && bound.limit->compare(least) < 0)
        errors.push_back(what + ", but limit is " + bound.limit->to_string());
}

void check_maximum(const Bound& bound, const Quantity& most, std::vector<std::string>& errors) {
    std::string what =
        "maximum " + bound.name + " usage per " + std::string(bound.type) + " is " + most.to_string();
    if (!bound.limit) {
        errors.push_back(what + ".  No limit is specified");
        return;
    }
    if (bound.limit->compare(most) > 0)
        errors.push_back(what + ", but limit is " + bound.limit->to_string());
    else if (bound.request && bound.request->compare(most) > 0)
        errors.push_back(what + ", but request is " + bound.request->to_string());
}

void check_ratio(const Bound& bound, const Quantity& most, std::vector<std::string>& errors) {
    double request = bound.request ? static_cast<double>(bound.request->milli_value()) : 0;
    double limit = bound.limit ? static_cast<double>(bound.limit->milli_value()) : 0;
    std::string what =
        bound.name + " max limit to request ratio per " + std::string(bound.type) + " is " + most.to_string();
    if (request == 0) {
        errors.push_back(what + ", but no request is specified or request is 0");
        return;
    }
    if (limit == 0) {
        errors.push_back(what + ", but no limit is specified or limit is 0");
        return;
    }
    double allowed = static_cast<double>(most.milli_value()) / 1000;
    if (limit / request > allowed) {
        char ratio[64];
        std::snprintf(ratio, sizeof ratio, "%f", limit / request);
        errors.push_back(what + ", but provided ratio is " + ratio);
    }
}

void check_bounds(Value limit, std::string_view type, const std::map<std::string, Quantity>& requests,
                  const std::map<std::string, Quantity>& limits, std::vector<std::string>& errors) {
    auto bound = [&](std::string_view name) {
        std::string key(name);
        auto request = requests.find(key);
        auto most = limits.find(key);
        return Bound{type, key, request == requests.end() ? nullptr : &request->second,
                     most == limits.end() ? nullptr : &most->second};
    };
    for (const Member& entry : limit["min"].members())
        check_minimum(bound(entry.name), parse(entry.value), errors);
    for (const Member& entry : limit["max"].members())
        check_maximum(bound(entry.name), parse(entry.value), errors);
    for (const Member& entry : limit["maxLimitRequestRatio"].members())
        check_ratio(bound(entry.name), parse(entry.value), errors);
}

std::map<std::string, Quantity> quantities(Value list) {
    std::map<std::string, Quantity> result;
    for (const Member& entry : list.members()) result.emplace(std::string(entry.name), parse(entry.value));
    return result;
}

// What a pod needs as a whole: the sum of its containers, or its largest init container when that is more.
std::map<std::string, Quantity> pod_total(Value spec, std::string_view list) {
    std::map<std::string, Quantity> total;
    for (Value container : spec["containers"].items())
        for (auto& [name, quantity] : quantities(container["resources"][list])) total[name].add(quantity);
    for (Value container : spec["initContainers"].items())
        for (auto& [name, quantity] : quantities(container["resources"][list]))
            if (total[name].compare(quantity) < 0) total[name] = quantity;
    return total;
}

}  // namespace

Result<void> limit_range_defaults(const AdmissionRequest& request) {
    if (!request.creates("", "pods")) return base::ok();
    KEELSON_TRY(std::vector<Value> limits, limits_of(request));
    if (!limits.empty()) apply_container_defaults(limits, request.object, request.arena);
    return base::ok();
}

Result<void> limit_range_bounds(const AdmissionRequest& request) {
    bool pod = request.creates("", "pods"), claim = request.creates("", "persistentvolumeclaims");
    if (!pod && !claim) return base::ok();
    KEELSON_TRY(std::vector<Value> limits, limits_of(request));
    std::vector<std::string> errors;
    Value spec = request.object["spec"];
    for (Value limit : limits) {
        std::string_view type = limit["type"].as_string();
        if (pod && type == "Container") {
            for (std::string_view list : {"containers", "initContainers"})
                for (Value container : spec[list].items())
                    check_bounds(limit, type, quantities(container["resources"]["requests"]),
                                 quantities(container["resources"]["limits"]), errors);
        } else if (pod && type == "Pod") {
            check_bounds(limit, type, pod_total(spec, "requests"), pod_total(spec, "limits"), errors);
        } else if (claim && type == "PersistentVolumeClaim") {
            auto requests = quantities(spec["resources"]["requests"]);
            check_bounds(limit, type, requests, requests, errors);
        }
    }
    if (errors.empty()) return base::ok();
    std::string text = errors.front();
    if (errors.size() > 1) {
        text = "[";
        for (std::size_t i = 0; i < errors.size(); ++i) text += (i == 0 ? "" : ", ") + errors[i];
        text += "]";
    }
    return forbidden(*request.call.resource, request.object["metadata"]["name"].as_string(), text);
}

}  // namespace keelson::resource::admission
