#include "kernel/control/disruption.h"

#include <algorithm>
#include <map>

#include "kernel/control/collections.h"
#include "kernel/control/deployment_state.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/autoscaling_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/accessors/policy_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::meta_v1::Condition;
using api_types::meta_v1::ObjectMeta;
using api_types::meta_v1::OwnerReference;
using api_types::policy_v1::PodDisruptionBudget;
using api_types::policy_v1::PodDisruptionBudgetSpec;
using api_types::policy_v1::PodDisruptionBudgetStatus;
using base::Result;
using base::Status;
using base::Task;
using client::CachedObject;
using client::EventRecorder;
using client::EventType;
using object::ConditionState;
using object::Document;
using object::LabelSelector;
using object::Value;

constexpr Collection kBudgets = client::collections::pod_disruption_budgets;
// An evicted pod that is still there after that long is taken to stay.
constexpr base::Duration kDeletionTimeout = std::chrono::minutes(2);

PodDisruptionBudgetSpec spec_of(const CachedObject& budget) {
    return PodDisruptionBudget(budget.root()).spec();
}

struct Counts {
    std::int64_t expected = 0;
    std::int64_t desired = 0;
    std::int64_t healthy = 0;
    std::map<std::string, std::string> disrupted;  // pods and when they were evicted
    Again again;                                   // when the next of them is given up
};

// The evicted pods that are still to go.
void look_at_disrupted(const CachedObject& budget, const ObjectList& pods, base::WallTime now,
                       EventRecorder& events, Counts& counts) {
    const auto disrupted = PodDisruptionBudget(budget.root()).status().disrupted_pods();
    for (const ObjectPointer& pod : pods) {
        if (pod->is_being_deleted() || !disrupted.has(pod->key().name)) continue;
        const std::string_view text = disrupted[pod->key().name];
        const base::Duration left = time_of(text).value_or(base::WallTime{}) + kDeletionTimeout - now;
        if (left < base::Duration::zero()) {
            events.record(pod->root(), EventType::warning, "NotDeleted",
                          "Pod was expected by PDB " + budget.key().text() + " to be deleted but it wasn't");
            continue;
        }
        if (!counts.again.after || left < *counts.again.after)
            counts.again.after = left + std::chrono::milliseconds(1);
        counts.disrupted.emplace(pod->key().name, text);
    }
}

class DisruptionController final : public Controller {
  public:
    explicit DisruptionController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          budgets_(surroundings.informers.of(kBudgets)),
          pods_(surroundings.informers.of(client::collections::pods)),
          replica_sets_(surroundings.informers.of(client::collections::replica_sets)),
          events_(surroundings.recorder("controllermanager")) {}

    [[nodiscard]] std::string_view name() const override { return "disruption"; }

    void watch(Queue& queue) override {
        enqueue_objects(budgets_, queue);
        pods_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            enqueue_for(before, queue);
            enqueue_for(now, queue);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer budget = budgets_.get(key);
        if (!budget) co_return done();
        KEELSON_CO_TRY(const ObjectList pods, pods_of(*budget));
        if (pods.empty())
            events_->record(budget->root(), EventType::normal, "NoPods", "No matching pods found");
        Counts counts;
        auto expecting = expect(budget, pods);
        const auto expected = co_await expecting;
        if (!expected) {
            auto failing = fail_safe(budget, expected.error(), writer);
            KEELSON_CO_TRY_VOID(co_await failing);
            co_return expected.error();
        }
        counts.expected = expected->expected;
        counts.desired = expected->desired;
        look_at_disrupted(*budget, pods, surroundings_.now(), *events_, counts);
        for (const ObjectPointer& pod : pods)
            if (!pod->is_being_deleted() && !counts.disrupted.contains(pod->key().name) &&
                is_ready(pod_of(pod)))
                ++counts.healthy;
        auto telling = write_status(budget, counts, writer);
        KEELSON_CO_TRY_VOID(co_await telling);
        co_return counts.again;
    }

  private:
    static Result<LabelSelector> selector_of(const CachedObject& budget) {
        return LabelSelector::from_object(spec_of(budget).selector().untyped());
    }

    void enqueue_for(const ObjectPointer& pod, Queue& queue) const {
        if (!pod) return;
        const Value labels = pod_of(pod).metadata().labels().untyped();
        for (const ObjectPointer& budget : budgets_.list(pod->key().namespace_name)) {
            const auto selector = selector_of(*budget);
            if (selector && selector->matches(labels)) queue.add(budget->key());
        }
    }

    [[nodiscard]] Result<ObjectList> pods_of(const CachedObject& budget) const {
        KEELSON_TRY(const LabelSelector selector, selector_of(budget));
        ObjectList matching;
        for (ObjectPointer& pod : pods_.list(budget.key().namespace_name))
            if (selector.matches(pod_of(pod).metadata().labels().untyped()))
                matching.push_back(std::move(pod));
        return matching;
    }

    // --- How many there should be.

    Task<Result<Counts>> expect(ObjectPointer budget, const ObjectList& pods) {
        const PodDisruptionBudgetSpec spec = spec_of(*budget);
        Counts counts;
        if (!spec.has_max_unavailable() && !spec.min_available().is_string()) {
            counts.expected = static_cast<std::int64_t>(pods.size());
            counts.desired = spec.min_available().as_integer();
            co_return counts;
        }
        auto scaling = expected_scale(budget, pods);
        KEELSON_CO_TRY(counts.expected, co_await scaling);
        counts.desired =
            spec.has_max_unavailable()
                ? std::max<std::int64_t>(
                      0, counts.expected - scaled_value(spec.max_unavailable(), counts.expected, true))
                : scaled_value(spec.min_available(), counts.expected, true);
        co_return counts;
    }

    // The sum of what the controllers of the pods are to have.
    Task<Result<std::int64_t>> expected_scale(ObjectPointer budget, const ObjectList& pods) {
        std::map<std::string, std::int64_t, std::less<>> scales;  // by the uid of the pod's controller
        bool has_unmanaged = false;
        for (const ObjectPointer& pod : pods) {
            has_unmanaged |= pod->controller_uid().empty();
            if (pod->controller_uid().empty() || scales.contains(pod->controller_uid())) continue;
            auto finding = scale_of_controller(pod);
            const auto scale = co_await finding;
            if (!scale) {
                events_->record(
                    budget->root(), EventType::warning, "CalculateExpectedPodCountFailed",
                    "Failed to calculate the number of expected pods: " + scale.error().message());
                co_return scale.error();
            }
            scales.emplace(pod->controller_uid(), *scale);
        }
        if (has_unmanaged) tell_of_unmanaged(*budget);
        std::int64_t sum = 0;
        for (const auto& [uid, scale] : scales) sum += scale;
        co_return sum;
    }

    void tell_of_unmanaged(const CachedObject& budget) {
        std::string labels;
        for (const auto label : spec_of(budget).selector().match_labels())
            labels += std::string(label.name) + ": " + std::string(label.value) + ",";
        events_->record(budget.root(), EventType::warning, "UnmanagedPods",
                        "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:"
                        "map[string]string{" +
                            labels +
                            "},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. "
                            "As a result, the status of the PDB cannot be calculated correctly, which may "
                            "result in undefined behavior. To account for these pods please set "
                            "\".spec.minAvailable\" field of the PDB to an integer value.");
    }

    static OwnerReference controller_of(const CachedObject& object) {
        for (const OwnerReference owner : ObjectMeta(object.root()["metadata"]).owner_references())
            if (owner.controller()) return owner;
        return {};
    }

    // A ReplicaSet of a Deployment counts with the whole Deployment: during a rollout its own number says
    // little.
    Task<Result<std::int64_t>> scale_of_controller(ObjectPointer pod) {
        const std::string& namespace_name = pod->key().namespace_name;
        OwnerReference owner = controller_of(*pod);
        ObjectPointer replica_set;
        if (owner.kind() == "ReplicaSet") {
            replica_set = replica_sets_.get({namespace_name, std::string(owner.name())});
            if (replica_set && replica_set->uid() == owner.uid() && !replica_set->controller_uid().empty())
                owner = controller_of(*replica_set);
        }
        const auto known = collection_of_kind(owner.api_version(), owner.kind());
        const auto none = [&] {
            return Status(base::Reason::not_found,
                          "found no controllers for pod \"" + pod->key().name + "\"");
        };
        if (!known) co_return none();
        auto address = known->collection.address(namespace_name, owner.name(), "scale");
        auto getting = surroundings_.client.get(std::move(address));
        const auto scale = co_await getting;
        if (scale) {
            const api_types::autoscaling_v1::Scale found(scale->root);
            if (found.metadata().uid() != owner.uid()) co_return none();
            co_return found.spec().replicas();
        }
        auto owner_address = known->collection.address(namespace_name, owner.name());
        auto looking = surroundings_.client.get(std::move(owner_address));
        const auto object = co_await looking;
        if (!object) co_return none();
        co_return Status(base::Reason::not_found, std::string(known->collection.resource) + "." +
                                                      std::string(known->collection.group) +
                                                      " does not implement the scale subresource");
    }

    // --- The status.

    void say_whether_allowed(PodDisruptionBudgetStatus status, const ConditionState& state,
                             Document& changed) const {
        const Value conditions = status.make_conditions(changed.arena).untyped();
        set_condition(conditions, state, surroundings_.now(), changed.arena);
        Condition(find_condition(conditions, state.type))
            .set_observed_generation(changed.arena, status.observed_generation());
    }

    Task<Result<void>> write_status(ObjectPointer budget, const Counts& counts, Writer& writer) {
        Document changed = budget->clone();
        const PodDisruptionBudget object(changed.root);
        const PodDisruptionBudgetStatus status = object.make_status(changed.arena);
        // None while there are no pods: the first ones may come before they are counted.
        const std::int64_t spare = counts.expected > 0 ? counts.healthy - counts.desired : 0;
        const std::int64_t allowed = std::max<std::int64_t>(0, spare);
        status.set_current_healthy(changed.arena, counts.healthy);
        status.set_desired_healthy(changed.arena, counts.desired);
        status.set_expected_pods(changed.arena, counts.expected);
        status.set_disruptions_allowed(changed.arena, allowed);
        status.set_observed_generation(changed.arena, object.metadata().generation());
        status.clear_disrupted_pods();
        for (const auto& [name, time] : counts.disrupted)
            status.make_disrupted_pods(changed.arena).set(changed.arena, name, time);
        if (allowed > 0)
            say_whether_allowed(status, {"DisruptionAllowed", "True", "SufficientPods", ""}, changed);
        else
            say_whether_allowed(status, {"DisruptionAllowed", "False", "InsufficientPods", ""}, changed);
        auto flushing = flush(budget, changed, writer);
        co_return co_await flushing;
    }

    // What cannot be counted must not be disturbed.
    Task<Result<void>> fail_safe(ObjectPointer budget, const Status& error, Writer& writer) {
        Document changed = budget->clone();
        const PodDisruptionBudget object(changed.root);
        const PodDisruptionBudgetStatus status = object.make_status(changed.arena);
        status.set_disruptions_allowed(changed.arena, 0);
        const std::string& message = error.message();
        // The counts are still those of the generation that they were made for.
        say_whether_allowed(status, {"DisruptionAllowed", "False", "SyncFailed", message}, changed);
        Condition(find_condition(status.conditions().untyped(), "DisruptionAllowed"))
            .set_observed_generation(changed.arena, object.metadata().generation());
        auto flushing = flush(budget, changed, writer);
        co_return co_await flushing;
    }

    static Task<Result<void>> flush(ObjectPointer budget, const Document& changed, Writer& writer) {
        const Value before = PodDisruptionBudget(budget->root()).status().untyped();
        const Value now = PodDisruptionBudget(changed.root).status().untyped();
        if (is_same_status(now, before)) co_return base::ok();
        auto updating = writer.update_status(kBudgets, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Informer& budgets_;
    Informer& pods_;
    Informer& replica_sets_;
    std::unique_ptr<EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_disruption_controller(const Surroundings& surroundings) {
    return std::make_unique<DisruptionController>(surroundings);
}

}  // namespace keelson::control
