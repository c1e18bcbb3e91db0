// Who uses a claim or a volume keeps it: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
// #storage-object-in-use-protection. Admission gives the finalizers, here they are taken.
#include <algorithm>

#include "kernel/control/persistent_volume_match.h"
#include "kernel/control/persistent_volumes.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Pod;
using base::Result;
using base::Task;
using object::Document;
using object::Value;

constexpr Collection kVolumes = client::collections::persistent_volumes;
constexpr Collection kClaims = client::collections::persistent_volume_claims;
constexpr Collection kPods = client::collections::pods;
constexpr std::string_view kClaimFinalizer = "kubernetes.io/pvc-protection";
constexpr std::string_view kVolumeFinalizer = "kubernetes.io/pv-protection";

bool has_finalizer(Value object, std::string_view wanted) {
    for (const std::string_view finalizer : api_types::meta_v1::ObjectMeta(object["metadata"]).finalizers())
        if (finalizer == wanted) return true;
    return false;
}

Task<Result<void>> take_finalizer(const Collection& collection, ObjectPointer object,
                                  std::string_view finalizer, Writer& writer) {
    Document changed = object->clone();
    const Value list = api_types::meta_v1::ObjectMeta(changed.root["metadata"]).finalizers().untyped();
    for (std::size_t index = list.size(); index-- > 0;)
        if (list.at(index).as_string() == finalizer) list.remove_at(index);
    auto updating = writer.update(collection, changed.root);
    const Writer::Object updated = co_await updating;
    if (!updated && updated.error().code() != 404) co_return updated.error();
    co_return base::ok();
}

// The names of the claims that a pod names, or that are made for it.
std::vector<std::string> claims_of(Pod pod) {
    std::vector<std::string> names;
    for (const auto volume : pod.spec().volumes()) {
        if (volume.has_persistent_volume_claim())
            names.emplace_back(volume.persistent_volume_claim().claim_name());
        else if (volume.has_ephemeral())
            names.push_back(std::string(pod.metadata().name()) + "-" + std::string(volume.name()));
    }
    return names;
}

// A pod without a node gets none while its claim goes. One that has ended is still there: so it is
// Kubernetes' rule, and its volumes may not be unmounted yet.
bool uses(Pod pod, std::string_view claim) {
    if (pod.spec().node_name().empty()) return false;
    const std::vector<std::string> names = claims_of(pod);
    return std::find(names.begin(), names.end(), claim) != names.end();
}

class ClaimProtection final : public Controller {
  public:
    explicit ClaimProtection(const Surroundings& surroundings)
        : surroundings_(surroundings),
          claims_(surroundings.informers.of(kClaims)),
          pods_(surroundings.informers.of(kPods)) {}

    [[nodiscard]] std::string_view name() const override { return "pvc-protection"; }

    void watch(Queue& queue) override {
        claims_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && now->is_being_deleted()) queue.add(now->key());
        });
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (now || !before) return;
            for (std::string& claim : claims_of(Pod(before->root()))) {
                const ObjectPointer known = claims_.get({before->key().namespace_name, std::move(claim)});
                if (known && known->is_being_deleted()) queue.add(known->key());
            }
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer claim = claims_.get(key);
        if (!claim || !claim->is_being_deleted() || !has_finalizer(claim->root(), kClaimFinalizer))
            co_return done();
        for (const ObjectPointer& pod : pods_.list(key.namespace_name))
            if (uses(Pod(pod->root()), key.name)) co_return done();
        auto asking = is_used_by_stored_pod(key);
        KEELSON_CO_TRY(const bool is_used, co_await asking);
        if (is_used) co_return again_after(std::chrono::seconds(1));
        auto taking = take_finalizer(kClaims, claim, kClaimFinalizer, writer);
        KEELSON_CO_TRY_VOID(co_await taking);
        co_return done();
    }

  private:
    // The informer may not show yet that a pod has got its node.
    Task<Result<bool>> is_used_by_stored_pod(ObjectKey key) {
        client::ListOptions options;
        options.limit = 500;
        while (true) {
            auto listing = surroundings_.client.list(kPods.address(key.namespace_name), options);
            const auto page = co_await listing;
            if (!page) co_return page.error();
            for (const Value pod : page->items)
                if (uses(Pod(pod), key.name)) co_return true;
            if (page->continue_token.empty()) co_return false;
            options.continue_token = page->continue_token;
        }
    }

    const Surroundings& surroundings_;
    Informer& claims_;
    Informer& pods_;
};

class VolumeProtection final : public Controller {
  public:
    explicit VolumeProtection(const Surroundings& surroundings)
        : volumes_(surroundings.informers.of(kVolumes)) {}

    [[nodiscard]] std::string_view name() const override { return "pv-protection"; }

    void watch(Queue& queue) override {
        volumes_.add_handler([&queue](const ObjectPointer&, const ObjectPointer& now) {
            if (now && now->is_being_deleted()) queue.add(now->key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer volume = volumes_.get(key);
        if (!volume || !volume->is_being_deleted() || !has_finalizer(volume->root(), kVolumeFinalizer) ||
            volume_of(volume).status().phase() == "Bound")
            co_return done();
        auto taking = take_finalizer(kVolumes, volume, kVolumeFinalizer, writer);
        KEELSON_CO_TRY_VOID(co_await taking);
        co_return done();
    }

  private:
    Informer& volumes_;
};

}  // namespace

std::unique_ptr<Controller> make_claim_protection_controller(const Surroundings& surroundings) {
    return std::make_unique<ClaimProtection>(surroundings);
}

std::unique_ptr<Controller> make_volume_protection_controller(const Surroundings& surroundings) {
    return std::make_unique<VolumeProtection>(surroundings);
}

}  // namespace keelson::control
