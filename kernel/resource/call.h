// What a verb is asked to do: by whom, on what, with which options. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::resource {

enum class FieldValidation : std::uint8_t { ignore, warn, strict };

// The target of a call and who makes it. `warnings` is filled by the verb.
struct Call {
    access::Identity identity;
    const object::Resource* resource = nullptr;
    const object::Subresource* subresource = nullptr;  // null for the resource itself
    std::string namespace_name;  // empty for cluster-scoped resources and all namespaces
    std::string name;
    std::vector<std::string> warnings;

    [[nodiscard]] std::string_view subresource_name() const {
        return subresource ? subresource->name : std::string_view();
    }
};

struct WriteOptions {
    bool dry_run = false;
    bool force = false;         // of an apply
    std::string field_manager;  // empty: "unknown" is recorded
    FieldValidation field_validation = FieldValidation::warn;
};

struct Preconditions {
    std::optional<std::string> uid;
    std::optional<std::string> resource_version;
};

struct DeleteOptions {
    bool dry_run = false;
    std::optional<std::int64_t> grace_period_seconds;
    std::optional<std::string> propagation_policy;
    std::optional<bool> orphan_dependents;
    Preconditions preconditions;
};

struct ListOptions {
    std::string label_selector;
    std::string field_selector;
    std::string resource_version;
    std::string resource_version_match;
    std::string continue_token;
    std::int64_t limit = 0;
    std::optional<std::int64_t> timeout_seconds;
    bool allow_watch_bookmarks = false;
    std::optional<bool> send_initial_events;
};

enum class PatchType : std::uint8_t { json, merge, strategic, apply };

// A decoded but untyped request body. The value lives in the arena that is handed over with it.
struct Body {
    object::Value value;
    std::vector<std::string> duplicate_fields;  // "duplicate field" texts are made of these paths
};

// One object as a verb answers it: complete JSON in the version that was asked for.
struct ObjectAnswer {
    int code = 200;
    const object::Type* type = nullptr;
    std::string json;
};

}  // namespace keelson::resource
