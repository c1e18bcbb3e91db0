// Objects as the store keeps them: keys, bytes and the header beside them.
//
// The bytes are the object's canonical JSON in its storage version, kind and apiVersion first, with an empty
// metadata.resourceVersion whose place the header names; the revision is put there when the bytes go out.
#pragma once

#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// The resource whose version is stored for this one (itself for most).
[[nodiscard]] const object::Resource& storage_of(const object::Resource& resource);

[[nodiscard]] std::string key_of(const object::Resource& resource, std::string_view namespace_name,
                                 std::string_view name);
// What the keys of a namespace begin with, or of all namespaces (empty).
[[nodiscard]] std::string prefix_of(const object::Resource& resource, std::string_view namespace_name);
// The namespace and name that a key of this resource stands for.
struct KeyParts {
    std::string_view namespace_name;
    std::string_view name;
};
[[nodiscard]] KeyParts parts_of(const object::Resource& resource, std::string_view key);

struct Encoded {
    std::string bytes;
    store::Header header;
};

// The object must be canonical and of the stored type; kind, apiVersion and resourceVersion in it are
// ignored.
[[nodiscard]] Encoded encode(const object::Resource& stored, object::Value object);

// The whole object with its resourceVersion; the value refers to `arena`. Fails when the bytes are damaged.
[[nodiscard]] base::Result<object::Value> decode(const store::Record& record, object::Arena& arena);
// Only `metadata` of it.
[[nodiscard]] base::Result<object::Value> decode_metadata(const store::Record& record, object::Arena& arena);

// The object without its managed fields: they are half of many objects, and few readers look at them.
[[nodiscard]] base::Result<object::Value> decode_without_managers(const store::Record& record,
                                                                  object::Arena& arena);

enum class WithKind : bool { no, yes };
// Appends the JSON of a record with its resourceVersion; items of lists come without kind and apiVersion.
void append_json(const store::Record& record, WithKind with_kind, std::string& out);

// Appends only `metadata` of it, with its resourceVersion.
void append_metadata_json(const store::Record& record, std::string& out);

// A borrowed view of an owned record.
[[nodiscard]] store::Record view(const store::OwnedRecord& record);

}  // namespace keelson::resource
