// The schema: what every built-in type looks like, as immutable tables compiled from
// kernel/object/schema/*.schema (see the README there for the notation). Decoding, defaulting, patching,
// protobuf, discovery, OpenAPI and tables are driven by these tables. Types of custom resources are built at
// run time with the same structures. Immutable after construction, so free of threads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace keelson::object {

enum class Shape : std::uint8_t {
    boolean,
    int32,
    int64,
    float64,
    string,
    bytes,       // base64 text in JSON
    any,         // any JSON value, kept as it is
    raw_object,  // any JSON object, kept as it is (RawExtension, FieldsV1)
    quantity,    // "100m": kept in canonical form
    int_or_string,
    time,        // RFC 3339 in UTC, seconds
    micro_time,  // RFC 3339 in UTC, six fractional digits
    duration,    // "1h2m3s"
    list,
    map,  // keys are strings
    structure,
};

enum class ListType : std::uint8_t { unspecified, atomic, set, map };
enum class MapType : std::uint8_t { unspecified, atomic, granular };

struct Type;

struct Field {
    enum Flag : std::uint16_t {
        pointer = 1,         // Go pointer: absent differs from zero
        omit_empty = 2,      // not written when empty
        omit_zero = 4,       // not written when a zero struct
        required = 8,        // listed as required in OpenAPI
        optional = 16,       // marked optional
        must = 32,           // marked required
        patch_merge = 64,    // strategic merge: merge lists (by patch_key) instead of replacing
        patch_retain = 128,  // strategic merge: retainKeys
    };
    std::string_view name;  // JSON name
    const Type* type = nullptr;
    std::uint16_t flags = 0;
    std::uint16_t proto_number = 0;
    // Numbers of the embedded messages that the field sits in, outermost first; 0 = none.
    std::uint16_t inline_numbers[2] = {0, 0};
    ListType list_type = ListType::unspecified;
    MapType map_type = MapType::unspecified;
    std::string_view list_keys;         // comma separated, of a list of type map
    std::string_view patch_key;         // merge key of a strategic merge
    std::string_view open_api_default;  // JSON text, empty for none
    std::string_view gate;              // comma separated feature gates
    std::string_view proto_name;        // when it differs from name
    std::string_view embedded_in;  // "ProbeHandler", "A.B": the embedded structures that the field comes from

    [[nodiscard]] bool has(Flag flag) const { return (flags & flag) != 0; }
};

struct Type {
    std::string_view id;        // "core/v1.Pod"; "[]core/v1.Container"; "{}string"
    std::string_view open_api;  // "io.k8s.api.core.v1.Pod"; empty for what has no definition
    std::string_view proto;     // "k8s.io.api.core.v1.Pod"
    std::string_view go_name;   // "v1.Pod", "[]v1.Container", "map[string]string": as Go's errors print it
    Shape shape = Shape::any;
    MapType map_type = MapType::unspecified;  // of a structure that is always replaced as a whole
    const Type* element = nullptr;            // of lists and maps
    std::span<const Field> fields;            // of structures, embedded ones flattened, in JSON output order
    std::span<const std::string_view> enum_values;  // of closed enums
    std::string_view unions;                        // JSON of x-kubernetes-unions, empty for none
    std::string_view group;  // of top level kinds: "apps"; "*" when registered in every group
    std::string_view version;
    std::string_view kind;  // empty unless a top level kind

    [[nodiscard]] const Field* field(std::string_view name) const;
    // The bare name, "Pod" of "core/v1.Pod".
    [[nodiscard]] std::string_view short_name() const;
};

enum Verb : std::uint16_t {
    verb_create = 1,
    verb_delete = 2,
    verb_delete_collection = 4,
    verb_get = 8,
    verb_list = 16,
    verb_patch = 32,
    verb_update = 64,
    verb_watch = 128,
};

struct Subresource {
    std::string_view name;
    std::string_view kind;
    std::string_view group;  // of the kind, when `other_group`
    std::string_view version;
    bool other_group = false;
    std::uint16_t verbs = 0;
    const Type* type = nullptr;
};

// One served resource of one version.
struct Resource {
    std::string_view group;
    std::string_view version;
    std::string_view name;  // plural, "pods"
    std::string_view singular;
    std::string_view kind;
    const Type* type = nullptr;
    bool namespaced = false;
    std::uint16_t verbs = 0;
    std::span<const std::string_view> short_names;
    std::span<const std::string_view> categories;
    std::span<const std::string_view> field_selectors;
    std::span<const Subresource> subresources;
    std::string_view storage_version_hash;
    // The strategy of the main resource and its status.
    bool create_clears_status = false;
    bool update_keeps_status = false;
    bool status_update_keeps_spec = false;
    bool status_keeps_metadata = false;  // a status update changes no metadata
    bool tracks_generation = false;
    bool create_on_update = false;       // PUT may create
    bool unconditional_update = false;   // PUT without resourceVersion is accepted
    bool delete_returns_object = false;  // a deletion answers with the object rather than a Status
    std::string_view
        delete_dependents;  // "", "delete", "orphan", "unsupported": what deletion does by default
    std::span<const std::string_view> generation_fields;  // top level fields whose change bumps generation
    std::span<const std::string_view> reset_main;         // paths that apply to the main endpoint ignores
    std::span<const std::string_view> reset_status;
    std::uint16_t index = 0;          // position in resources(); the number that the store keeps
    std::uint16_t storage_index = 0;  // index of the resource whose version is stored (itself, usually)

    [[nodiscard]] const Subresource* subresource(std::string_view name) const;
    [[nodiscard]] bool has_status() const { return subresource("status") != nullptr; }
};

// All built-in types and resources, in a fixed order.
[[nodiscard]] std::span<const Type* const> builtin_types();
[[nodiscard]] std::span<const Resource> builtin_resources();
// By id ("core/v1.Pod"); null when unknown.
[[nodiscard]] const Type* find_type(std::string_view id);
// By group, version and kind ("", "v1", "Pod"); kinds that exist in every group version (Status,
// DeleteOptions, WatchEvent, ...) are found for any known group version.
[[nodiscard]] const Type* find_kind(std::string_view group, std::string_view version, std::string_view kind);
[[nodiscard]] const Resource* find_resource(std::string_view group, std::string_view version,
                                            std::string_view name);
[[nodiscard]] const Resource* find_resource_of_kind(std::string_view group, std::string_view version,
                                                    std::string_view kind);
// Whether the group version has any built-in resource.
[[nodiscard]] bool is_known_group_version(std::string_view group, std::string_view version);

// State of a Kubernetes feature gate at 1.36 defaults; false for unknown ones.
[[nodiscard]] bool gate_enabled(std::string_view gate);

// "v1" for the empty group, else "group/version".
[[nodiscard]] std::string_view api_version_of(const Resource& resource);

}  // namespace keelson::object
