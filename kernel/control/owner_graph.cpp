#include "kernel/control/owner_graph.h"

namespace keelson::control {

using api_types::meta_v1::ObjectMeta;
using api_types::meta_v1::OwnerReference;

bool GraphNode::has_finalizer(std::string_view finalizer) const {
    for (const std::string_view present : metadata().finalizers())
        if (present == finalizer) return true;
    return false;
}

bool GraphNode::waits_for_dependents() const {
    return object->is_being_deleted() && has_finalizer(foreground_finalizer);
}

OwnerReference GraphNode::reference_to(std::string_view owner_uid) const {
    for (const OwnerReference reference : metadata().owner_references())
        if (reference.uid() == owner_uid) return reference;
    return {};
}

void OwnerGraph::put(const KnownCollection& collection, const ObjectPointer& object) {
    GraphNode& node = nodes_[std::string(object->uid())];
    if (node.object) forget_references(*node.object);
    node = {&collection, object};
    for (const OwnerReference reference : node.metadata().owner_references())
        dependents_[std::string(reference.uid())].emplace(object->uid());
}

void OwnerGraph::erase(const client::CachedObject& object) {
    const auto found = nodes_.find(object.uid());
    if (found == nodes_.end()) return;
    forget_references(*found->second.object);
    nodes_.erase(found);
}

const GraphNode* OwnerGraph::find(std::string_view uid) const {
    const auto found = nodes_.find(uid);
    return found == nodes_.end() ? nullptr : &found->second;
}

const OwnerGraph::Uids& OwnerGraph::dependents_of(std::string_view owner_uid) const {
    static const Uids kNone;
    const auto found = dependents_.find(owner_uid);
    return found == dependents_.end() ? kNone : found->second;
}

void OwnerGraph::forget_references(const client::CachedObject& object) {
    for (const OwnerReference reference : ObjectMeta(object.root()["metadata"]).owner_references()) {
        const auto found = dependents_.find(reference.uid());
        if (found == dependents_.end()) continue;
        if (const auto dependent = found->second.find(object.uid()); dependent != found->second.end())
            found->second.erase(dependent);
        if (found->second.empty()) dependents_.erase(found);
    }
}

}  // namespace keelson::control
