#include "kernel/control/collections.h"

#include <set>

#include "kernel/object/schema.h"

namespace keelson::control {
namespace {

KnownCollection known(const object::Resource& resource) {
    return {{resource.group, resource.version, resource.name}, resource.kind, resource.namespaced};
}

}  // namespace

std::vector<KnownCollection> owned_collections() {
    constexpr std::uint16_t kNeeded = object::verb_list | object::verb_watch | object::verb_delete;
    std::vector<KnownCollection> result;
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const object::Resource& resource : object::builtin_resources()) {
        if ((resource.verbs & kNeeded) != kNeeded || resource.name == "events") continue;
        // The version that is stored needs no conversion.
        if (resource.storage_index != resource.index) continue;
        if (seen.emplace(resource.group, resource.name).second) result.push_back(known(resource));
    }
    return result;
}

std::optional<KnownCollection> collection_of_kind(std::string_view api_version, std::string_view kind) {
    const std::size_t slash = api_version.find('/');
    const bool has_group = slash != std::string_view::npos;
    const object::Resource* resource =
        object::find_resource_of_kind(has_group ? api_version.substr(0, slash) : std::string_view(),
                                      has_group ? api_version.substr(slash + 1) : api_version, kind);
    if (!resource) return std::nullopt;
    return known(*resource);
}

std::optional<KnownCollection> collection_of_group(std::string_view group, std::string_view kind) {
    for (const object::Resource& resource : object::builtin_resources())
        if (resource.group == group && resource.kind == kind) return known(resource);
    return std::nullopt;
}

}  // namespace keelson::control
