#include <map>

#include "kernel/control/persistent_volume_match.h"
#include "kernel/control/persistent_volume_writes.h"
#include "kernel/control/persistent_volumes.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::PersistentVolume;
using api_types::core_v1::PersistentVolumeClaim;
using base::Result;
using base::Task;
using client::CachedObject;
using client::EventType;
using object::Document;

constexpr Collection kVolumes = client::collections::persistent_volumes;
constexpr Collection kClaims = client::collections::persistent_volume_claims;
constexpr Collection kClasses = client::collections::storage_classes;
constexpr std::string_view kWaitingByClass = "waiting-by-class";
constexpr std::string_view kByVolume = "volume";
constexpr std::string_view kByClass = "class";
constexpr std::string_view kByClaim = "claim";
constexpr base::Duration kAfterFailure = std::chrono::seconds(1);
constexpr std::string_view kInTree = "kubernetes.io/";

bool is_bound_to_the_end(PersistentVolumeClaim claim) {
    return claim.metadata().annotations().has(kBindCompleted);
}

// Keys of volumes have no namespace, those of claims do.
class PersistentVolumeBinder final : public Controller {
  public:
    explicit PersistentVolumeBinder(const Surroundings& surroundings)
        : surroundings_(surroundings),
          volumes_(surroundings.informers.of(kVolumes)),
          claims_(surroundings.informers.of(kClaims)),
          classes_(surroundings.informers.of(kClasses)),
          events_(surroundings.recorder("persistentvolume-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "persistentvolume-binder"; }

    void watch(Queue& queue) override {
        queue_ = &queue;
        add_indexes();
        volumes_.add_handler([this](const ObjectPointer& before, const ObjectPointer& now) {
            see_volume(now ? *now : *before, !now);
        });
        claims_.add_handler([this](const ObjectPointer& before, const ObjectPointer& now) {
            see_claim(now ? *now : *before);
        });
        classes_.add_handler([this](const ObjectPointer& before, const ObjectPointer& now) {
            // It may be the default of those that name none.
            try_waiting(now ? now->key().name : before->key().name);
            try_waiting({});
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        if (key.namespace_name.empty()) {
            const ObjectPointer volume = volumes_.get(key);
            if (!volume) co_return done();
            auto syncing = sync_volume(volume, writer);
            KEELSON_CO_TRY_VOID(co_await syncing);
            co_return done();
        }
        const ObjectPointer claim = claims_.get(key);
        if (!claim) co_return done();
        auto syncing = is_bound_to_the_end(claim_of(claim)) ? sync_bound_claim(claim, writer)
                                                            : sync_unbound_claim(claim, writer);
        KEELSON_CO_TRY_VOID(co_await syncing);
        co_return done();
    }

  private:
    void add_indexes() {
        volumes_.add_index(std::string(kByClass), [](const CachedObject& object, auto& values) {
            values.push_back(class_name_of(PersistentVolume(object.root())));
        });
        volumes_.add_index(std::string(kByClaim), [](const CachedObject& object, auto& values) {
            std::string key = claim_key_of(PersistentVolume(object.root()));
            if (!key.empty()) values.push_back(std::move(key));
        });
        claims_.add_index(std::string(kByVolume), [](const CachedObject& object, auto& values) {
            const std::string_view volume = PersistentVolumeClaim(object.root()).spec().volume_name();
            if (!volume.empty()) values.emplace_back(volume);
        });
        claims_.add_index(std::string(kWaitingByClass), [](const CachedObject& object, auto& values) {
            const PersistentVolumeClaim claim(object.root());
            if (!is_bound_to_the_end(claim)) values.push_back(class_name_of(claim));
        });
    }

    void see_volume(const CachedObject& volume, bool is_gone) {
        const PersistentVolume typed(volume.root());
        const bool is_kept = typed.spec().has_claim_ref();
        if (is_gone || is_kept) taken_.erase(volume.key().name);
        queue_->add(volume.key());
        for (const ObjectPointer& claim : claims_.indexed(kByVolume, volume.key().name))
            queue_->add(claim->key());
        if (is_kept)
            queue_->add({std::string(typed.spec().claim_ref().namespace_()),
                         std::string(typed.spec().claim_ref().name())});
        else if (!is_gone && typed.status().phase() == "Available")
            try_waiting(class_name_of(typed));
    }

    void see_claim(const CachedObject& claim) {
        queue_->add(claim.key());
        for (const ObjectPointer& volume : volumes_.indexed(kByClaim, claim.key().text()))
            queue_->add(volume->key());
        const std::string_view name = PersistentVolumeClaim(claim.root()).spec().volume_name();
        if (!name.empty()) queue_->add({"", std::string(name)});
    }

    void try_waiting(const std::string& class_name) {
        for (const ObjectPointer& claim : claims_.indexed(kWaitingByClass, class_name))
            queue_->add(claim->key());
    }

    [[nodiscard]] ObjectPointer volume_named(std::string_view name) const {
        return volumes_.get({"", std::string(name)});
    }

    [[nodiscard]] bool waits_for_consumer(PersistentVolumeClaim claim) const {
        const ObjectPointer storage_class = classes_.get({"", class_name_of(claim)});
        return storage_class && class_of(storage_class).volume_binding_mode() == "WaitForFirstConsumer";
    }

    Task<Result<void>> sync_unbound_claim(ObjectPointer claim, Writer& writer) {
        if (claim->is_being_deleted()) co_return base::ok();
        const PersistentVolumeClaim typed = claim_of(claim);
        if (!typed.spec().volume_name().empty()) {
            auto asking = bind_as_asked(claim, writer);
            co_return co_await asking;
        }
        const bool waits = waits_for_consumer(typed);
        // Those that are kept for it may have been given another class than it has.
        ObjectPointer found = best_volume(volumes_.indexed(kByClaim, claim->key().text()), typed, true,
                                          [](const CachedObject&) { return false; });
        if (!found && !waits)
            found = best_volume(
                volumes_.indexed(kByClass, class_name_of(typed)), typed, false,
                [this](const CachedObject& volume) { return taken_.contains(volume.key().name); });
        if (found) {
            auto binding = take_and_bind(found, claim, writer);
            co_return co_await binding;
        }
        auto providing = provide(claim, waits, writer);
        co_return co_await providing;
    }

    // The view of volumes may be older than the claim that has just taken one.
    Task<Result<void>> take_and_bind(ObjectPointer volume, ObjectPointer claim, Writer& writer) {
        const std::string name = volume->key().name;
        taken_.emplace(name, claim->uid());
        auto binding = bind(surroundings_, volume, claim, writer);
        Result<void> bound = co_await binding;
        if (bound) co_return base::ok();
        // Others may have it, but not at once: what failed for this one may fail for them.
        if (taken_.erase(name) > 0)
            for (const ObjectPointer& other :
                 claims_.indexed(kWaitingByClass, class_name_of(volume_of(volume))))
                if (other->key() != claim->key()) queue_->add_after(other->key(), kAfterFailure);
        co_return bound;
    }

    // No volume is there for it.
    Task<Result<void>> provide(ObjectPointer claim, bool waits, Writer& writer) {
        const PersistentVolumeClaim typed = claim_of(claim);
        if (is_without_class(typed)) {
            if (const ObjectPointer chosen = default_class(classes_)) {
                Document changed = claim->clone();
                PersistentVolumeClaim(changed.root)
                    .make_spec(changed.arena)
                    .set_storage_class_name(changed.arena, chosen->key().name);
                auto updating = writer.update(kClaims, changed.root);
                KEELSON_CO_TRY_VOID(co_await updating);
                co_return base::ok();
            }
        }
        if (waits && !typed.metadata().annotations().has(kSelectedNode)) {
            events_->record(claim->root(), EventType::normal, "WaitForFirstConsumer",
                            "waiting for first consumer to be created before binding");
        } else if (!class_name_of(typed).empty()) {
            auto asking = ask_for_volume(claim, writer);
            KEELSON_CO_TRY(const bool wrote, co_await asking);
            if (wrote) co_return base::ok();
        } else {
            events_->record(claim->root(), EventType::normal, "FailedBinding",
                            "no persistent volumes available for this claim and no storage class is set");
        }
        auto setting = set_claim_phase(claim, "Pending", writer);
        co_return co_await setting;
    }

    // Names the one who has to make it; true: something was written.
    Task<Result<bool>> ask_for_volume(ObjectPointer claim, Writer& writer) {
        const PersistentVolumeClaim typed = claim_of(claim);
        const std::string class_name = class_name_of(typed);
        const ObjectPointer storage_class = classes_.get({"", class_name});
        if (!storage_class) {
            events_->record(claim->root(), EventType::warning, "ProvisioningFailed",
                            "storageclass.storage.k8s.io \"" + class_name + "\" not found");
            co_return false;
        }
        const std::string provisioner(class_of(storage_class).provisioner());
        if (provisioner.starts_with(kInTree)) {
            events_->record(claim->root(), EventType::warning, "ProvisioningFailed",
                            "no volume plugin matched");
            co_return false;
        }
        bool wrote = false;
        if (typed.metadata().annotations()[kProvisioner] != provisioner) {
            Document changed = claim->clone();
            const auto annotations = PersistentVolumeClaim(changed.root)
                                         .make_metadata(changed.arena)
                                         .make_annotations(changed.arena);
            annotations.set(changed.arena, kOldProvisioner, provisioner);
            annotations.set(changed.arena, kProvisioner, provisioner);
            auto updating = writer.update(kClaims, changed.root);
            KEELSON_CO_TRY_VOID(co_await updating);
            wrote = true;
        }
        events_->record(claim->root(), EventType::normal, "ExternalProvisioning",
                        "Waiting for a volume to be created either by the external provisioner '" +
                            provisioner +
                            "' or manually by the system administrator. If volume creation is delayed, "
                            "please verify that the provisioner is running and correctly registered.");
        co_return wrote;
    }

    // The claim names its volume.
    Task<Result<void>> bind_as_asked(ObjectPointer claim, Writer& writer) {
        const PersistentVolumeClaim typed = claim_of(claim);
        const ObjectPointer volume = volume_named(typed.spec().volume_name());
        if (volume && is_kept_for(volume_of(volume), typed)) {
            auto binding = bind(surroundings_, volume, claim, writer);
            co_return co_await binding;
        }
        if (volume && volume_of(volume).spec().has_claim_ref()) {
            events_->record(claim->root(), EventType::warning, "FailedBinding",
                            "volume \"" + volume->key().name + "\" already bound to a different claim.");
        } else if (volume) {
            const std::string why = mismatch(volume_of(volume), typed);
            if (why.empty()) {
                auto binding = take_and_bind(volume, claim, writer);
                co_return co_await binding;
            }
            events_->record(claim->root(), EventType::warning, "VolumeMismatch",
                            "Cannot bind to requested volume \"" + volume->key().name + "\": " + why);
        }
        auto setting = set_claim_phase(claim, "Pending", writer);
        co_return co_await setting;
    }

    // What has been bound stays so, or is lost; nothing else is put in its place.
    Task<Result<void>> sync_bound_claim(ObjectPointer claim, Writer& writer) {
        const PersistentVolumeClaim typed = claim_of(claim);
        const std::string name(typed.spec().volume_name());
        if (name.empty()) {
            auto losing = lose(claim, "ClaimLost",
                               "Bound claim has lost reference to PersistentVolume. Data on the volume is "
                               "lost!",
                               writer);
            co_return co_await losing;
        }
        const ObjectPointer volume = volume_named(name);
        if (!volume) {
            auto asking = surroundings_.client.get(kVolumes.address({}, name));
            const auto stored = co_await asking;
            // The informer of volumes is behind the claims'.
            if (stored) co_return base::ok();
            if (stored.error().code() != 404) co_return stored.error();
            auto losing =
                lose(claim, "ClaimLost",
                     "Bound claim has lost its PersistentVolume. Data on the volume is lost!", writer);
            co_return co_await losing;
        }
        if (!volume_of(volume).spec().has_claim_ref() || is_kept_for(volume_of(volume), typed)) {
            auto binding = bind(surroundings_, volume, claim, writer);
            co_return co_await binding;
        }
        auto losing = lose(claim, "ClaimMisbound",
                           "Two claims are bound to the same volume, this one is bound incorrectly", writer);
        co_return co_await losing;
    }

    Task<Result<void>> lose(ObjectPointer claim, std::string_view reason, std::string message,
                            Writer& writer) {
        if (claim_of(claim).status().phase() == "Lost") co_return base::ok();
        auto setting = set_claim_phase(claim, "Lost", writer);
        KEELSON_CO_TRY_VOID(co_await setting);
        events_->record(claim->root(), EventType::warning, reason, std::move(message));
        co_return base::ok();
    }

    Task<Result<void>> sync_volume(ObjectPointer volume, Writer& writer) {
        const PersistentVolume typed = volume_of(volume);
        if (!typed.spec().has_claim_ref() || typed.spec().claim_ref().uid().empty()) {
            auto setting = set_phase(volume, "Available", {}, writer);
            co_return co_await setting;
        }
        auto finding = claim_of_volume(typed);
        KEELSON_CO_TRY(const ObjectPointer claim, co_await finding);
        if (!claim) {
            auto releasing = release(volume, writer);
            co_return co_await releasing;
        }
        const std::string_view bound_to = claim_of(claim).spec().volume_name();
        if (bound_to.empty()) co_return base::ok();  // the claim's turn
        if (bound_to == volume->key().name) {
            auto setting = set_phase(volume, "Bound", {}, writer);
            co_return co_await setting;
        }
        // The claim has got another volume meanwhile: one that was made for it is needed by nobody.
        const bool was_made = typed.metadata().annotations().has(kProvisionedBy);
        auto freeing = was_made && typed.spec().persistent_volume_reclaim_policy() == "Delete"
                           ? release(volume, writer)
                           : unbind(surroundings_, volume, writer);
        co_return co_await freeing;
    }

    // Null: there is no such claim, or it is another of that name. That nobody is there is asked of the
    // store: a volume is given up for it.
    Task<Result<ObjectPointer>> claim_of_volume(PersistentVolume volume) {
        const auto reference = volume.spec().claim_ref();
        const ObjectKey key{std::string(reference.namespace_()), std::string(reference.name())};
        const ObjectPointer known = claims_.get(key);
        if (known && known->uid() == reference.uid()) co_return known;
        auto asking = surroundings_.client.get(kClaims.address(key.namespace_name, key.name));
        const auto stored = co_await asking;
        if (!stored && stored.error().code() != 404) co_return stored.error();
        if (!stored || PersistentVolumeClaim(stored->root).metadata().uid() != reference.uid())
            co_return ObjectPointer();
        co_return std::make_shared<const CachedObject>(stored->root, "PersistentVolumeClaim", "v1");
    }

    Task<Result<void>> set_phase(ObjectPointer volume, std::string_view phase, std::string message,
                                 Writer& writer) {
        Document changed = volume->clone();
        auto setting = set_volume_phase(surroundings_, changed, phase, std::move(message), writer);
        co_return co_await setting;
    }

    // Its claim has gone. Volumes that were made are deleted by who made them.
    Task<Result<void>> release(ObjectPointer volume, Writer& writer) {
        const PersistentVolume typed = volume_of(volume);
        const std::string_view phase = typed.status().phase();
        const std::string_view policy = typed.spec().persistent_volume_reclaim_policy();
        if (phase == "Failed") co_return base::ok();
        const bool is_kept = policy == "Retain" || typed.metadata().annotations().has(kProvisionedBy);
        if (is_kept) {
            auto setting = set_phase(volume, "Released", {}, writer);
            co_return co_await setting;
        }
        const bool deletes = policy == "Delete";
        std::string why = deletes ? "error getting deleter volume plugin for volume \"" + volume->key().name +
                                        "\": no deletable volume plugin matched"
                                  : "volumes are not recycled here, use the reclaim policy Delete or Retain";
        auto failing = set_phase(volume, "Failed", why, writer);
        KEELSON_CO_TRY_VOID(co_await failing);
        events_->record(volume->root(), EventType::warning,
                        deletes ? "VolumeFailedDelete" : "VolumeFailedRecycle", std::move(why));
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& volumes_;
    Informer& claims_;
    Informer& classes_;
    std::unique_ptr<client::EventRecorder> events_;
    Queue* queue_ = nullptr;
    std::map<std::string, std::string, std::less<>> taken_;  // volumes by name: the uid of who takes it
};

}  // namespace

std::unique_ptr<Controller> make_persistent_volume_binder(const Surroundings& surroundings) {
    return std::make_unique<PersistentVolumeBinder>(surroundings);
}

}  // namespace keelson::control
