#include "kernel/object/schema.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/object/schema_tables.h"

namespace keelson::object {
namespace {

std::string join_key(std::string_view a, std::string_view b, std::string_view c) {
    std::string key;
    key.reserve(a.size() + b.size() + c.size() + 2);
    key.append(a).append(1, '/').append(b).append(1, '/').append(c);
    return key;
}

// Look-ups over the generated tables, built on first use.
struct Index {
    std::vector<const Type*> types;
    std::unordered_map<std::string_view, const Type*> type_by_id;
    std::unordered_map<std::string, const Type*> type_by_kind;
    std::unordered_map<std::string, const Resource*> resource_by_name;
    std::unordered_map<std::string, const Resource*> resource_by_kind;
    std::unordered_set<std::string> group_versions;
    std::vector<std::string> api_versions;

    Index() {
        for (const Type& type : tables::types()) {
            types.push_back(&type);
            type_by_id.emplace(type.id, &type);
            if (!type.kind.empty())
                type_by_kind.emplace(join_key(type.group, type.version, type.kind), &type);
        }
        for (const Resource& resource : tables::resources()) {
            resource_by_name.emplace(join_key(resource.group, resource.version, resource.name), &resource);
            resource_by_kind.emplace(join_key(resource.group, resource.version, resource.kind), &resource);
            group_versions.insert(join_key(resource.group, resource.version, ""));
            api_versions.push_back(resource.group.empty()
                                       ? std::string(resource.version)
                                       : std::string(resource.group) + "/" + std::string(resource.version));
        }
    }
};

const Index& index() {
    static const Index instance;
    return instance;
}

template <typename Map>
typename Map::mapped_type look_up(const Map& map, const typename Map::key_type& key) {
    auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
}

}  // namespace

const Field* Type::field(std::string_view name) const {
    for (const Field& field : fields)
        if (field.name == name) return &field;
    return nullptr;
}

std::string_view Type::short_name() const {
    return id.substr(id.rfind('.') + 1);
}

const Subresource* Resource::subresource(std::string_view name) const {
    for (const Subresource& candidate : subresources)
        if (candidate.name == name) return &candidate;
    return nullptr;
}

std::span<const Type* const> builtin_types() {
    return index().types;
}

std::span<const Resource> builtin_resources() {
    return tables::resources();
}

const Type* find_type(std::string_view id) {
    return look_up(index().type_by_id, id);
}

const Type* find_kind(std::string_view group, std::string_view version, std::string_view kind) {
    if (const Type* type = look_up(index().type_by_kind, join_key(group, version, kind))) return type;
    if (!is_known_group_version(group, version)) return nullptr;
    return look_up(index().type_by_kind, join_key("*", "*", kind));
}

const Resource* find_resource(std::string_view group, std::string_view version, std::string_view name) {
    return look_up(index().resource_by_name, join_key(group, version, name));
}

const Resource* find_resource_of_kind(std::string_view group, std::string_view version,
                                      std::string_view kind) {
    return look_up(index().resource_by_kind, join_key(group, version, kind));
}

bool is_known_group_version(std::string_view group, std::string_view version) {
    return index().group_versions.contains(join_key(group, version, ""));
}

bool gate_enabled(std::string_view gate) {
    auto all = tables::gates();
    auto found =
        std::lower_bound(all.begin(), all.end(), gate,
                         [](const tables::Gate& row, std::string_view name) { return row.name < name; });
    return found != all.end() && found->name == gate && found->enabled;
}

std::string_view api_version_of(const Resource& resource) {
    return index().api_versions[resource.index];
}

}  // namespace keelson::object
