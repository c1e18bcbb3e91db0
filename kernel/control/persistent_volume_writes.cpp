#include "kernel/control/persistent_volume_writes.h"

#include "kernel/control/persistent_volume_match.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ObjectReference;
using api_types::core_v1::PersistentVolume;
using api_types::core_v1::PersistentVolumeClaim;
using base::Result;
using base::Task;
using object::Arena;
using object::Document;

constexpr Collection kVolumes = client::collections::persistent_volumes;
constexpr Collection kClaims = client::collections::persistent_volume_claims;

// False when the volume says so already.
bool put_claim(PersistentVolume volume, PersistentVolumeClaim claim, Arena& arena) {
    const ObjectReference known = volume.spec().claim_ref();
    const auto metadata = claim.metadata();
    const bool was_kept = is_kept_for(volume, claim);
    if (was_kept && known.uid() == metadata.uid()) return false;
    const ObjectReference reference = volume.make_spec(arena).make_claim_ref(arena);
    reference.set_api_version(arena, "v1");
    reference.set_kind(arena, "PersistentVolumeClaim");
    reference.set_namespace(arena, metadata.namespace_());
    reference.set_name(arena, metadata.name());
    reference.set_uid(arena, metadata.uid());
    reference.set_resource_version(arena, metadata.resource_version());
    if (!was_kept) volume.make_metadata(arena).make_annotations(arena).set(arena, kBoundByController, "yes");
    return true;
}

bool put_volume(PersistentVolumeClaim claim, std::string_view volume, Arena& arena) {
    bool is_changed = false;
    if (claim.spec().volume_name() != volume) {
        claim.make_spec(arena).set_volume_name(arena, volume);
        claim.make_metadata(arena).make_annotations(arena).set(arena, kBoundByController, "yes");
        is_changed = true;
    }
    if (!claim.metadata().annotations().has(kBindCompleted)) {
        claim.make_metadata(arena).make_annotations(arena).set(arena, kBindCompleted, "yes");
        is_changed = true;
    }
    return is_changed;
}

bool put_bound_status(PersistentVolumeClaim claim, PersistentVolume volume, Arena& arena) {
    const auto known = claim.status();
    const auto modes = volume.spec().access_modes().untyped();
    const bool was_bound = known.phase() == "Bound";
    if (was_bound && known.has_capacity() && known.access_modes().untyped().equals(modes)) return false;
    const auto status = claim.make_status(arena);
    status.set_phase(arena, "Bound");
    status.untyped().set(arena, "accessModes", modes.clone(arena));
    if (!was_bound || !known.has_capacity())
        status.untyped().set(arena, "capacity", volume.spec().capacity().untyped().clone(arena));
    if (!was_bound && !volume.spec().volume_attributes_class_name().empty())
        status.set_current_volume_attributes_class_name(arena, volume.spec().volume_attributes_class_name());
    return true;
}

Task<Result<void>> bind_claim(ObjectPointer claim, Document& volume, Writer& writer) {
    const PersistentVolume bound(volume.root);
    Document changed = claim->clone();
    if (put_volume(PersistentVolumeClaim(changed.root), bound.metadata().name(), changed.arena)) {
        auto updating = writer.update(kClaims, changed.root);
        KEELSON_CO_TRY(changed, co_await updating);
    }
    if (put_bound_status(PersistentVolumeClaim(changed.root), bound, changed.arena)) {
        auto updating = writer.update_status(kClaims, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
    }
    co_return base::ok();
}

}  // namespace

Task<Result<void>> bind(const Surroundings& surroundings, ObjectPointer volume, ObjectPointer claim,
                        Writer& writer) {
    Document changed = volume->clone();
    if (put_claim(PersistentVolume(changed.root), claim_of(claim), changed.arena)) {
        auto updating = writer.update(kVolumes, changed.root);
        KEELSON_CO_TRY(changed, co_await updating);
    }
    auto setting = set_volume_phase(surroundings, changed, "Bound", {}, writer);
    KEELSON_CO_TRY_VOID(co_await setting);
    auto binding = bind_claim(claim, changed, writer);
    co_return co_await binding;
}

Task<Result<void>> unbind(const Surroundings& surroundings, ObjectPointer volume, Writer& writer) {
    Document changed = volume->clone();
    const PersistentVolume typed(changed.root);
    if (typed.metadata().annotations().has(kBoundByController)) {
        typed.spec().clear_claim_ref();
        typed.metadata().annotations().erase(kBoundByController);
    } else {
        typed.spec().claim_ref().clear_uid();
        typed.spec().claim_ref().clear_resource_version();
    }
    auto updating = writer.update(kVolumes, changed.root);
    KEELSON_CO_TRY(changed, co_await updating);
    auto setting = set_volume_phase(surroundings, changed, "Available", {}, writer);
    co_return co_await setting;
}

Task<Result<void>> set_volume_phase(const Surroundings& surroundings, Document& volume,
                                    std::string_view phase, std::string message, Writer& writer) {
    const PersistentVolume typed(volume.root);
    if (typed.status().phase() == phase && typed.status().message() == message) co_return base::ok();
    const auto status = typed.make_status(volume.arena);
    if (status.phase() != phase) {
        const std::string now = object::format_time(object::instant_of(surroundings.now()));
        status.set_last_phase_transition_time(volume.arena, now);
    }
    status.set_phase(volume.arena, phase);
    if (message.empty())
        status.clear_message();
    else
        status.set_message(volume.arena, message);
    auto updating = writer.update_status(kVolumes, volume.root);
    KEELSON_CO_TRY(volume, co_await updating);
    co_return base::ok();
}

Task<Result<void>> set_claim_phase(ObjectPointer claim, std::string_view phase, Writer& writer) {
    if (claim_of(claim).status().phase() == phase) co_return base::ok();
    Document changed = claim->clone();
    PersistentVolumeClaim(changed.root).make_status(changed.arena).set_phase(changed.arena, phase);
    auto updating = writer.update_status(kClaims, changed.root);
    KEELSON_CO_TRY_VOID(co_await updating);
    co_return base::ok();
}

}  // namespace keelson::control
