// What server-side apply does with typed objects: comparing, collecting fields, merging and removing. Lists
// and maps are treated as their schema says (atomic, set, keyed; lists without a type are atomic, maps are
// granular). All values are canonical (conform.h); results share memory with their inputs.
#pragma once

#include <string>
#include <vector>

#include "kernel/object/field_set.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::object {

struct Difference {
    FieldSet changed;  // added or modified
    FieldSet removed;
};

[[nodiscard]] Difference compare(const Type& type, Value before, Value after);

// The fields that a configuration mentions: leaves, list items, and what is set to an empty value.
[[nodiscard]] FieldSet mentioned_fields(const Type& type, Value configuration);

// live with what configuration says put over it.
[[nodiscard]] Value merge(const Type& type, Value live, Value configuration, Arena& arena);

// Removes what is in `last` and of which nothing is in `owned`. Returns a new value.
[[nodiscard]] Value prune(const Type& type, Value value, const FieldSet& last, const FieldSet& owned,
                          Arena& arena);

// What keeps a raw configuration from being an object of this type, as apply words it: ".spec.nope: field not
// declared in schema", duplicate list keys.
[[nodiscard]] std::vector<std::string> apply_errors(const Type& type, Value configuration);

}  // namespace keelson::object
