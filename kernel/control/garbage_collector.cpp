#include "kernel/control/garbage_collector.h"

#include <algorithm>

#include "kernel/base/gather.h"
#include "kernel/control/owner_graph.h"

namespace keelson::control {
namespace {

using api_types::meta_v1::ObjectMeta;
using api_types::meta_v1::OwnerReference;
using base::Result;
using base::Status;
using base::Task;
using client::EventType;
using client::PatchType;
using object::Arena;
using object::Document;
using object::Value;

constexpr std::size_t kPatchesAtOnce = 128;

// It is gone. A conflict is tried again: only a newer view tells what is there by now.
bool is_moot(const Status& status) {
    return status.code() == 404 || status.code() == 422;
}

// The owners of an object by what they mean for it.
struct Owners {
    std::vector<std::string> solid;
    std::vector<std::string> missing;
    std::vector<std::string> waiting;  // deleted in the foreground
};

// Keys are uids: the name of the key is one.
class GarbageCollector final : public Controller {
  public:
    explicit GarbageCollector(const Surroundings& surroundings)
        : surroundings_(surroundings),
          collections_(owned_collections()),
          events_(surroundings.recorder("garbage-collector-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "garbagecollector"; }

    void watch(Queue& queue) override {
        for (const KnownCollection& known : collections_)
            surroundings_.informers.metadata_of(known.collection)
                .add_handler([this, &known, &queue](const ObjectPointer& before, const ObjectPointer& now) {
                    if (now)
                        put(known, before, now, queue);
                    else
                        erase(*before, queue);
                });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const GraphNode* found = graph_.find(key.name);
        if (!found) co_return done();
        const GraphNode node = *found;
        auto working = work_on(node, writer);
        KEELSON_CO_TRY_VOID(co_await working);
        co_return done();
    }

  private:
    static void enqueue(std::string_view uid, Queue& queue) { queue.add({"", std::string(uid)}); }

    void put(const KnownCollection& known, const ObjectPointer& before, const ObjectPointer& now,
             Queue& queue) {
        graph_.put(known, now);
        const GraphNode& node = *graph_.find(now->uid());
        const auto references = node.metadata().owner_references();
        const bool is_going = now->is_being_deleted();
        if (is_going && (node.has_finalizer(foreground_finalizer) || node.has_finalizer(orphan_finalizer))) {
            enqueue(now->uid(), queue);
            for (const std::string& dependent : graph_.dependents_of(now->uid())) enqueue(dependent, queue);
        }
        if (references.empty()) return;
        const bool has_new_owners =
            !before ||
            !ObjectMeta(before->root()["metadata"]).owner_references().untyped().equals(references.untyped());
        for (const OwnerReference reference : references) {
            const GraphNode* owner = graph_.find(reference.uid());
            if (has_new_owners && (!owner || owner->waits_for_dependents() || is_elsewhere(*owner, node)))
                enqueue(now->uid(), queue);
            if (owner && owner->waits_for_dependents()) enqueue(reference.uid(), queue);
        }
    }

    static bool is_elsewhere(const GraphNode& owner, const GraphNode& dependent) {
        const std::string& namespace_name = owner.object->key().namespace_name;
        return !namespace_name.empty() && namespace_name != dependent.object->key().namespace_name;
    }

    void erase(const client::CachedObject& object, Queue& queue) {
        const ObjectMeta metadata(object.root()["metadata"]);
        graph_.erase(object);
        for (const std::string& dependent : graph_.dependents_of(object.uid())) enqueue(dependent, queue);
        for (const OwnerReference reference : metadata.owner_references()) {
            const GraphNode* owner = graph_.find(reference.uid());
            if (owner && owner->waits_for_dependents()) enqueue(reference.uid(), queue);
        }
    }

    Task<Result<void>> work_on(const GraphNode& node, Writer& writer) {
        if (node.object->is_being_deleted()) {
            if (node.has_finalizer(orphan_finalizer)) return orphan_dependents(node, writer);
            if (node.has_finalizer(foreground_finalizer)) return end_waiting(node, writer);
            return nothing();
        }
        if (node.metadata().owner_references().empty()) return nothing();
        return judge(node, writer);
    }
    static Task<Result<void>> nothing() { co_return base::ok(); }

    // --- Owners that are being deleted.

    // One that is deleted in the foreground goes when nothing is left that blocks it.
    Task<Result<void>> end_waiting(GraphNode node, Writer& writer) {
        for (const std::string& uid : graph_.dependents_of(node.object->uid())) {
            const GraphNode* dependent = graph_.find(uid);
            if (dependent && dependent->reference_to(node.object->uid()).block_owner_deletion())
                co_return base::ok();
        }
        auto removing = remove_finalizer(node, foreground_finalizer, writer);
        co_return co_await removing;
    }

    Task<Result<void>> orphan_dependents(GraphNode node, Writer& writer) {
        const OwnerGraph::Uids dependents = graph_.dependents_of(node.object->uid());
        std::vector<Task<Result<void>>> tasks;
        for (const std::string& uid : dependents) {
            const GraphNode* dependent = graph_.find(uid);
            if (!dependent) continue;
            tasks.push_back(remove_references(*dependent, {std::string(node.object->uid())}, writer));
            if (tasks.size() == kPatchesAtOnce) break;
        }
        const bool has_more = tasks.size() == kPatchesAtOnce;
        auto patching = base::gather(std::move(tasks));
        const std::vector<Result<void>> results = co_await patching;
        for (const Result<void>& result : results)
            if (!result) co_return result.error();
        if (has_more) co_return Status(base::Reason::conflict, "more dependents are to be orphaned");
        auto removing = remove_finalizer(node, orphan_finalizer, writer);
        co_return co_await removing;
    }

    Task<Result<void>> remove_finalizer(GraphNode node, std::string_view finalizer, Writer& writer) {
        Document patch;
        Arena& arena = patch.arena;
        patch.root = Value::map(arena);
        const ObjectMeta metadata(patch.root.child_map(arena, "metadata"));
        metadata.set_resource_version(arena, node.metadata().resource_version());
        const auto kept = metadata.make_finalizers(arena);
        for (const std::string_view present : node.metadata().finalizers())
            if (present != finalizer) kept.add(arena, present);
        auto patching =
            writer.patch(node.collection->collection, node.object->key(), PatchType::merge, patch.root, {});
        const Writer::Object patched = co_await patching;
        // Somebody changed it in between: his event brings the key again.
        if (!patched && !is_moot(patched.error())) co_return patched.error();
        co_return base::ok();
    }

    // --- Dependents.

    Task<Result<void>> judge(GraphNode node, Writer& writer) {
        auto looking = owners_of(node);
        KEELSON_CO_TRY(const Owners owners, co_await looking);
        if (!owners.solid.empty()) {
            std::vector<std::string> useless = owners.missing;
            useless.insert(useless.end(), owners.waiting.begin(), owners.waiting.end());
            if (useless.empty()) co_return base::ok();
            auto patching = remove_references(node, std::move(useless), writer);
            co_return co_await patching;
        }
        std::string policy = "Background";
        if (node.has_finalizer(orphan_finalizer))
            policy = "Orphan";
        else if (node.has_finalizer(foreground_finalizer))
            policy = "Foreground";
        if (!owners.waiting.empty() && !graph_.dependents_of(node.object->uid()).empty()) {
            // Its owner waits for it, so it waits for its own; unless that closes a circle.
            const bool is_circle =
                std::ranges::any_of(graph_.dependents_of(node.object->uid()), [this](const std::string& uid) {
                    const GraphNode* dependent = graph_.find(uid);
                    return dependent && dependent->waits_for_dependents();
                });
            if (is_circle) {
                auto unblocking = unblock_owners(node, writer);
                KEELSON_CO_TRY_VOID(co_await unblocking);
            }
            policy = "Foreground";
        }
        auto removing = remove(node, policy, writer);
        co_return co_await removing;
    }

    Task<Result<Owners>> owners_of(GraphNode node) {
        Owners owners;
        for (const OwnerReference reference : node.metadata().owner_references()) {
            const std::string uid(reference.uid());
            const GraphNode* owner = graph_.find(uid);
            if (owner && !is_named_rightly(*owner, reference, node)) owner = nullptr;
            if (owner) {
                (owner->waits_for_dependents() ? owners.waiting : owners.solid).push_back(uid);
                continue;
            }
            auto asking = is_there(reference, node);
            KEELSON_CO_TRY(const bool exists, co_await asking);
            (exists ? owners.solid : owners.missing).push_back(uid);
        }
        co_return owners;
    }

    // An owner in another namespace owns nothing here, whatever its uid.
    bool is_named_rightly(const GraphNode& owner, OwnerReference reference, const GraphNode& dependent) {
        if (is_elsewhere(owner, dependent)) {
            events_->record(
                dependent.object->root(), EventType::warning, "OwnerRefInvalidNamespace",
                "ownerRef [" + std::string(reference.api_version()) + "/" + std::string(reference.kind()) +
                    ", namespace: " + dependent.object->key().namespace_name +
                    ", name: " + std::string(reference.name()) + ", uid: " + std::string(reference.uid()) +
                    "] does not exist in namespace \"" + dependent.object->key().namespace_name + "\"");
            return false;
        }
        return owner.object->key().name == reference.name() && owner.collection->kind == reference.kind();
    }

    // What no informer shows, the server is asked for: it may be too new.
    Task<Result<bool>> is_there(OwnerReference reference, const GraphNode& dependent) {
        const auto known = collection_of_kind(reference.api_version(), reference.kind());
        // Nobody can tell about a kind that is not known (any more): better too much than too little.
        if (!known) co_return true;
        const std::string& namespace_name = dependent.object->key().namespace_name;
        // The same: a cluster-scoped object cannot be owned by a namespaced one.
        if (known->is_namespaced && namespace_name.empty()) co_return true;
        auto getting = surroundings_.client.get(
            known->collection.address(known->is_namespaced ? namespace_name : "", reference.name()));
        const Writer::Object present = co_await getting;
        if (!present && present.error().code() == 404) co_return false;
        if (!present) co_return present.error();
        co_return ObjectMeta(present->root["metadata"]).uid() == reference.uid();
    }

    // Strategic merge directives remove exactly these references, whatever else changed.
    Task<Result<void>> remove_references(GraphNode node, std::vector<std::string> owner_uids,
                                         Writer& writer) {
        Document patch;
        Arena& arena = patch.arena;
        patch.root = Value::map(arena);
        const ObjectMeta metadata(patch.root.child_map(arena, "metadata"));
        metadata.set_uid(arena, node.object->uid());
        const auto references = metadata.make_owner_references(arena);
        for (const std::string& uid : owner_uids) {
            const OwnerReference reference = references.add(arena);
            reference.untyped().set(arena, "$patch", Value::reference("delete"));
            reference.set_uid(arena, uid);
        }
        auto patching = send(node, patch.root, writer);
        co_return co_await patching;
    }

    Task<Result<void>> unblock_owners(GraphNode node, Writer& writer) {
        Document patch;
        Arena& arena = patch.arena;
        patch.root = Value::map(arena);
        const ObjectMeta metadata(patch.root.child_map(arena, "metadata"));
        metadata.set_uid(arena, node.object->uid());
        const auto references = metadata.make_owner_references(arena);
        for (const OwnerReference present : node.metadata().owner_references()) {
            const OwnerReference reference(present.untyped().clone(arena));
            reference.set_block_owner_deletion(arena, false);
            references.add(arena, reference);
        }
        auto patching = send(node, patch.root, writer);
        co_return co_await patching;
    }

    static Task<Result<void>> send(const GraphNode& node, Value patch, Writer& writer) {
        auto patching =
            writer.patch(node.collection->collection, node.object->key(), PatchType::strategic, patch, {});
        const Writer::Object patched = co_await patching;
        if (!patched && !is_moot(patched.error())) co_return patched.error();
        co_return base::ok();
    }

    // Only as it was judged: with other owners by now it may be wanted.
    Task<Result<void>> remove(GraphNode node, std::string policy, Writer& writer) {
        client::DeleteOptions options;
        options.propagation_policy = std::move(policy);
        options.preconditions.resource_version = node.metadata().resource_version();
        auto removing = writer.remove(node.collection->collection, node.object, std::move(options));
        const Result<void> removed = co_await removing;
        // A conflict means that the view was old: the key comes again until it is not.
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    const std::vector<KnownCollection> collections_;
    OwnerGraph graph_;
    std::unique_ptr<client::EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_garbage_collector(const Surroundings& surroundings) {
    return std::make_unique<GarbageCollector>(surroundings);
}

}  // namespace keelson::control
