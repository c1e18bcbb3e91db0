// https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
#include "kernel/control/persistent_volume_match.h"
#include "kernel/control/persistent_volumes.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::PersistentVolumeClaim;
using api_types::core_v1::Volume;
using base::Result;
using base::Status;
using base::Task;
using client::EventType;
using object::Arena;
using object::Value;

constexpr Collection kClaims = client::collections::persistent_volume_claims;
constexpr Collection kPods = client::collections::pods;

std::string claim_name(const ObjectPointer& pod, Volume volume) {
    return pod->key().name + "-" + std::string(volume.name());
}

bool has_ephemeral_volumes(const ObjectPointer& pod) {
    for (const Volume volume : pod_of(pod).spec().volumes())
        if (volume.has_ephemeral()) return true;
    return false;
}

PersistentVolumeClaim make_claim(const ObjectPointer& pod, Volume volume, Arena& arena) {
    const auto pattern = volume.ephemeral().volume_claim_template();
    const PersistentVolumeClaim claim(Value::map(arena));
    claim.set_api_version(arena, "v1");
    claim.set_kind(arena, "PersistentVolumeClaim");
    const auto metadata = claim.make_metadata(arena);
    metadata.set_name(arena, claim_name(pod, volume));
    metadata.set_namespace(arena, pod->key().namespace_name);
    for (const auto& [key, value] : pattern.metadata().labels())
        metadata.make_labels(arena).set(arena, key, value);
    for (const auto& [key, value] : pattern.metadata().annotations())
        metadata.make_annotations(arena).set(arena, key, value);
    const auto owner = metadata.make_owner_references(arena).add(arena);
    owner.set_api_version(arena, "v1");
    owner.set_kind(arena, "Pod");
    owner.set_name(arena, pod->key().name);
    owner.set_uid(arena, pod->uid());
    owner.set_controller(arena, true);
    owner.set_block_owner_deletion(arena, true);
    claim.untyped().set(arena, "spec", pattern.spec().untyped().clone(arena));
    return claim;
}

class EphemeralVolumes final : public Controller {
  public:
    explicit EphemeralVolumes(const Surroundings& surroundings)
        : pods_(surroundings.informers.of(kPods)),
          claims_(surroundings.informers.of(kClaims)),
          events_(surroundings.recorder("ephemeral_volume")) {}

    [[nodiscard]] std::string_view name() const override { return "ephemeral-volume"; }

    void watch(Queue& queue) override {
        pods_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (now && (!before || before->uid() != now->uid()) && has_ephemeral_volumes(now))
                queue.add(now->key());
        });
        enqueue_controllers_of(claims_, "Pod", pods_, queue);
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer pod = pods_.get(key);
        if (!pod || pod->is_being_deleted()) co_return done();
        for (const Volume volume : pod_of(pod).spec().volumes()) {
            if (!volume.has_ephemeral()) continue;
            auto making = make_missing(pod, volume, writer);
            KEELSON_CO_TRY_VOID(co_await making);
        }
        co_return done();
    }

  private:
    Task<Result<void>> make_missing(ObjectPointer pod, Volume volume, Writer& writer) {
        const std::string name = claim_name(pod, volume);
        const ObjectPointer present = claims_.get({pod->key().namespace_name, name});
        if (present && present->controller_uid() == pod->uid()) co_return base::ok();
        Result<void> outcome = base::ok();
        if (present) {
            outcome = Status(base::Reason::conflict, "PVC \"" + present->key().text() +
                                                         "\" was not created for pod \"" + pod->key().text() +
                                                         "\" (pod is not owner)");
        } else {
            Arena arena;
            auto creating = writer.create(kClaims, make_claim(pod, volume, arena).untyped());
            const Writer::Object created = co_await creating;
            if (!created && created.error().reason() != base::Reason::already_exists)
                outcome = created.error();
        }
        if (!outcome)
            events_->record(pod->root(), EventType::warning, "FailedBinding",
                            "ephemeral volume controller: " + outcome.error().message());
        co_return outcome;
    }

    Informer& pods_;
    Informer& claims_;
    std::unique_ptr<client::EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_ephemeral_volume_controller(const Surroundings& surroundings) {
    return std::make_unique<EphemeralVolumes>(surroundings);
}

}  // namespace keelson::control
