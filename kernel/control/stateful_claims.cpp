#include "kernel/control/stateful_claims.h"

#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::StatefulSet;
using api_types::core_v1::PersistentVolumeClaim;
using api_types::core_v1::Pod;
using api_types::meta_v1::OwnerReference;
using base::Result;
using base::Status;
using base::Task;
using client::EventType;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kClaims = client::collections::persistent_volume_claims;

bool is_about(OwnerReference reference, std::string_view kind, std::string_view name) {
    return reference.kind() == kind && reference.name() == name;
}

struct Retention {
    bool goes_when_deleted = false;
    bool goes_when_scaled = false;
};
Retention retention_of(StatefulSet set) {
    const auto policy = set.spec().persistent_volume_claim_retention_policy();
    return {policy.when_deleted() == "Delete", policy.when_scaled() == "Delete"};
}

void add_controller(PersistentVolumeClaim claim, std::string_view api_version, std::string_view kind,
                    std::string_view name, std::string_view uid, Arena& arena) {
    const OwnerReference reference = claim.make_metadata(arena).make_owner_references(arena).add(arena);
    reference.set_api_version(arena, api_version);
    reference.set_kind(arena, kind);
    reference.set_name(arena, name);
    reference.set_uid(arena, uid);
    reference.set_controller(arena, true);
    reference.set_block_owner_deletion(arena, true);
}

std::string claim_event(std::string_view claim, std::string_view pod, std::string_view set,
                        const Status* failure) {
    const std::string subject = std::string("Create Claim ").append(claim);
    const std::string place = std::string(pod).append(" in StatefulSet ").append(set);
    if (!failure) return subject + " Pod " + place + " success";
    return subject + " for Pod " + place + " failed error: " + failure->message();
}

}  // namespace

bool put_claim_owners(PersistentVolumeClaim claim, StatefulSet set, Pod pod, std::int64_t ordinal,
                      Arena& arena) {
    const std::string pod_name = stateful_pod_name(set.metadata().name(), ordinal);
    const Value before = claim.metadata().owner_references().untyped().clone(arena);
    bool is_foreign = false;
    const Value others = Value::list(arena);
    for (const OwnerReference reference : claim.metadata().owner_references()) {
        if (is_about(reference, "StatefulSet", set.metadata().name()) || is_about(reference, "Pod", pod_name))
            continue;
        is_foreign = is_foreign || reference.controller();
        others.push_back(arena, reference.untyped());
    }
    claim.make_metadata(arena).untyped().set(arena, "ownerReferences", others);
    const Retention retention = retention_of(set);
    const bool is_scaled_away = !ordinals_of(set).contains(ordinal);
    if (!is_foreign) {
        if (retention.goes_when_scaled && is_scaled_away) {
            if (pod.is_set()) add_controller(claim, "v1", "Pod", pod_name, pod.metadata().uid(), arena);
        } else if (retention.goes_when_deleted) {
            add_controller(claim, "apps/v1", "StatefulSet", set.metadata().name(), set.metadata().uid(),
                           arena);
        }
    }
    const Value now = claim.metadata().owner_references().untyped();
    return !now.equals(before) && !(now.empty() && before.empty());
}

StatefulClaims::StatefulClaims(const Surroundings& surroundings, client::EventRecorder& events)
    : claims_(surroundings.informers.of(kClaims)), events_(events) {}

void StatefulClaims::watch(const Informer& sets, Queue& queue) {
    claims_.add_handler([&sets, &queue](const ObjectPointer& before, const ObjectPointer& now) {
        const ObjectKey& key = now ? now->key() : before->key();
        for (const ObjectPointer& set : sets.list(key.namespace_name)) {
            for (const PersistentVolumeClaim templ : stateful_set_of(set).spec().volume_claim_templates()) {
                const std::string prefix = std::string(templ.metadata().name()) + "-" + set->key().name;
                if (ordinal_of(prefix, key.name)) queue.add(set->key());
            }
        }
    });
}

bool StatefulClaims::is_any_stale(const ObjectPointer& set, std::int64_t ordinal) const {
    const StatefulSet typed = stateful_set_of(set);
    if (!retention_of(typed).goes_when_scaled) return false;
    const std::string pod_name = stateful_pod_name(set->key().name, ordinal);
    Arena arena;
    for (const PersistentVolumeClaim wanted : claims_of_pod(typed, ordinal, arena)) {
        const ObjectPointer claim =
            claims_.get({set->key().namespace_name, std::string(wanted.metadata().name())});
        if (!claim) continue;
        for (const OwnerReference reference :
             PersistentVolumeClaim(claim->root()).metadata().owner_references())
            if (is_about(reference, "Pod", pod_name)) return true;
    }
    return false;
}

Task<Result<bool>> StatefulClaims::make_missing(ObjectPointer set, std::int64_t ordinal, Writer& writer) {
    Arena arena;
    bool wrote = false;
    const std::string pod_name = stateful_pod_name(set->key().name, ordinal);
    for (const PersistentVolumeClaim wanted : claims_of_pod(stateful_set_of(set), ordinal, arena)) {
        const std::string name(wanted.metadata().name());
        const ObjectPointer present = claims_.get({set->key().namespace_name, name});
        if (present && present->is_being_deleted())
            co_return Status(base::Reason::conflict, "pvc " + name + " is being deleted");
        if (present) continue;
        auto creating = writer.create(kClaims, wanted.untyped());
        const Writer::Object created = co_await creating;
        wrote = true;
        if (created) {
            events_.record(set->root(), EventType::normal, "SuccessfulCreate",
                           claim_event(name, pod_name, set->key().name, nullptr));
            continue;
        }
        // The informer just did not show it yet.
        if (created.error().reason() == base::Reason::already_exists) continue;
        events_.record(set->root(), EventType::warning, "FailedCreate",
                       claim_event(name, pod_name, set->key().name, &created.error()));
        co_return Status(created.error().reason(),
                         "failed to create PVC " + name + ": " + created.error().message());
    }
    co_return wrote;
}

bool StatefulClaims::is_policy_followed(const ObjectPointer& set, const ObjectPointer& pod,
                                        std::int64_t ordinal) const {
    const StatefulSet typed = stateful_set_of(set);
    for (const PersistentVolumeClaim templ : typed.spec().volume_claim_templates()) {
        const ObjectPointer present =
            claims_.get({set->key().namespace_name,
                         stateful_claim_name(templ.metadata().name(), set->key().name, ordinal)});
        if (!present || present->is_being_deleted()) continue;
        Arena arena;
        const PersistentVolumeClaim copy(Value::map(arena));
        const PersistentVolumeClaim claim(present->root());
        copy.make_metadata(arena).untyped().set(arena, "ownerReferences",
                                                claim.metadata().owner_references().untyped().clone(arena));
        if (put_claim_owners(copy, typed, pod_of(pod), ordinal, arena)) return false;
    }
    return true;
}

Task<Result<bool>> StatefulClaims::follow_policy(ObjectPointer set, ObjectPointer pod, std::int64_t ordinal,
                                                 Writer& writer) {
    Arena arena;
    bool wrote = false;
    for (const PersistentVolumeClaim wanted : claims_of_pod(stateful_set_of(set), ordinal, arena)) {
        const ObjectPointer present =
            claims_.get({set->key().namespace_name, std::string(wanted.metadata().name())});
        if (!present || present->is_being_deleted()) continue;
        Document changed = present->clone();
        if (!put_claim_owners(PersistentVolumeClaim(changed.root), stateful_set_of(set), pod_of(pod), ordinal,
                              changed.arena))
            continue;
        auto updating = writer.update(kClaims, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        wrote = true;
    }
    co_return wrote;
}

}  // namespace keelson::control
