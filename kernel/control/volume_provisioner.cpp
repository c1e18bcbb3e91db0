#include "kernel/control/volume_provisioner.h"

#include "kernel/control/made_volume.h"
#include "kernel/control/persistent_volume_match.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::PersistentVolume;
using api_types::core_v1::PersistentVolumeClaim;
using api_types::meta_v1::ObjectMeta;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using client::EventType;
using object::Document;
using object::Value;

constexpr Collection kVolumes = client::collections::persistent_volumes;
constexpr Collection kClaims = client::collections::persistent_volume_claims;
constexpr Collection kClasses = client::collections::storage_classes;
constexpr Collection kNodes = client::collections::nodes;
// On a claim while a volume is being made for it: it does not go before it is known whose that one is.
constexpr std::string_view kBegun = "keelson.dev/provisioning";
constexpr std::string_view kPrefix = "keelson.dev/";
constexpr std::string_view kInTree = "kubernetes.io/";
constexpr base::Duration kPluginMissing = std::chrono::seconds(5);

bool has_finalizer(Value object, std::string_view wanted) {
    for (const std::string_view finalizer : ObjectMeta(object["metadata"]).finalizers())
        if (finalizer == wanted) return true;
    return false;
}

void drop_finalizer(Value object, std::string_view unwanted) {
    const Value list = ObjectMeta(object["metadata"]).finalizers().untyped();
    for (std::size_t index = list.size(); index-- > 0;)
        if (list.at(index).as_string() == unwanted) list.remove_at(index);
}

// Trying again may help.
bool may_pass(const Status& status) {
    const Reason reason = status.reason();
    return reason == Reason::service_unavailable || reason == Reason::timeout ||
           reason == Reason::internal_error;
}

// Keys of volumes have no namespace, those of claims do.
class VolumeProvisioner final : public Controller {
  public:
    VolumeProvisioner(const Surroundings& surroundings, VolumeMakers& makers)
        : makers_(makers),
          volumes_(surroundings.informers.of(kVolumes)),
          claims_(surroundings.informers.of(kClaims)),
          classes_(surroundings.informers.of(kClasses)),
          nodes_(surroundings.informers.of(kNodes)),
          events_(surroundings.recorder("keelson-provisioner")) {}

    [[nodiscard]] std::string_view name() const override { return "volume-provisioner"; }

    void watch(Queue& queue) override {
        claims_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && (is_asked_for(now) || has_finalizer(now->root(), kBegun))) queue.add(now->key());
        });
        volumes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            const PersistentVolume volume = volume_of(now ? now : before);
            if (!volume.metadata().annotations().has(kProvisionedBy)) return;
            if (now) queue.add(now->key());
            // The claim need not be kept any longer.
            const auto reference = volume.spec().claim_ref();
            const ObjectKey key{std::string(reference.namespace_()), std::string(reference.name())};
            const ObjectPointer claim = claims_.get(key);
            if (claim && has_finalizer(claim->root(), kBegun)) queue.add(key);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        if (key.namespace_name.empty()) {
            const ObjectPointer volume = volumes_.get(key);
            if (!volume || !is_made_here(volume)) co_return done();
            if (is_to_be_deleted(volume)) {
                auto deleting = delete_volume(volume, writer);
                co_return co_await deleting;
            }
            const bool is_kept = volume_of(volume).spec().persistent_volume_reclaim_policy() != "Delete";
            if (is_kept && makers_.has(std::string(volume_of(volume).spec().csi().driver()))) {
                auto forgetting = forget(volume, writer);
                KEELSON_CO_TRY_VOID(co_await forgetting);
            }
            co_return done();
        }
        const ObjectPointer claim = claims_.get(key);
        if (!claim) co_return done();
        const bool has_begun = has_finalizer(claim->root(), kBegun);
        if (volumes_.get({"", made_volume_name(claim)})) {
            if (!has_begun) co_return done();
            auto ending = end(claim, writer);
            KEELSON_CO_TRY_VOID(co_await ending);
            co_return done();
        }
        if (!has_begun && (!is_asked_for(claim) || claim->is_being_deleted())) co_return done();
        auto making = make(claim, has_begun, writer);
        co_return co_await making;
    }

  private:
    // The binder has found no volume for it and names who makes one.
    static bool is_asked_for(const ObjectPointer& claim) {
        const PersistentVolumeClaim typed = claim_of(claim);
        const std::string_view provisioner = typed.metadata().annotations()[kProvisioner];
        return !provisioner.empty() && !provisioner.starts_with(kInTree) &&
               typed.spec().volume_name().empty();
    }

    // Others name their drivers the same way, and are not plugins here.
    static bool is_made_here(const ObjectPointer& volume) {
        const PersistentVolume typed = volume_of(volume);
        const std::string_view provisioner = typed.metadata().annotations()[kProvisionedBy];
        return !provisioner.empty() && plugin_of_provisioner(provisioner) == typed.spec().csi().driver();
    }

    static bool is_to_be_deleted(const ObjectPointer& volume) {
        const PersistentVolume typed = volume_of(volume);
        return typed.status().phase() == "Released" &&
               typed.spec().persistent_volume_reclaim_policy() == "Delete" &&
               (!volume->is_being_deleted() || has_finalizer(volume->root(), kMadeVolumeFinalizer));
    }

    Task<Result<Again>> make(ObjectPointer claim, bool has_begun, Writer& writer) {
        const PersistentVolumeClaim typed = claim_of(claim);
        const std::string plugin = plugin_of_provisioner(typed.metadata().annotations()[kProvisioner]);
        const ObjectPointer storage_class = classes_.get({"", class_name_of(typed)});
        // Another's, or one that comes later: nobody tells when.
        if (!makers_.has(plugin)) co_return again_after(kPluginMissing);
        const std::string node_name(typed.metadata().annotations()[kSelectedNode]);
        const ObjectPointer node = node_name.empty() ? nullptr : nodes_.get({"", node_name});
        Result<NewVolume> wanted = Status(Reason::not_found, "its StorageClass is gone");
        if (storage_class) wanted = wanted_volume(claim, storage_class, node);
        if (wanted && !node && !node_name.empty())
            wanted = Status(Reason::not_found, "node \"" + node_name + "\" not found");
        if (!wanted) {
            auto failing = fail(claim, wanted.error(), has_begun, writer);
            co_return co_await failing;
        }
        if (!has_begun) {
            auto beginning = begin(claim, writer);
            KEELSON_CO_TRY_VOID(co_await beginning);
            co_return done();
        }
        auto creating = makers_.create(plugin, *wanted);
        const Result<MadeVolume> made = co_await creating;
        if (!made) {
            auto failing = fail(claim, made.error(), has_begun, writer);
            co_return co_await failing;
        }
        const Document volume = persistent_volume_of(*wanted, *made, claim, storage_class);
        auto writing = writer.create(kVolumes, volume.root);
        const Writer::Object written = co_await writing;
        if (!written && written.error().reason() != Reason::already_exists) co_return written.error();
        events_->record(claim->root(), EventType::normal, "ProvisioningSucceeded",
                        "Successfully provisioned volume " + wanted->name);
        co_return done();
    }

    // What is begun is ended, also when keelsond stops or the claim is deleted meanwhile.
    Task<Result<void>> begin(ObjectPointer claim, Writer& writer) {
        events_->record(
            claim->root(), EventType::normal, "Provisioning",
            "External provisioner is provisioning volume for claim \"" + claim->key().text() + "\"");
        Document changed = claim->clone();
        PersistentVolumeClaim(changed.root)
            .make_metadata(changed.arena)
            .make_finalizers(changed.arena)
            .add(changed.arena, kBegun);
        auto updating = writer.update(kClaims, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    Task<Result<void>> end(ObjectPointer claim, Writer& writer) {
        Document changed = claim->clone();
        drop_finalizer(changed.root, kBegun);
        auto updating = writer.update(kClaims, changed.root);
        const Writer::Object updated = co_await updating;
        if (!updated && updated.error().code() != 404) co_return updated.error();
        co_return base::ok();
    }

    // Nothing was made, or it is not known whether something was.
    Task<Result<Again>> fail(ObjectPointer claim, Status status, bool has_begun, Writer& writer) {
        events_->record(claim->root(), EventType::warning, "ProvisioningFailed",
                        "failed to provision volume with StorageClass \"" + class_name_of(claim_of(claim)) +
                            "\": " + status.message());
        if (may_pass(status)) co_return status;
        if (has_begun && claim->is_being_deleted()) {
            auto ending = end(claim, writer);
            KEELSON_CO_TRY_VOID(co_await ending);
            co_return done();
        }
        // The scheduler chooses again.
        const auto annotations = claim_of(claim).metadata().annotations();
        if (status.reason() == Reason::method_not_allowed && annotations.has(kSelectedNode)) {
            Document changed = claim->clone();
            PersistentVolumeClaim(changed.root).metadata().annotations().erase(kSelectedNode);
            auto updating = writer.update(kClaims, changed.root);
            KEELSON_CO_TRY_VOID(co_await updating);
        }
        co_return status;
    }

    Task<Result<Again>> delete_volume(ObjectPointer volume, Writer& writer) {
        const auto source = volume_of(volume).spec().csi();
        const std::string plugin(source.driver());
        if (!makers_.has(plugin)) co_return again_after(kPluginMissing);
        auto removing = makers_.remove(plugin, std::string(source.volume_handle()));
        const Result<void> removed = co_await removing;
        if (!removed) {
            events_->record(volume->root(), EventType::warning, "VolumeFailedDelete",
                            removed.error().message());
            co_return removed.error();
        }
        auto forgetting = forget(volume, writer);
        KEELSON_CO_TRY_VOID(co_await forgetting);
        if (volume->is_being_deleted()) co_return done();
        auto deleting = writer.remove(kVolumes, volume);
        const Result<void> deleted = co_await deleting;
        if (!deleted && deleted.error().code() != 404) co_return deleted.error();
        co_return done();
    }

    // Nothing has to be deleted when the object goes.
    Task<Result<void>> forget(ObjectPointer volume, Writer& writer) {
        if (!has_finalizer(volume->root(), kMadeVolumeFinalizer)) co_return base::ok();
        Document changed = volume->clone();
        drop_finalizer(changed.root, kMadeVolumeFinalizer);
        auto updating = writer.update(kVolumes, changed.root);
        const Writer::Object updated = co_await updating;
        if (!updated && updated.error().code() != 404) co_return updated.error();
        co_return base::ok();
    }

    VolumeMakers& makers_;
    Informer& volumes_;
    Informer& claims_;
    Informer& classes_;
    Informer& nodes_;
    std::unique_ptr<client::EventRecorder> events_;
};

}  // namespace

std::string plugin_of_provisioner(std::string_view provisioner) {
    if (provisioner.starts_with(kPrefix)) provisioner.remove_prefix(kPrefix.size());
    return std::string(provisioner);
}

std::unique_ptr<Controller> make_volume_provisioner(const Surroundings& surroundings, VolumeMakers& makers) {
    return std::make_unique<VolumeProvisioner>(surroundings, makers);
}

}  // namespace keelson::control
