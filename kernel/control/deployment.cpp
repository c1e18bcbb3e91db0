#include "kernel/control/deployment.h"

#include <algorithm>

#include "kernel/control/deployment_state.h"
#include "kernel/control/deployment_status.h"
#include "kernel/control/hashes.h"
#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::Deployment;
using api_types::apps_v1::DeploymentStatus;
using api_types::apps_v1::ReplicaSet;
using base::Result;
using base::Status;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::LabelSelector;
using object::Value;

constexpr Collection kDeployments = client::collections::deployments;
constexpr Collection kReplicaSets = client::collections::replica_sets;

// A step of a rollout: whether it wrote to a ReplicaSet. The next step is for when the informers show that.
using Step = Result<bool>;

class DeploymentController final : public Controller {
  public:
    explicit DeploymentController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          deployments_(surroundings.informers.of(kDeployments)),
          replica_sets_(surroundings.informers.of(kReplicaSets)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder("deployment-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "deployment"; }

    void watch(Queue& queue) override {
        index_orphans(replica_sets_);
        enqueue_objects(deployments_, queue);
        enqueue_controllers_of(replica_sets_, "Deployment", deployments_, queue);
        enqueue_adopters_of(replica_sets_, deployments_, queue, [](const client::CachedObject& owner) {
            return LabelSelector::from_object(Deployment(owner.root()).spec().selector().untyped());
        });
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (before && (!now || is_finished(pod_of(now)))) enqueue_for_ended_pod(before, queue);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer deployment = deployments_.get(key);
        if (!deployment) co_return done();
        const Deployment typed = deployment_of(deployment);
        if (typed.spec().selector().untyped().empty()) {
            events_->record(deployment->root(), EventType::warning, "SelectingAll",
                            "This deployment is selecting all pods. A non-empty selector is required.");
            co_return done();
        }
        KEELSON_CO_TRY(const LabelSelector selector,
                       LabelSelector::from_object(typed.spec().selector().untyped()));
        const Claim claim{kDeployments, deployment, kReplicaSets, selector};
        auto claiming = claim_dependents(surroundings_, writer, claim);
        KEELSON_CO_TRY(ObjectList mine, co_await claiming);
        const DeploymentState state = sort_replica_sets(deployment, std::move(mine));

        auto stepping = step(state, writer);
        KEELSON_CO_TRY(const bool wrote, co_await stepping);
        if (wrote) co_return done();
        const auto deadline = time_to_deadline(typed, surroundings_.now());
        co_return Again{deadline};
    }

  private:
    // A Deployment that is made anew waits until its old pods are gone.
    void enqueue_for_ended_pod(const ObjectPointer& pod, Queue& queue) const {
        for (const auto owner : pod_of(pod).metadata().owner_references()) {
            if (!owner.controller() || owner.kind() != "ReplicaSet") continue;
            const ObjectPointer replica_set =
                replica_sets_.get({pod->key().namespace_name, std::string(owner.name())});
            if (!replica_set) continue;
            for (const auto above : replica_set_of(replica_set).metadata().owner_references()) {
                const ObjectKey key{pod->key().namespace_name, std::string(above.name())};
                const ObjectPointer deployment = deployments_.get(key);
                if (deployment && !is_rolling_update(deployment_of(deployment))) queue.add(key);
            }
        }
    }

    Task<Step> step(DeploymentState state, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        if (state.deployment->is_being_deleted()) {
            auto counting = write_counts(state, writer);
            co_return co_await counting;
        }
        auto pausing = write_pause_condition(state, writer);
        KEELSON_CO_TRY(const bool paused_or_resumed, co_await pausing);
        if (paused_or_resumed) co_return true;
        // Without a rolling update there is nothing to share out among several: they go before one is made.
        const bool is_sharing_out = !is_rolling_update(deployment) && state.active().size() > 1;
        if (deployment.spec().paused() || (is_being_scaled(state) && !is_sharing_out)) {
            auto scaling = sync_size(state, writer);
            co_return co_await scaling;
        }
        if (is_rolling_update(deployment)) {
            auto rolling = roll(state, writer);
            co_return co_await rolling;
        }
        auto recreating = recreate(state, writer);
        co_return co_await recreating;
    }

    // --- The two strategies.

    Task<Step> roll(DeploymentState state, Writer& writer) {
        auto finding = ensure_current(state, writer);
        KEELSON_CO_TRY(const bool made, co_await finding);
        if (made) co_return true;
        if (!state.current) co_return false;  // it cannot be made
        auto growing = scale_current(state, writer);
        KEELSON_CO_TRY(const bool grown, co_await growing);
        if (!grown) {
            auto shrinking = shrink_old(state, writer);
            KEELSON_CO_TRY(const bool shrunk, co_await shrinking);
            if (!shrunk) {
                auto finishing = finish(state, writer);
                co_return co_await finishing;
            }
        }
        auto telling = write_status(state, writer);
        KEELSON_CO_TRY_VOID(co_await telling);
        co_return true;
    }

    Task<Step> recreate(DeploymentState state, Writer& writer) {
        bool shrunk = false;
        for (const ObjectPointer& old : state.old) {
            if (wanted_replicas(replica_set_of(old)) == 0) continue;
            auto scaling = scale(state, old, 0, writer);
            KEELSON_CO_TRY_VOID(co_await scaling);
            shrunk = true;
        }
        if (!shrunk && !has_pods_of(state.old)) {
            auto finding = ensure_current(state, writer);
            KEELSON_CO_TRY(const bool made, co_await finding);
            if (made) co_return true;
            if (!state.current) co_return false;  // it cannot be made
            auto growing = scale_current(state, writer);
            KEELSON_CO_TRY(const bool grown, co_await growing);
            if (!grown) {
                auto finishing = finish(state, writer);
                co_return co_await finishing;
            }
        }
        auto telling = write_status(state, writer);
        KEELSON_CO_TRY(const bool told, co_await telling);
        co_return shrunk || told;
    }

    [[nodiscard]] bool has_pods_of(const ObjectList& replica_sets) const {
        for (const ObjectPointer& replica_set : replica_sets)
            for (const ObjectPointer& pod : pods_.controlled_by(replica_set->uid()))
                if (!is_finished(pod_of(pod))) return true;
        return false;
    }

    // Nothing is left to be scaled.
    Task<Step> finish(DeploymentState state, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        if (is_complete(deployment, deployment.status())) {
            auto cleaning = clean_up(state, writer);
            KEELSON_CO_TRY_VOID(co_await cleaning);
        }
        auto telling = write_status(state, writer);
        co_return co_await telling;
    }

    // --- The ReplicaSet of the present template.

    Task<Step> ensure_current(DeploymentState state, Writer& writer) {
        const std::int64_t revision = highest_revision(state.old) + 1;
        if (!state.current) {
            auto creating = create_current(state, revision, writer);
            co_return co_await creating;
        }
        Document changed = state.current->clone();
        const ReplicaSet replica_set(changed.root);
        const Deployment deployment = deployment_of(state.deployment);
        bool is_changed = set_replica_set_annotations(deployment, replica_set, revision, changed.arena);
        if (replica_set.spec().min_ready_seconds() != deployment.spec().min_ready_seconds()) {
            replica_set.make_spec(changed.arena)
                .set_min_ready_seconds(changed.arena, deployment.spec().min_ready_seconds());
            is_changed = true;
        }
        if (is_changed) {
            auto updating = writer.update(kReplicaSets, changed.root);
            KEELSON_CO_TRY_VOID(co_await updating);
            co_return true;
        }
        auto telling = write_revision(state, writer);
        co_return co_await telling;
    }

    // The Deployment carries the revision of its current ReplicaSet, and says first of all where it got it.
    Task<Step> write_revision(DeploymentState state, Writer& writer) {
        Document changed = state.deployment->clone();
        const Deployment deployment(changed.root);
        Arena& arena = changed.arena;
        bool is_changed = put_revision(deployment, state.current, arena);
        const auto status = deployment.make_status(arena);
        if (has_progress_deadline(deployment) && !has_progress(status))
            is_changed |= set_progress(status, "True", "FoundNewReplicaSet",
                                       "Found new replica set \"" + state.current->key().name + "\"",
                                       surroundings_.now(), arena);
        if (!is_changed) co_return false;
        auto updating = writer.update_status(kDeployments, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return true;
    }

    static bool has_progress(DeploymentStatus status) {
        for (const auto condition : status.conditions())
            if (condition.type() == "Progressing") return true;
        return false;
    }

    static bool put_revision(Deployment deployment, const ObjectPointer& replica_set, Arena& arena) {
        const std::string_view revision =
            replica_set_of(replica_set).metadata().annotations()[revision_annotation];
        const auto annotations = deployment.make_metadata(arena).make_annotations(arena);
        if (annotations[revision_annotation] == revision) return false;
        annotations.set(arena, revision_annotation, revision);
        return true;
    }

    static Value replica_set_for(const DeploymentState& state, const std::string& hash, std::int64_t revision,
                                 Arena& arena) {
        const Deployment deployment = deployment_of(state.deployment);
        const ReplicaSet replica_set(Value::map(arena));
        const auto metadata = replica_set.make_metadata(arena);
        metadata.set_name(arena, std::string(deployment.metadata().name()) + "-" + hash);
        metadata.set_namespace(arena, deployment.metadata().namespace_());
        add_controller_reference(metadata, state.deployment->root(), arena);
        const auto spec = replica_set.make_spec(arena);
        spec.untyped().set(arena, "template", deployment.spec().template_().untyped().clone(arena));
        spec.make_template(arena).make_metadata(arena).make_labels(arena).set(arena, template_hash_label,
                                                                              hash);
        metadata.untyped().set(arena, "labels", spec.template_().metadata().labels().untyped().clone(arena));
        spec.untyped().set(arena, "selector", deployment.spec().selector().untyped().clone(arena));
        spec.make_selector(arena).make_match_labels(arena).set(arena, template_hash_label, hash);
        spec.set_min_ready_seconds(arena, deployment.spec().min_ready_seconds());
        spec.set_replicas(arena, wanted_of_current(state, 0));
        set_replica_set_annotations(deployment, replica_set, revision, arena);
        set_size_annotations(deployment, replica_set, arena);
        return replica_set.untyped();
    }

    Task<Step> create_current(DeploymentState state, std::int64_t revision, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        std::optional<std::int64_t> collisions;
        if (deployment.status().has_collision_count()) collisions = deployment.status().collision_count();
        const std::string hash = template_hash(deployment.spec().template_(), collisions);
        Document wanted;
        wanted.root = replica_set_for(state, hash, revision, wanted.arena);
        auto creating = writer.create(kReplicaSets, wanted.root);
        const Writer::Object created = co_await creating;
        if (!created) {
            auto failing = creation_failed(state, created.error(), wanted.root, writer);
            co_return co_await failing;
        }
        const ReplicaSet replica_set(created->root);
        const std::string name(replica_set.metadata().name());
        if (wanted_replicas(replica_set) > 0)
            events_->record(state.deployment->root(), EventType::normal, "ScalingReplicaSet",
                            "Scaled up replica set " + name + " from 0 to " +
                                std::to_string(wanted_replicas(replica_set)));
        Document changed = state.deployment->clone();
        Arena& arena = changed.arena;
        const Deployment typed(changed.root);
        typed.make_metadata(arena).make_annotations(arena).set(arena, revision_annotation,
                                                               std::to_string(revision));
        if (has_progress_deadline(typed))
            set_progress(typed.make_status(arena), "True", "NewReplicaSetCreated",
                         "Created new replica set \"" + name + "\"", surroundings_.now(), arena);
        auto updating = writer.update_status(kDeployments, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return true;
    }

    Task<Step> creation_failed(DeploymentState state, Status failure, Value wanted, Writer& writer) {
        if (failure.code() == 409 && failure.reason() == base::Reason::already_exists) {
            auto resolving = resolve_collision(state, wanted, writer);
            co_return co_await resolving;
        }
        if (is_namespace_terminating(failure)) co_return false;
        const std::string message = "Failed to create new replica set \"" +
                                    std::string(ReplicaSet(wanted).metadata().name()) +
                                    "\": " + failure.message();
        events_->record(state.deployment->root(), EventType::warning, "ReplicaSetCreateError", message);
        Document changed = state.deployment->clone();
        if (has_progress_deadline(deployment_of(state.deployment)) &&
            set_progress(Deployment(changed.root).make_status(changed.arena), "False",
                         "ReplicaSetCreateError", message, surroundings_.now(), changed.arena)) {
            auto updating = writer.update_status(kDeployments, changed.root);
            (void)co_await updating;
        }
        co_return failure;
    }

    // The name is taken: by the very ReplicaSet that is wanted, which the informer did not show yet, or by
    // another, and then the next hash counts that in.
    Task<Step> resolve_collision(DeploymentState state, Value wanted, Writer& writer) {
        const auto metadata = ReplicaSet(wanted).metadata();
        auto getting = surroundings_.client.get(kReplicaSets.address(metadata.namespace_(), metadata.name()));
        KEELSON_CO_TRY(const Document present, co_await getting);
        const ReplicaSet found(present.root);
        for (const auto owner : found.metadata().owner_references())
            if (owner.controller() && owner.uid() == state.deployment->uid() &&
                found.spec().template_().untyped().equals(ReplicaSet(wanted).spec().template_().untyped()))
                co_return Status(base::Reason::conflict, "the replica set was made already");
        Document changed = state.deployment->clone();
        const auto status = Deployment(changed.root).make_status(changed.arena);
        status.set_collision_count(changed.arena, status.collision_count() + 1);
        auto updating = writer.update_status(kDeployments, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return true;
    }

    // --- Sizes.

    Task<Step> scale(const DeploymentState& state, ObjectPointer replica_set, std::int64_t size,
                     Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        Document changed = replica_set->clone();
        const ReplicaSet typed(changed.root);
        const std::int64_t before = wanted_replicas(typed);
        const bool is_marked = set_size_annotations(deployment, typed, changed.arena);
        if (before == size && !is_marked) co_return false;
        typed.make_spec(changed.arena).set_replicas(changed.arena, size);
        auto updating = writer.update(kReplicaSets, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        if (before != size)
            events_->record(state.deployment->root(), EventType::normal, "ScalingReplicaSet",
                            std::string("Scaled ") + (before < size ? "up" : "down") + " replica set " +
                                replica_set->key().name + " from " + std::to_string(before) + " to " +
                                std::to_string(size));
        co_return true;
    }

    Task<Step> scale_current(const DeploymentState& state, Writer& writer) {
        const std::int64_t present = wanted_replicas(replica_set_of(state.current));
        const std::int64_t wanted = wanted_replicas(deployment_of(state.deployment));
        if (present == wanted) co_return false;
        const std::int64_t size = present > wanted ? wanted : wanted_of_current(state, present);
        auto scaling = scale(state, state.current, size, writer);
        co_return co_await scaling;
    }

    // What stays available: pods beyond the size that was given last are as good as gone, whatever the status
    // that was told before says.
    static std::int64_t lasting_available(ReplicaSet replica_set) {
        return std::min<std::int64_t>(replica_set.status().available_replicas(),
                                      wanted_replicas(replica_set));
    }

    // As far as enough pods stay available: first those that are not available anyway.
    Task<Step> shrink_old(const DeploymentState& state, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        const ReplicaSet current = replica_set_of(state.current);
        if (total_wanted(state.old) == 0) co_return false;
        const std::int64_t least = wanted_replicas(deployment) - fenceposts(deployment).unavailable;
        const std::int64_t current_unavailable = wanted_replicas(current) - lasting_available(current);
        const std::int64_t most = total_wanted(state.all()) - least - current_unavailable;
        if (most <= 0) co_return false;
        std::int64_t unhealthy_left = most;
        std::int64_t available_now = 0;
        for (const ObjectPointer& any : state.all()) available_now += lasting_available(replica_set_of(any));
        std::int64_t healthy_left = std::max<std::int64_t>(0, available_now - least);
        bool shrunk = false;
        for (const ObjectPointer& old : state.old) {
            std::int64_t size = wanted_replicas(replica_set_of(old));
            const std::int64_t before = size;
            const std::int64_t available = replica_set_of(old).status().available_replicas();
            const std::int64_t unhealthy =
                std::min(unhealthy_left, std::max<std::int64_t>(0, size - available));
            size -= unhealthy;
            unhealthy_left -= unhealthy;
            const std::int64_t healthy = std::min(healthy_left, size);
            size -= healthy;
            healthy_left -= healthy;
            if (size == before) continue;
            auto scaling = scale(state, old, size, writer);
            KEELSON_CO_TRY_VOID(co_await scaling);
            shrunk = true;
        }
        co_return shrunk;
    }

    // The Deployment was resized since its ReplicaSets were.
    static bool is_being_scaled(const DeploymentState& state) {
        const std::string wanted = std::to_string(wanted_replicas(deployment_of(state.deployment)));
        return std::ranges::any_of(state.active(), [&](const ObjectPointer& object) {
            const auto annotations = replica_set_of(object).metadata().annotations();
            return annotations.has(desired_replicas_annotation) &&
                   annotations[desired_replicas_annotation] != wanted;
        });
    }

    Task<Step> sync_size(DeploymentState state, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        if (state.current) {
            auto finding = ensure_current(state, writer);
            KEELSON_CO_TRY(const bool changed, co_await finding);
            if (changed) co_return true;
        }
        auto resizing = resize(state, writer);
        KEELSON_CO_TRY(const bool resized, co_await resizing);
        // What was just given a size may be one that looks as if it were not needed any more.
        if (deployment.spec().paused() && !resized) {
            auto cleaning = clean_up(state, writer);
            KEELSON_CO_TRY_VOID(co_await cleaning);
        }
        auto counting = write_counts(state, writer);
        KEELSON_CO_TRY(const bool counted, co_await counting);
        co_return resized || counted;
    }

    Task<Step> resize(const DeploymentState& state, Writer& writer) {
        const Deployment deployment = deployment_of(state.deployment);
        const std::int64_t wanted = wanted_replicas(deployment);
        const ObjectList active = state.active();
        if (active.size() <= 1) {
            const ObjectPointer only = !active.empty()     ? active.front()
                                       : state.current     ? state.current
                                       : state.old.empty() ? nullptr
                                                           : state.old.back();
            if (!only) co_return false;
            auto scaling = scale(state, only, wanted, writer);
            co_return co_await scaling;
        }
        std::vector<std::int64_t> sizes(active.size(), 0);
        if (is_saturated(state)) {
            // The old ones are only waiting to be taken down.
            for (std::size_t index = 0; index < active.size(); ++index)
                if (active[index] == state.current) sizes[index] = wanted;
        } else if (is_rolling_update(deployment)) {
            sizes = proportional_sizes(state, active);
        } else {
            co_return false;
        }
        bool changed = false;
        for (std::size_t index = 0; index < active.size(); ++index) {
            auto scaling = scale(state, active[index], sizes[index], writer);
            KEELSON_CO_TRY(const bool scaled, co_await scaling);
            changed |= scaled;
        }
        co_return changed;
    }

    static bool is_saturated(const DeploymentState& state) {
        if (!state.current) return false;
        const ReplicaSet current = replica_set_of(state.current);
        const std::int64_t wanted = wanted_replicas(deployment_of(state.deployment));
        return wanted_replicas(current) == wanted && current.status().available_replicas() == wanted &&
               current.metadata().annotations()[desired_replicas_annotation] == std::to_string(wanted);
    }

    // Old ReplicaSets beyond the history that is to be kept.
    Task<Result<void>> clean_up(const DeploymentState& state, Writer& writer) {
        const auto spec = deployment_of(state.deployment).spec();
        if (!spec.has_revision_history_limit()) co_return base::ok();
        ObjectList history = state.old;
        std::erase_if(history, [](const ObjectPointer& object) { return object->is_being_deleted(); });
        const auto limit = static_cast<std::size_t>(spec.revision_history_limit());
        if (history.size() <= limit) co_return base::ok();
        std::ranges::stable_sort(history, {}, revision_of);
        history.resize(history.size() - limit);
        for (const ObjectPointer& object : history) {
            const ReplicaSet replica_set = replica_set_of(object);
            if (replica_set.status().replicas() != 0 || wanted_replicas(replica_set) != 0 ||
                replica_set.metadata().generation() > replica_set.status().observed_generation())
                continue;
            auto removing = writer.remove(kReplicaSets, object, {});
            const Result<void> removed = co_await removing;
            if (!removed && removed.error().code() != 404) co_return removed.error();
        }
        co_return base::ok();
    }

    // --- The status.

    using StatusUpdate = bool (*)(DeploymentStatus, const DeploymentState&, base::WallTime, Arena&);

    Task<Step> write(const DeploymentState& state, StatusUpdate update, Writer& writer) {
        Document changed = state.deployment->clone();
        const auto status = Deployment(changed.root).make_status(changed.arena);
        if (!update(status, state, surroundings_.now(), changed.arena)) co_return false;
        auto updating = writer.update_status(kDeployments, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return true;
    }
    Task<Step> write_status(const DeploymentState& state, Writer& writer) {
        return write(state, update_deployment_status, writer);
    }
    Task<Step> write_counts(const DeploymentState& state, Writer& writer) {
        return write(state, update_deployment_counts, writer);
    }

    Task<Step> write_pause_condition(const DeploymentState& state, Writer& writer) {
        Document changed = state.deployment->clone();
        const Deployment deployment(changed.root);
        if (!update_pause_condition(deployment.make_status(changed.arena), deployment, surroundings_.now(),
                                    changed.arena))
            co_return false;
        auto updating = writer.update_status(kDeployments, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return true;
    }

    const Surroundings& surroundings_;
    Informer& deployments_;
    Informer& replica_sets_;
    Informer& pods_;
    std::unique_ptr<EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_deployment_controller(const Surroundings& surroundings) {
    return std::make_unique<DeploymentController>(surroundings);
}

}  // namespace keelson::control
