// What the server itself sets on objects, per kind: system metadata, generation, status that is cleared or
// kept. Source of the rules: the strategies of Kubernetes' registries (kernel/object/schema/resources.schema
// holds the regular part as data).
#pragma once

#include <string>
#include <string_view>

#include "kernel/access/identity.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::resource {

struct StrategyContext {
    object::Arena& arena;
    std::string_view now;  // RFC 3339, lives as long as the arena
    const access::Identity& identity;
};

// Before validation of a new object: uid, creationTimestamp, generation, a fresh status, kind-specific
// fields.
void prepare_create(const object::Resource& resource, object::Value object, std::string_view uid,
                    const StrategyContext& context);

// Before validation of a changed object: what the endpoint may not change is taken from `old`, generation is
// bumped.
void prepare_update(const object::Resource& resource, std::string_view subresource, object::Value object,
                    object::Value old, const StrategyContext& context);

// Defaults that belong to storage rather than to a version: namespace labels, secrets' stringData. Applied
// right after decoding, so they count as set by the client.
void apply_storage_defaults(const object::Resource& resource, object::Value object, object::Arena& arena);

// "Guaranteed", "Burstable", "BestEffort".
[[nodiscard]] std::string_view pod_qos_class(object::Value pod_spec);

}  // namespace keelson::resource
