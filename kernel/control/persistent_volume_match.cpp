#include "kernel/control/persistent_volume_match.h"

#include <algorithm>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"
#include "kernel/scheduling/labels.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ObjectReference;
using api_types::core_v1::PersistentVolume;
using api_types::core_v1::PersistentVolumeClaim;
using object::Quantity;

constexpr std::string_view kOldClass = "volume.beta.kubernetes.io/storage-class";
constexpr std::string_view kDefaultClass = "storageclass.kubernetes.io/is-default-class";
constexpr std::string_view kOldDefaultClass = "storageclass.beta.kubernetes.io/is-default-class";

Quantity amount(std::string_view text) {
    const auto quantity = Quantity::parse(text);
    return quantity ? *quantity : Quantity();
}

std::string_view mode_or_default(std::string_view mode) {
    return mode.empty() ? "Filesystem" : mode;
}

bool is_big_enough(PersistentVolume volume, PersistentVolumeClaim claim) {
    return amount(volume.spec().capacity()["storage"]) >=
           amount(claim.spec().resources().requests()["storage"]);
}

bool has_same_mode(PersistentVolume volume, PersistentVolumeClaim claim) {
    return mode_or_default(volume.spec().volume_mode()) == mode_or_default(claim.spec().volume_mode());
}

bool has_access_modes(PersistentVolume volume, PersistentVolumeClaim claim) {
    const auto offered = volume.spec().access_modes();
    return std::ranges::all_of(claim.spec().access_modes(), [&](std::string_view wanted) {
        return std::ranges::find(offered, wanted) != offered.end();
    });
}

bool is_selected(PersistentVolume volume, PersistentVolumeClaim claim) {
    if (!claim.spec().has_selector()) return true;
    return scheduling::Selector::from(claim.spec().selector())
        .matches(scheduling::Labels(volume.metadata().labels()));
}

bool is_free(PersistentVolume volume) {
    return volume.status().phase() == "Available" && !volume.spec().has_claim_ref();
}

}  // namespace

std::string class_name_of(PersistentVolumeClaim claim) {
    const auto annotations = claim.metadata().annotations();
    return std::string(annotations.has(kOldClass) ? annotations[kOldClass]
                                                  : claim.spec().storage_class_name());
}

std::string class_name_of(PersistentVolume volume) {
    const auto annotations = volume.metadata().annotations();
    return std::string(annotations.has(kOldClass) ? annotations[kOldClass]
                                                  : volume.spec().storage_class_name());
}

bool is_without_class(PersistentVolumeClaim claim) {
    return !claim.spec().has_storage_class_name() && !claim.metadata().annotations().has(kOldClass);
}

ObjectPointer default_class(const Informer& classes) {
    ObjectPointer chosen;
    const auto born = [](const ObjectPointer& object) {
        return class_of(object).metadata().creation_timestamp();
    };
    for (const ObjectPointer& candidate : classes.list()) {
        const auto annotations = class_of(candidate).metadata().annotations();
        if (annotations[kDefaultClass] != "true" && annotations[kOldDefaultClass] != "true") continue;
        if (!chosen || born(candidate) > born(chosen)) chosen = candidate;
    }
    return chosen;
}

std::string claim_key_of(PersistentVolume volume) {
    if (!volume.spec().has_claim_ref()) return {};
    const ObjectReference reference = volume.spec().claim_ref();
    return std::string(reference.namespace_()) + "/" + std::string(reference.name());
}

bool is_kept_for(PersistentVolume volume, PersistentVolumeClaim claim) {
    if (!volume.spec().has_claim_ref()) return false;
    const ObjectReference reference = volume.spec().claim_ref();
    return reference.namespace_() == claim.metadata().namespace_() &&
           reference.name() == claim.metadata().name() &&
           (reference.uid().empty() || reference.uid() == claim.metadata().uid());
}

std::string mismatch(PersistentVolume volume, PersistentVolumeClaim claim) {
    if (!is_big_enough(volume, claim)) return "requested PV is too small";
    if (class_name_of(volume) != class_name_of(claim)) return "storageClassName does not match";
    if (!has_same_mode(volume, claim)) return "incompatible volumeMode";
    if (!has_access_modes(volume, claim)) return "incompatible accessMode";
    if (volume.spec().volume_attributes_class_name() != claim.spec().volume_attributes_class_name())
        return "volumeAttributesClassName does not match";
    return {};
}

ObjectPointer best_volume(const ObjectList& volumes, PersistentVolumeClaim claim, bool kept_only,
                          const std::function<bool(const client::CachedObject&)>& is_taken) {
    ObjectPointer best;
    Quantity best_size;
    for (const ObjectPointer& candidate : volumes) {
        const PersistentVolume volume = volume_of(candidate);
        if (candidate->is_being_deleted() || !is_big_enough(volume, claim) || !has_same_mode(volume, claim))
            continue;
        if (is_kept_for(volume, claim)) return candidate;
        if (kept_only || !is_free(volume) || !mismatch(volume, claim).empty() ||
            !is_selected(volume, claim) || is_taken(*candidate))
            continue;
        const Quantity size = amount(volume.spec().capacity()["storage"]);
        if (best && size >= best_size) continue;
        best = candidate;
        best_size = size;
    }
    return best;
}

}  // namespace keelson::control
