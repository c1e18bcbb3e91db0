#include "kernel/scheduling/writes.h"

#include "kernel/client/collections.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/time_format.h"
#include "kernel/scheduling/storage.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;
using object::Arena;
using object::Value;

client::WriteOptions options() {
    client::WriteOptions made;
    made.field_manager = "kube-scheduler";
    return made;
}

std::string time_text(base::WallTime now) {
    object::Instant instant;
    instant.seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    return object::format_time(instant);
}

core_v1::PodCondition condition_of(core_v1::Pod pod, std::string_view type) {
    for (core_v1::PodCondition condition : pod.status().conditions())
        if (condition.type() == type) return condition;
    return {};
}

struct NewCondition {
    std::string_view type;
    std::string_view status;
    std::string_view reason;
    std::string_view message;
};

// False when the pod has it already.
bool add_condition(core_v1::Pod pod, const NewCondition& wanted, base::WallTime now,
                   core_v1::PodStatus status, Arena& arena) {
    const core_v1::PodCondition known = condition_of(pod, wanted.type);
    const bool same_status = known.is_set() && known.status() == wanted.status;
    if (same_status && known.reason() == wanted.reason && known.message() == wanted.message) return false;
    core_v1::PodCondition made = status.make_conditions(arena).add(arena);
    made.set_type(arena, wanted.type);
    made.set_status(arena, wanted.status);
    made.set_reason(arena, wanted.reason);
    made.set_message(arena, wanted.message);
    made.set_observed_generation(arena, pod.metadata().generation());
    made.set_last_transition_time(
        arena, same_status ? known.last_transition_time() : std::string_view(arena.copy(time_text(now))));
    return true;
}

// What the client gives back does not matter, only whether it went well.
base::Result<void> outcome(const client::Client::Object& object) {
    if (!object) return object.error();
    return base::ok();
}

base::Task<base::Result<void>> patch_status(client::Client& client, client::ObjectKey key,
                                            core_v1::Pod patch) {
    auto doing = client.patch(client::collections::pods.address(key.namespace_name, key.name, "status"),
                              client::PatchType::strategic, patch.untyped(), options());
    const auto done = co_await doing;
    co_return outcome(done);
}

}  // namespace

base::Task<base::Result<void>> write_binding(client::Client& client, PodPointer pod, std::string node) {
    Arena arena;
    core_v1::Binding binding(Value::map(arena));
    binding.set_api_version(arena, "v1");
    binding.set_kind(arena, "Binding");
    api_types::meta_v1::ObjectMeta metadata = binding.make_metadata(arena);
    metadata.set_name(arena, pod->name);
    metadata.set_namespace(arena, pod->namespace_name());
    metadata.set_uid(arena, pod->uid);
    core_v1::ObjectReference target = binding.make_target(arena);
    target.set_kind(arena, "Node");
    target.set_name(arena, node);
    auto doing = client.create(client::collections::pods.address(pod->namespace_name(), pod->name, "binding"),
                               binding.untyped(), options());
    const auto done = co_await doing;
    co_return outcome(done);
}

base::Task<base::Result<void>> write_refusal(client::Client& client, client::ObjectPointer pod,
                                             Refusal refusal, base::WallTime now) {
    Arena arena;
    core_v1::Pod known(pod->root());
    core_v1::Pod patch(Value::map(arena));
    core_v1::PodStatus status = patch.make_status(arena);
    const NewCondition condition{"PodScheduled", "False", refusal.reason, refusal.message};
    bool differs = add_condition(known, condition, now, status, arena);
    if (refusal.nominated_node && *refusal.nominated_node != known.status().nominated_node_name()) {
        status.set_nominated_node_name(arena, *refusal.nominated_node);
        differs = true;
    }
    if (!differs) co_return base::ok();
    auto doing = patch_status(client, pod->key(), patch);
    co_return co_await doing;
}

base::Task<base::Result<void>> clear_nomination(client::Client& client, client::ObjectPointer pod) {
    if (core_v1::Pod(pod->root()).status().nominated_node_name().empty()) co_return base::ok();
    Arena arena;
    core_v1::Pod patch(Value::map(arena));
    patch.make_status(arena).set_nominated_node_name(arena, "");
    auto doing = patch_status(client, pod->key(), patch);
    co_return co_await doing;
}

base::Task<base::Result<void>> evict(client::Client& client, client::ObjectPointer victim,
                                     std::string scheduler_name, base::WallTime now) {
    Arena arena;
    core_v1::Pod patch(Value::map(arena));
    const std::string message = scheduler_name + ": preempting to accommodate a higher priority pod";
    const NewCondition condition{"DisruptionTarget", "True", "PreemptionByScheduler", message};
    if (add_condition(core_v1::Pod(victim->root()), condition, now, patch.make_status(arena), arena)) {
        auto patching = patch_status(client, victim->key(), patch);
        const auto patched = co_await patching;
        if (!patched && patched.error().reason() == base::Reason::not_found) co_return base::ok();
        if (!patched) co_return patched.error();
    }
    client::DeleteOptions how;
    how.preconditions.uid = std::string(victim->uid());
    auto removing = client.remove(
        client::collections::pods.address(victim->key().namespace_name, victim->key().name), how);
    const auto removed = co_await removing;
    if (!removed && removed.error().reason() == base::Reason::not_found) co_return base::ok();
    co_return outcome(removed);
}

base::Task<base::Result<void>> write_volume_choice(client::Client& client, VolumeChoice choice,
                                                   std::string node) {
    Arena arena;
    if (choice.volume.empty()) {
        core_v1::PersistentVolumeClaim patch(Value::map(arena));
        patch.make_metadata(arena).make_annotations(arena).set(arena, kSelectedNodeAnnotation, node);
        auto doing = client.patch(client::collections::persistent_volume_claims.address(
                                      choice.claim.namespace_name, choice.claim.name),
                                  client::PatchType::merge, patch.untyped(), options());
        const auto done = co_await doing;
        co_return outcome(done);
    }
    core_v1::PersistentVolume patch(Value::map(arena));
    patch.make_metadata(arena).make_annotations(arena).set(arena, kBoundByControllerAnnotation, "yes");
    core_v1::ObjectReference reference = patch.make_spec(arena).make_claim_ref(arena);
    reference.set_api_version(arena, "v1");
    reference.set_kind(arena, "PersistentVolumeClaim");
    reference.set_namespace(arena, choice.claim.namespace_name);
    reference.set_name(arena, choice.claim.name);
    reference.set_uid(arena, choice.claim_uid);
    auto doing = client.patch(client::collections::persistent_volumes.address({}, choice.volume),
                              client::PatchType::merge, patch.untyped(), options());
    const auto done = co_await doing;
    co_return outcome(done);
}

}  // namespace keelson::scheduling
