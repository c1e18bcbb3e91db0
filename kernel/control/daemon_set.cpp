#include "kernel/control/daemon_set.h"

#include <algorithm>
#include <map>

#include "kernel/control/controller_history.h"
#include "kernel/control/daemon_pods.h"
#include "kernel/control/daemon_update.h"
#include "kernel/control/hashes.h"
#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::DaemonSet;
using api_types::apps_v1::DaemonSetStatus;
using api_types::core_v1::Node;
using base::Duration;
using base::Result;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::LabelSelector;

constexpr Collection kSets = client::collections::daemon_sets;
constexpr std::string_view kRevisionLabel = "controller-revision-hash";

Node node_of(const ObjectPointer& object) {
    return Node(object->root());
}

// The pods that fail on a node again and again are replaced ever more slowly.
class FailureBackoff {
  public:
    static constexpr Duration kShortest = std::chrono::seconds(1);
    static constexpr Duration kLongest = std::chrono::minutes(15);

    // How long to wait before the next replacement; nothing: do it now, which counts.
    std::optional<Duration> try_now(const std::string& node, base::MonotonicTime now) {
        std::erase_if(entries_, [&](const auto& entry) { return now - entry.second.last > 2 * kLongest; });
        const auto [found, is_new] = entries_.try_emplace(node, Entry{kShortest, now});
        if (is_new) return std::nullopt;
        Entry& entry = found->second;
        const Duration since = now - entry.last;
        if (since < entry.delay) return entry.delay - since;
        entry = {std::min(2 * entry.delay, kLongest), now};
        return std::nullopt;
    }

  private:
    struct Entry {
        Duration delay{};
        base::MonotonicTime last;
    };
    std::map<std::string, Entry> entries_;
};

class DaemonSetController final : public Controller {
  public:
    explicit DaemonSetController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          sets_(surroundings.informers.of(kSets)),
          pods_(surroundings.informers.of(client::collections::pods)),
          nodes_(surroundings.informers.of(client::collections::nodes)),
          revisions_(surroundings.informers.of(client::collections::controller_revisions)),
          events_(surroundings.recorder("daemonset-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "daemonset"; }

    void watch(Queue& queue) override {
        index_orphans(pods_);
        index_orphans(revisions_);
        enqueue_objects(sets_, queue);
        enqueue_controllers_of(pods_, "DaemonSet", sets_, queue);
        enqueue_controllers_of(revisions_, "DaemonSet", sets_, queue);
        enqueue_adopters_of(pods_, sets_, queue, [](const client::CachedObject& owner) {
            return LabelSelector::from_object(DaemonSet(owner.root()).spec().selector().untyped());
        });
        nodes_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            enqueue_for_node(before, now, queue);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer set = sets_.get(key);
        if (!set) forget(key);
        if (!set || set->is_being_deleted()) co_return done();
        const DaemonSet typed = daemon_set_of(set);
        if (typed.spec().selector().untyped().empty()) {
            events_->record(set->root(), EventType::warning, "SelectingAll",
                            "This daemon set is selecting all pods. A non-empty selector is required.");
            co_return done();
        }
        KEELSON_CO_TRY(const LabelSelector selector,
                       LabelSelector::from_object(typed.spec().selector().untyped()));
        const HistoryOwner owner = history_owner(set, selector);
        auto keeping = sync_history(surroundings_, writer, owner);
        KEELSON_CO_TRY(const History history, co_await keeping);
        if (!history.current) co_return done();
        const Claim claim{kSets, set, client::collections::pods, selector, {}};
        auto claiming = claim_dependents(surroundings_, writer, claim);
        KEELSON_CO_TRY(const ObjectList mine, co_await claiming);
        const DaemonState state = look(set, history, mine);

        DaemonPlan plan = plan_presence(state);
        if (plan.empty()) {
            DaemonPlan update = plan_update(state, surroundings_.now());
            plan.nodes_to_fill = std::move(update.nodes_to_fill);
            plan.pods_to_delete = std::move(update.pods_to_delete);
        }
        auto working = carry_out(state, plan, writer);
        PodWrites writes = co_await working;
        // What was just made or deleted is counted when the informer shows it: the key comes again then.
        if (writes.done == 0 || writes.failure) {
            auto telling = write_status(state, writer);
            KEELSON_CO_TRY_VOID(co_await telling);
        }
        if (writes.failure) co_return std::move(*writes.failure);
        auto cleaning = clean_up(state, history, mine, writer);
        KEELSON_CO_TRY_VOID(co_await cleaning);
        // The next failed pod may be replaced, or the next ready one becomes available.
        const std::int64_t min_ready_seconds = daemon_set_of(state.set).spec().min_ready_seconds();
        const auto available = time_to_next_available(mine, min_ready_seconds, surroundings_.now());
        Again again{plan.look_again_after};
        if (available && (!again.after || *available < *again.after)) again.after = available;
        co_return again;
    }

  private:
    void forget(const ObjectKey& key) {
        backoffs_.erase(key);
        placements_.erase(key);
    }

    // Nodes tell often how they are, and seldom anything that a set looks at.
    void enqueue_for_node(const ObjectPointer& before, const ObjectPointer& now, Queue& queue) {
        if (before && now) {
            const Node one = node_of(before);
            const Node other = node_of(now);
            if (one.metadata().labels().untyped().equals(other.metadata().labels().untyped()) &&
                one.spec().taints().untyped().equals(other.spec().taints().untyped()))
                return;
        }
        ++nodes_epoch_;
        for (const ObjectPointer& set : sets_.list()) {
            const DaemonPlacement placement(daemon_set_of(set));
            const NodeVerdict was = before ? placement.verdict(node_of(before)) : NodeVerdict{};
            const NodeVerdict is = now ? placement.verdict(node_of(now)) : NodeVerdict{};
            if (was != is) queue.add(set->key());
        }
    }

    static HistoryOwner history_owner(const ObjectPointer& set, const LabelSelector& selector) {
        const DaemonSet typed = daemon_set_of(set);
        std::optional<std::int64_t> collisions;
        if (typed.status().has_collision_count()) collisions = typed.status().collision_count();
        return {kSets,
                set,
                selector,
                typed.spec().template_(),
                template_hash(typed.spec().template_(), collisions),
                kRevisionLabel};
    }

    std::shared_ptr<const Placement> place(const ObjectPointer& set) {
        const DaemonSet typed = daemon_set_of(set);
        std::shared_ptr<const Placement>& known = placements_[set->key()];
        if (known && known->uid == set->uid() && known->generation == typed.metadata().generation() &&
            known->nodes_epoch == nodes_epoch_)
            return known;
        auto placement = std::make_shared<Placement>();
        placement->uid = set->uid();
        placement->generation = typed.metadata().generation();
        placement->nodes_epoch = nodes_epoch_;
        const DaemonPlacement rules(typed);
        for (const ObjectPointer& node : nodes_.list()) {
            const NodeVerdict verdict = rules.verdict(node_of(node));
            placement->verdicts[node->key().name] = verdict;
            if (verdict.should_run) ++placement->desired;
        }
        known = std::move(placement);
        return known;
    }

    [[nodiscard]] DaemonState look(const ObjectPointer& set, const History& history, const ObjectList& mine) {
        DaemonState state;
        state.set = set;
        state.hash = std::string(controller_revision_of(history.current).metadata().labels()[kRevisionLabel]);
        state.placement = place(set);
        for (const ObjectPointer& pod : mine) {
            // It has ended and goes: nothing is left to be done about it.
            if (is_finished(pod_of(pod)) && pod->is_being_deleted()) continue;
            const std::string_view node = target_node_of(pod_of(pod));
            if (!node.empty()) state.pods_on[std::string(node)].push_back(pod);
        }
        for (auto& [node, pods] : state.pods_on) sort_daemon_pods(pods);
        return state;
    }

    // --- Which nodes lack a pod, and which pods are in the wrong place, ended, or too many.

    DaemonPlan plan_presence(const DaemonState& state) {
        DaemonPlan plan;
        for (const auto& [node, verdict] : state.placement->verdicts) {
            const auto found = state.pods_on.find(node);
            if (found == state.pods_on.end()) {
                if (verdict.should_run) plan.nodes_to_fill.push_back(node);
            } else if (verdict.may_stay) {
                plan_node(state, node, found->second, plan);
            } else {
                for (const ObjectPointer& pod : found->second)
                    if (!pod->is_being_deleted()) plan.pods_to_delete.push_back(pod);
            }
        }
        // Nobody will ever bind a pod that is for a node that is gone.
        for (const auto& [node, pods] : state.pods_on) {
            if (state.placement->verdicts.contains(node)) continue;
            for (const ObjectPointer& pod : pods)
                if (pod_of(pod).spec().node_name().empty() && !pod->is_being_deleted())
                    plan.pods_to_delete.push_back(pod);
        }
        return plan;
    }

    void plan_node(const DaemonState& state, const std::string& node, const ObjectList& pods,
                   DaemonPlan& plan) {
        ObjectList running;
        for (const ObjectPointer& pod : pods) {
            if (pod->is_being_deleted()) continue;
            if (is_finished(pod_of(pod)))
                plan_ended_pod(state, node, pod, plan);
            else
                running.push_back(pod);
        }
        if (running.size() <= 1) return;
        if (daemon_room(daemon_set_of(state.set), 1).surge == 0)
            plan.pods_to_delete.insert(plan.pods_to_delete.end(), running.begin() + 1, running.end());
        else
            plan_surged_node(state, running, plan);
    }

    void plan_ended_pod(const DaemonState& state, const std::string& node, const ObjectPointer& pod,
                        DaemonPlan& plan) {
        const bool has_failed = pod_of(pod).status().phase() == "Failed";
        if (has_failed) {
            const auto wait = backoffs_[state.set->key()].try_now(node, surroundings_.executor.clock().now());
            if (wait) {
                plan.look_again_after = std::min(*wait, plan.look_again_after.value_or(*wait));
                return;
            }
        }
        events_->record(state.set->root(), has_failed ? EventType::warning : EventType::normal,
                        has_failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                        std::string("Found ") + (has_failed ? "failed" : "succeeded") + " daemon pod " +
                            pod->key().text() + " on node " + node + ", will try to " +
                            (has_failed ? "kill" : "delete") + " it");
        plan.pods_to_delete.push_back(pod);
    }

    // Two may be there as long as the old one serves and the new one is not available.
    void plan_surged_node(const DaemonState& state, const ObjectList& running, DaemonPlan& plan) const {
        ObjectPointer oldest_new;
        ObjectPointer oldest_old;
        for (const ObjectPointer& pod : running) {
            const bool is_new = pod_of(pod).metadata().labels()[kRevisionLabel] == state.hash;
            ObjectPointer& place = is_new ? oldest_new : oldest_old;
            if (place)
                plan.pods_to_delete.push_back(pod);
            else
                place = pod;
        }
        if (!oldest_new || !oldest_old) return;
        if (!is_ready(pod_of(oldest_old)) || is_available_now(state, oldest_new))
            plan.pods_to_delete.push_back(oldest_old);
    }

    [[nodiscard]] bool is_available_now(const DaemonState& state, const ObjectPointer& pod) const {
        return is_daemon_available(state, pod, surroundings_.now());
    }

    // --- What is written.

    Task<PodWrites> carry_out(const DaemonState& state, const DaemonPlan& plan, Writer& writer) {
        const std::size_t missing = std::min(plan.nodes_to_fill.size(), pod_burst_limit);
        auto make = [&state, &plan](std::size_t index, Arena& arena) {
            return make_daemon_pod(daemon_set_of(state.set), state.hash, plan.nodes_to_fill[index], arena)
                .untyped();
        };
        auto creating = create_pods(writer, *events_, state.set, missing, make);
        PodWrites writes = co_await creating;
        ObjectList surplus = plan.pods_to_delete;
        surplus.resize(std::min(surplus.size(), pod_burst_limit));
        auto deleting = delete_pods(writer, *events_, state.set, std::move(surplus));
        PodWrites deleted = co_await deleting;
        writes.done += deleted.done;
        if (!writes.failure) writes.failure = std::move(deleted.failure);
        co_return writes;
    }

    void count(const DaemonState& state, DaemonSetStatus status, Arena& arena) const {
        std::int64_t scheduled = 0;
        std::int64_t misscheduled = 0;
        std::int64_t ready = 0;
        std::int64_t available = 0;
        std::int64_t updated = 0;
        for (const auto& [node, verdict] : state.placement->verdicts) {
            const auto found = state.pods_on.find(node);
            if (found == state.pods_on.end()) continue;
            if (!verdict.should_run) {
                ++misscheduled;
                continue;
            }
            ++scheduled;
            const ObjectPointer& pod = found->second.front();
            ready += is_ready(pod_of(pod)) ? 1 : 0;
            available += is_available_now(state, pod) ? 1 : 0;
            updated += is_updated(pod_of(pod), daemon_set_of(state.set), state.hash) ? 1 : 0;
        }
        status.set_desired_number_scheduled(arena, state.placement->desired);
        status.set_current_number_scheduled(arena, scheduled);
        status.set_number_misscheduled(arena, misscheduled);
        status.set_number_ready(arena, ready);
        status.set_updated_number_scheduled(arena, updated);
        status.set_number_available(arena, available);
        status.set_number_unavailable(arena, state.placement->desired - available);
    }

    Task<Result<void>> write_status(const DaemonState& state, Writer& writer) {
        const DaemonSet set = daemon_set_of(state.set);
        Document changed = state.set->clone();
        const DaemonSetStatus status = DaemonSet(changed.root).make_status(changed.arena);
        count(state, status, changed.arena);
        status.set_observed_generation(changed.arena, set.metadata().generation());
        if (is_same_status(status.untyped(), set.status().untyped())) co_return base::ok();
        auto updating = writer.update_status(kSets, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    // Revisions beyond the history that is to be kept; those that a pod has stay.
    Task<Result<void>> clean_up(const DaemonState& state, const History& history, const ObjectList& mine,
                                Writer& writer) {
        const auto spec = daemon_set_of(state.set).spec();
        if (!spec.has_revision_history_limit()) co_return base::ok();
        std::vector<std::string> live;
        for (const ObjectPointer& revision : history.old) {
            const auto hash = controller_revision_of(revision).metadata().labels()[kRevisionLabel];
            const bool is_live = std::ranges::any_of(mine, [&](const ObjectPointer& pod) {
                return pod_of(pod).metadata().labels()[kRevisionLabel] == hash;
            });
            if (is_live) live.push_back(revision->key().name);
        }
        auto deleting = delete_old_revisions(
            writer, history.old, static_cast<std::size_t>(spec.revision_history_limit()), std::move(live));
        co_return co_await deleting;
    }

    const Surroundings& surroundings_;
    Informer& sets_;
    Informer& pods_;
    Informer& nodes_;
    Informer& revisions_;
    std::uint64_t nodes_epoch_ = 0;  // counts changes of nodes that sets look at
    std::map<ObjectKey, std::shared_ptr<const Placement>> placements_;
    std::map<ObjectKey, FailureBackoff> backoffs_;
    std::unique_ptr<EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_daemon_set_controller(const Surroundings& surroundings) {
    return std::make_unique<DaemonSetController>(surroundings);
}

}  // namespace keelson::control
