#include "kernel/resource/deletion.h"

#include <algorithm>

#include "kernel/object/time_format.h"
#include "kernel/resource/errors.h"

namespace keelson::resource {
namespace {

using base::Result;
using object::Arena;
using object::Resource;
using object::Value;

constexpr std::string_view kOrphan = "orphan";
// What a Go duration can hold; more would lead out of the years that a time can have.
constexpr std::int64_t kLongestGraceSeconds = INT64_MAX / 1'000'000'000;
constexpr std::string_view kForeground = "foregroundDeletion";

Value time_value(base::WallTime time, std::int64_t offset_seconds, Arena& arena) {
    object::Instant instant = object::instant_of(time);
    instant.seconds += offset_seconds;
    return Value::string(arena, object::format_time(instant));
}

bool has_finalizer(Value list, std::string_view name) {
    return std::ranges::any_of(list.items(), [&](Value item) { return item.as_string() == name; });
}

// Orphan, Foreground or Background, from the options, the finalizers that are there, and the kind's default.
std::string_view propagation_of(const Resource& resource, Value finalizers, const DeleteOptions& options) {
    if (resource.delete_dependents == "unsupported") return "Background";
    if (options.propagation_policy) return *options.propagation_policy;
    if (options.orphan_dependents) return *options.orphan_dependents ? "Orphan" : "Background";
    if (has_finalizer(finalizers, kOrphan)) return "Orphan";
    if (has_finalizer(finalizers, kForeground)) return "Foreground";
    return resource.delete_dependents == "orphan" ? "Orphan" : "Background";
}

Value collector_finalizers(const Resource& resource, Value metadata, const DeleteOptions& options,
                           Arena& arena) {
    Value finalizers = metadata["finalizers"];
    std::string_view policy = propagation_of(resource, finalizers, options);
    Value result = Value::list(arena, finalizers.size() + 1);
    for (Value item : finalizers.items())
        if (item.as_string() != kOrphan && item.as_string() != kForeground) result.push_back(arena, item);
    if (policy == "Orphan") result.push_back(arena, Value::reference(kOrphan));
    if (policy == "Foreground") result.push_back(arena, Value::reference(kForeground));
    return result;
}

void bump_generation(Value metadata, Arena& arena) {
    if (std::int64_t generation = metadata["generation"].as_integer(); generation > 0)
        metadata.set(arena, "generation", Value::integer(generation + 1));
}

// How long a pod may take to stop.
std::int64_t grace_seconds(Value pod, const DeleteOptions& options) {
    std::int64_t period = 30;
    if (pod["spec"]["terminationGracePeriodSeconds"].is_integer())
        period = pod["spec"]["terminationGracePeriodSeconds"].as_integer();
    if (options.grace_period_seconds) period = *options.grace_period_seconds;
    // A negative period is left from an old meaning: at once, but not forced.
    if (period < 0) period = 1;
    period = std::min(period, kLongestGraceSeconds);
    std::string_view phase = pod["status"]["phase"].as_string();
    bool nobody_stops_it =
        pod["spec"]["nodeName"].as_string().empty() || phase == "Failed" || phase == "Succeeded";
    return nobody_stops_it ? 0 : period;
}

enum class Graceful : std::uint8_t { no, started, pending };

Graceful mark_graceful(Value pod, const DeleteOptions& options, base::WallTime now, Arena& arena) {
    Value metadata = pod["metadata"];
    std::int64_t period = grace_seconds(pod, options);
    if (metadata["deletionTimestamp"].is_set()) {
        // Only a shorter period than the one that runs has an effect.
        if (!metadata["deletionGracePeriodSeconds"].is_integer()) return Graceful::no;
        std::int64_t running = metadata["deletionGracePeriodSeconds"].as_integer();
        if (running == 0) return Graceful::no;
        if (!options.grace_period_seconds) return Graceful::pending;
        if (period >= running) return Graceful::pending;
        auto deadline = object::parse_time(metadata["deletionTimestamp"].as_string());
        if (deadline) {
            object::Instant moved{deadline->seconds - running + period, 0};
            metadata.set(arena, "deletionTimestamp", Value::string(arena, object::format_time(moved)));
        }
        metadata.set(arena, "deletionGracePeriodSeconds", Value::integer(period));
        return period == 0 ? Graceful::no : Graceful::started;
    }
    metadata.set(arena, "deletionTimestamp", time_value(now, period, arena));
    metadata.set(arena, "deletionGracePeriodSeconds", Value::integer(period));
    bump_generation(metadata, arena);
    return period == 0 ? Graceful::no : Graceful::started;
}

void mark_deleted_now(Value metadata, base::WallTime now, Arena& arena) {
    if (metadata["deletionGracePeriodSeconds"].is_absent()) bump_generation(metadata, arena);
    if (metadata["deletionTimestamp"].is_unset())
        metadata.set(arena, "deletionTimestamp", time_value(now, 0, arena));
    metadata.set(arena, "deletionGracePeriodSeconds", Value::integer(0));
}

// Namespaces word it in a way of their own.
Result<void> check_namespace_preconditions(Value object, const Preconditions& preconditions) {
    Value metadata = object["metadata"];
    auto refuse = [&](std::string_view what, const std::string& wanted, Value have) {
        return conflict("", "namespaces", metadata["name"].as_string(),
                        "Precondition failed: " + std::string(what) + " in precondition: " + wanted + ", " +
                            std::string(what) + " in object meta: " + have.to_string());
    };
    if (preconditions.uid && *preconditions.uid != metadata["uid"].as_string())
        return refuse("UID", *preconditions.uid, metadata["uid"]);
    if (preconditions.resource_version &&
        *preconditions.resource_version != metadata["resourceVersion"].as_string())
        return refuse("ResourceVersion", *preconditions.resource_version, metadata["resourceVersion"]);
    return base::ok();
}

RemovalPlan plan_namespace(Value object, base::WallTime now, Arena& arena) {
    Value metadata = object["metadata"];
    bool kept = !object["spec"]["finalizers"].empty() || !metadata["finalizers"].empty();
    if (metadata["deletionTimestamp"].is_set()) return {kept ? Removal::nothing : Removal::now, object};
    metadata.set(arena, "deletionTimestamp", time_value(now, 0, arena));
    object.child_map(arena, "status").set(arena, "phase", Value::reference("Terminating"));
    return {kept ? Removal::later : Removal::now, object};
}

}  // namespace

Result<void> check_preconditions(const Resource& resource, Value object, const Preconditions& preconditions) {
    Value metadata = object["metadata"];
    std::string kind(resource.kind);
    std::string name = metadata["name"].to_string();
    if (preconditions.uid && *preconditions.uid != metadata["uid"].as_string())
        return conflict(resource.group, kind, name,
                        "the UID in the precondition (" + *preconditions.uid +
                            ") does not match the UID in record (" + metadata["uid"].to_string() +
                            "). The object might have been deleted and then recreated");
    if (preconditions.resource_version &&
        *preconditions.resource_version != metadata["resourceVersion"].as_string())
        return conflict(resource.group, kind, name,
                        "the ResourceVersion in the precondition (" + *preconditions.resource_version +
                            ") does not match the ResourceVersion in record (" +
                            metadata["resourceVersion"].to_string() +
                            "). The object might have been modified");
    return base::ok();
}

Result<RemovalPlan> plan_removal(const Resource& resource, Value object, const DeleteOptions& options,
                                 base::WallTime now, Arena& arena) {
    if (resource.kind == "Namespace" && resource.group.empty()) {
        KEELSON_TRY_VOID(check_namespace_preconditions(object, options.preconditions));
        return plan_namespace(object, now, arena);
    }
    KEELSON_TRY_VOID(check_preconditions(resource, object, options.preconditions));
    Value metadata = object["metadata"];
    Graceful graceful = Graceful::no;
    if (resource.kind == "Pod") graceful = mark_graceful(object, options, now, arena);
    if (graceful == Graceful::pending) return RemovalPlan{Removal::nothing, object};
    Value finalizers = collector_finalizers(resource, metadata, options, arena);
    if (finalizers.empty())
        metadata.erase("finalizers");
    else
        metadata.set(arena, "finalizers", finalizers);
    if (graceful == Graceful::started) return RemovalPlan{Removal::later, object};
    if (finalizers.empty()) return RemovalPlan{Removal::now, object};
    mark_deleted_now(metadata, now, arena);
    return RemovalPlan{Removal::later, object};
}

bool is_ready_to_go(const Resource& resource, Value object) {
    Value metadata = object["metadata"];
    if (metadata["deletionTimestamp"].is_unset() || !metadata["finalizers"].empty()) return false;
    if (resource.kind == "Namespace" && resource.group.empty()) return object["spec"]["finalizers"].empty();
    return metadata["deletionGracePeriodSeconds"].as_integer() == 0;
}

}  // namespace keelson::resource
