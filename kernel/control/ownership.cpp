#include "kernel/control/ownership.h"

#include "kernel/base/log.h"

namespace keelson::control {
namespace {

using api_types::meta_v1::ObjectMeta;
using api_types::meta_v1::OwnerReference;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::CachedObject;
using client::PatchType;
using object::Arena;
using object::Document;
using object::Value;

constexpr std::string_view kOrphanIndex = "orphans of the namespace";

ObjectMeta metadata_of(const CachedObject& object) {
    return ObjectMeta(object.root()["metadata"]);
}

// A patch for this very object only.
ObjectMeta begin_patch(Document& patch, const CachedObject& dependent) {
    patch.root = Value::map(patch.arena);
    const ObjectMeta metadata(patch.root.child_map(patch.arena, "metadata"));
    metadata.set_uid(patch.arena, dependent.uid());
    return metadata;
}

// It is gone. A conflict is tried again: only a newer view tells whether it is another object by now.
bool is_moot(const Status& status) {
    return status.code() == 404 || status.code() == 422;
}

class Claimer {
  public:
    Claimer(const Surroundings& surroundings, Writer& writer, const Claim& claim)
        : surroundings_(surroundings), writer_(writer), claim_(claim) {}

    Task<Result<ObjectList>> run() {
        const Informer& dependents = surroundings_.informers.of(claim_.dependents);
        const std::string& namespace_name = claim_.owner->key().namespace_name;
        ObjectList mine;
        for (const ObjectPointer& dependent : dependents.controlled_by(claim_.owner->uid())) {
            if (dependent->key().namespace_name != namespace_name) continue;
            if (matches(*dependent) || is_left_alone(*dependent)) {
                mine.push_back(dependent);
            } else if (!claim_.owner->is_being_deleted()) {
                auto releasing = release(dependent);
                KEELSON_CO_TRY_VOID(co_await releasing);
            }
        }
        for (const ObjectPointer& dependent : dependents.indexed(kOrphanIndex, namespace_name)) {
            if (!matches(*dependent) || is_left_alone(*dependent)) continue;
            if (dependent->is_being_deleted() || claim_.owner->is_being_deleted()) continue;
            auto adopting = adopt(dependent);
            KEELSON_CO_TRY(const bool adopted, co_await adopting);
            if (adopted) mine.push_back(dependent);
        }
        co_return mine;
    }

  private:
    [[nodiscard]] bool matches(const CachedObject& dependent) const {
        return claim_.selector.matches(metadata_of(dependent).labels().untyped());
    }
    [[nodiscard]] bool is_left_alone(const CachedObject& dependent) const {
        return claim_.is_left_alone && claim_.is_left_alone(dependent);
    }

    Task<Result<void>> release(ObjectPointer dependent) {
        Document patch;
        const auto references = begin_patch(patch, *dependent).make_owner_references(patch.arena);
        const OwnerReference reference = references.add(patch.arena);
        // The directive of a strategic merge patch: not a field of the type.
        reference.untyped().set(patch.arena, "$patch", Value::reference("delete"));
        reference.set_uid(patch.arena, claim_.owner->uid());
        auto patching =
            writer_.patch(claim_.dependents, dependent->key(), PatchType::strategic, patch.root, {});
        const Writer::Object patched = co_await patching;
        if (!patched && !is_moot(patched.error())) co_return patched.error();
        co_return base::ok();
    }

    Task<Result<bool>> adopt(ObjectPointer dependent) {
        auto asking = check_owner();
        KEELSON_CO_TRY_VOID(co_await asking);
        Document patch;
        add_controller_reference(begin_patch(patch, *dependent), claim_.owner->root(), patch.arena);
        auto patching =
            writer_.patch(claim_.dependents, dependent->key(), PatchType::strategic, patch.root, {});
        const Writer::Object patched = co_await patching;
        if (!patched && !is_moot(patched.error())) co_return patched.error();
        co_return patched.has_value();
    }

    // Informers lag: an owner that is gone, or another of its name, must adopt nothing.
    Task<Result<void>> check_owner() {
        if (owner_checked_) co_return base::ok();
        const ObjectKey key = claim_.owner->key();
        auto getting = surroundings_.client.get(claim_.owners.address(key.namespace_name, key.name));
        KEELSON_CO_TRY(const Document present, co_await getting);
        const ObjectMeta metadata(present.root["metadata"]);
        if (metadata.uid() != claim_.owner->uid())
            co_return Status(Reason::conflict, "the owner " + key.text() + " is another one by now");
        if (metadata.has_deletion_timestamp())
            co_return Status(Reason::conflict, "the owner " + key.text() + " is being deleted");
        owner_checked_ = true;
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Writer& writer_;
    const Claim& claim_;
    bool owner_checked_ = false;
};

}  // namespace

void add_controller_reference(ObjectMeta metadata, Value owner, Arena& arena) {
    const ObjectMeta owner_metadata(owner["metadata"]);
    const OwnerReference reference = metadata.make_owner_references(arena).add(arena);
    reference.set_api_version(arena, owner["apiVersion"].as_string());
    reference.set_kind(arena, owner["kind"].as_string());
    reference.set_name(arena, owner_metadata.name());
    reference.set_uid(arena, owner_metadata.uid());
    reference.set_controller(arena, true);
    reference.set_block_owner_deletion(arena, true);
}

void index_orphans(Informer& dependents) {
    dependents.add_index(std::string(kOrphanIndex),
                         [](const CachedObject& object, std::vector<std::string>& values) {
                             if (object.controller_uid().empty())
                                 values.push_back(object.key().namespace_name);
                         });
}

void enqueue_adopters_of(Informer& dependents, const Informer& owners, Queue& queue, SelectorOf selector_of) {
    dependents.add_handler([&owners, &queue, selector_of = std::move(selector_of)](const ObjectPointer&,
                                                                                   const ObjectPointer& now) {
        if (!now || !now->controller_uid().empty() || now->is_being_deleted()) return;
        const Value labels = metadata_of(*now).labels().untyped();
        for (const ObjectPointer& owner : owners.list(now->key().namespace_name)) {
            const auto selector = selector_of(*owner);
            if (selector && !selector->empty() && selector->matches(labels)) queue.add(owner->key());
        }
    });
}

Task<Result<ObjectList>> claim_dependents(const Surroundings& surroundings, Writer& writer, Claim claim) {
    Claimer claimer(surroundings, writer, claim);
    auto running = claimer.run();
    co_return co_await running;
}

}  // namespace keelson::control
