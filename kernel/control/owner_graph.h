// Who owns what, of everything that there is: objects by uid, and dependents by the uids that they name as
// owners. Not thread-safe.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernel/control/collections.h"
#include "kernel/control/controller.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {

struct GraphNode {
    const KnownCollection* collection = nullptr;
    ObjectPointer object;

    [[nodiscard]] api_types::meta_v1::ObjectMeta metadata() const {
        return api_types::meta_v1::ObjectMeta(object->root()["metadata"]);
    }
    [[nodiscard]] bool has_finalizer(std::string_view finalizer) const;
    // Deleted in the foreground: it waits for its dependents.
    [[nodiscard]] bool waits_for_dependents() const;
    // Its reference to that owner; an unset one when there is none.
    [[nodiscard]] api_types::meta_v1::OwnerReference reference_to(std::string_view owner_uid) const;
};

inline constexpr std::string_view foreground_finalizer = "foregroundDeletion";
inline constexpr std::string_view orphan_finalizer = "orphan";

class OwnerGraph {
  public:
    using Uids = std::set<std::string, std::less<>>;

    // An object as it is now; the collection outlives the graph.
    void put(const KnownCollection& collection, const ObjectPointer& object);
    void erase(const client::CachedObject& object);
    // Null when there is no such object.
    [[nodiscard]] const GraphNode* find(std::string_view uid) const;
    // Of all objects that name it, whether it is there or not.
    [[nodiscard]] const Uids& dependents_of(std::string_view owner_uid) const;

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    template <typename T>
    using ByUid = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

    void forget_references(const client::CachedObject& object);

    ByUid<GraphNode> nodes_;
    ByUid<Uids> dependents_;
};

}  // namespace keelson::control
