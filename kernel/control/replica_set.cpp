#include "kernel/control/replica_set.h"

#include <algorithm>

#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::ReplicaSet;
using api_types::apps_v1::ReplicaSetStatus;
using api_types::core_v1::Pod;
using base::Result;
using base::Task;
using client::EventRecorder;
using object::Arena;
using object::Document;
using object::LabelSelector;
using object::Value;

// The two kinds differ in their selector and in their names; what else is read of a ReplicationController has
// the same fields as in a ReplicaSet.
struct ReplicaKind {
    std::string_view controller_name;
    std::string_view event_source;
    std::string_view kind;
    Collection collection;
    bool has_plain_selector;  // a map of labels
};

constexpr ReplicaKind kReplicaSet{"replicaset", "replicaset-controller", "ReplicaSet",
                                  client::collections::replica_sets, false};
constexpr ReplicaKind kReplicationController{"replicationcontroller", "replication-controller",
                                             "ReplicationController",
                                             client::collections::replication_controllers, true};

struct Counts {
    std::int64_t replicas = 0;
    std::int64_t fully_labeled = 0;
    std::int64_t ready = 0;
    std::int64_t available = 0;
    std::int64_t terminating = 0;
};

class ReplicaController final : public Controller {
  public:
    ReplicaController(const Surroundings& surroundings, const ReplicaKind& kind)
        : surroundings_(surroundings),
          kind_(kind),
          owners_(surroundings.informers.of(kind.collection)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder(std::string(kind.event_source))) {}

    [[nodiscard]] std::string_view name() const override { return kind_.controller_name; }

    void watch(Queue& queue) override {
        index_orphans(pods_);
        enqueue_objects(owners_, queue);
        enqueue_controllers_of(pods_, kind_.kind, owners_, queue,
                               [this](const client::CachedObject& before, const client::CachedObject& now) {
                                   return counts_the_same(before, now) && is_selected_the_same(before, now);
                               });
        enqueue_adopters_of(pods_, owners_, queue,
                            [this](const client::CachedObject& owner) { return selector_of(owner); });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer owner = owners_.get(key);
        if (!owner) co_return done();
        KEELSON_CO_TRY(const LabelSelector selector, selector_of(*owner));
        const Claim claim{kind_.collection, owner, client::collections::pods, selector};
        auto claiming = claim_dependents(surroundings_, writer, claim);
        KEELSON_CO_TRY(const ObjectList mine, co_await claiming);
        ObjectList active;
        Counts counts;
        for (const ObjectPointer& pod : mine) {
            if (is_active(pod_of(pod)))
                active.push_back(pod);
            else if (pod->is_being_deleted() && !is_finished(pod_of(pod)))
                ++counts.terminating;
        }
        PodWrites writes;
        if (!owner->is_being_deleted()) {
            auto scaling = scale(owner, active, writer);
            writes = co_await scaling;
        }
        // What was just made or deleted is counted when the informer shows it: the key comes again then.
        if (writes.done == 0 || writes.failure) {
            count(*owner, active, counts);
            auto telling = write_status(owner, active, counts, writes.failure, writer);
            KEELSON_CO_TRY_VOID(co_await telling);
        }
        if (writes.failure) co_return std::move(*writes.failure);
        co_return Again{
            time_to_next_available(active, typed(*owner).spec().min_ready_seconds(), surroundings_.now())};
    }

  private:
    static ReplicaSet typed(const client::CachedObject& owner) { return ReplicaSet(owner.root()); }

    [[nodiscard]] Result<LabelSelector> selector_of(const client::CachedObject& owner) const {
        const Value selector = typed(owner).spec().selector().untyped();
        if (kind_.has_plain_selector) return LabelSelector::from_labels(selector);
        return LabelSelector::from_object(selector);
    }

    // A binding adds labels that no selector asks for.
    [[nodiscard]] bool is_selected_the_same(const client::CachedObject& before,
                                            const client::CachedObject& now) const {
        const Value old_labels = Pod(before.root()).metadata().labels().untyped();
        const Value labels = Pod(now.root()).metadata().labels().untyped();
        if (labels.equals(old_labels)) return true;
        for (const auto reference : Pod(now.root()).metadata().owner_references()) {
            const ObjectPointer owner =
                owners_.get({now.key().namespace_name, std::string(reference.name())});
            if (!reference.controller() || !owner) continue;
            const auto selector = selector_of(*owner);
            const auto of_template =
                LabelSelector::from_labels(typed(*owner).spec().template_().metadata().labels().untyped());
            return selector && selector->matches(labels) == selector->matches(old_labels) &&
                   of_template.matches(labels) == of_template.matches(old_labels);
        }
        return false;
    }

    static std::int64_t wanted_replicas(const client::CachedObject& owner) {
        const auto spec = typed(owner).spec();
        return spec.has_replicas() ? spec.replicas() : 1;
    }

    Task<PodWrites> scale(ObjectPointer owner, ObjectList active, Writer& writer) {
        const auto present = static_cast<std::int64_t>(active.size());
        const std::int64_t wanted = wanted_replicas(*owner);
        if (present < wanted) {
            const std::size_t missing = std::min(static_cast<std::size_t>(wanted - present), pod_burst_limit);
            auto make = [owner](std::size_t, Arena& arena) {
                return pod_from_template(owner->root(), typed(*owner).spec().template_(), arena).untyped();
            };
            auto creating = create_pods(writer, *events_, owner, missing, make);
            co_return co_await creating;
        }
        if (present == wanted) co_return PodWrites{};
        order_for_deletion(active, related_pods(*owner), surroundings_.now());
        active.resize(std::min(static_cast<std::size_t>(present - wanted), pod_burst_limit));
        auto deleting = delete_pods(writer, *events_, owner, std::move(active));
        co_return co_await deleting;
    }

    // The pods of all ReplicaSets that the same Deployment controls, or just its own.
    [[nodiscard]] ObjectList related_pods(const client::CachedObject& owner) const {
        if (owner.controller_uid().empty()) return pods_.controlled_by(owner.uid());
        ObjectList related;
        for (const ObjectPointer& sibling : owners_.controlled_by(owner.controller_uid()))
            for (ObjectPointer& pod : pods_.controlled_by(sibling->uid())) related.push_back(std::move(pod));
        return related;
    }

    void count(const client::CachedObject& owner, const ObjectList& active, Counts& counts) const {
        const auto spec = typed(owner).spec();
        const LabelSelector of_template =
            LabelSelector::from_labels(spec.template_().metadata().labels().untyped());
        const base::WallTime now = surroundings_.now();
        counts.replicas = static_cast<std::int64_t>(active.size());
        for (const ObjectPointer& object : active) {
            const Pod pod = pod_of(object);
            if (of_template.matches(pod.metadata().labels().untyped())) ++counts.fully_labeled;
            if (!is_ready(pod)) continue;
            ++counts.ready;
            if (is_available(pod, spec.min_ready_seconds(), now)) ++counts.available;
        }
    }

    Task<Result<void>> write_status(ObjectPointer owner, const ObjectList& active, Counts counts,
                                    std::optional<base::Status> failure, Writer& writer) {
        const std::int64_t generation = typed(*owner).metadata().generation();
        Document changed = owner->clone();
        Arena& arena = changed.arena;
        const ReplicaSetStatus status = ReplicaSet(changed.root).make_status(arena);
        status.set_replicas(arena, counts.replicas);
        status.set_fully_labeled_replicas(arena, counts.fully_labeled);
        status.set_ready_replicas(arena, counts.ready);
        status.set_available_replicas(arena, counts.available);
        if (!kind_.has_plain_selector) status.set_terminating_replicas(arena, counts.terminating);
        status.set_observed_generation(arena, generation);
        const Value conditions = status.make_conditions(arena).untyped();
        if (failure) {
            const bool is_short = static_cast<std::int64_t>(active.size()) < wanted_replicas(*owner);
            // The first failure stays told until it is over, as its message may differ at every attempt.
            if (!find_condition(conditions, "ReplicaFailure").is_set())
                set_condition(conditions,
                              {"ReplicaFailure", "True", is_short ? "FailedCreate" : "FailedDelete",
                               failure->message()},
                              surroundings_.now(), arena);
        } else {
            remove_condition(conditions, "ReplicaFailure");
        }
        if (is_same_status(status.untyped(), typed(*owner).status().untyped())) co_return base::ok();
        auto updating = writer.update_status(kind_.collection, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    const ReplicaKind& kind_;
    Informer& owners_;
    Informer& pods_;
    std::unique_ptr<EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_replica_set_controller(const Surroundings& surroundings) {
    return std::make_unique<ReplicaController>(surroundings, kReplicaSet);
}

std::unique_ptr<Controller> make_replication_controller_controller(const Surroundings& surroundings) {
    return std::make_unique<ReplicaController>(surroundings, kReplicationController);
}

}  // namespace keelson::control
