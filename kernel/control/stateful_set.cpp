#include "kernel/control/stateful_set.h"

#include <algorithm>
#include <map>

#include "kernel/base/gather.h"
#include "kernel/control/controller_history.h"
#include "kernel/control/deployment_state.h"
#include "kernel/control/hashes.h"
#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/control/stateful_claims.h"
#include "kernel/control/stateful_pods.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::StatefulSet;
using api_types::apps_v1::StatefulSetStatus;
using api_types::core_v1::Pod;
using base::Result;
using base::Status;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::LabelSelector;
using object::Value;

constexpr Collection kSets = client::collections::stateful_sets;
constexpr Collection kPods = client::collections::pods;
constexpr std::string_view kRevisionHashLabel = "controller.kubernetes.io/hash";

struct Member {
    std::int64_t ordinal = 0;
    ObjectPointer pod;  // null: to be made
};

struct SetState {
    ObjectPointer set;
    ObjectPointer current;  // the revision that is left
    ObjectPointer update;   // the revision that is rolled out
    Ordinals ordinals;
    // By ordinal. Of those to be made only the first, as many as are made at once.
    std::vector<Member> replicas;
    std::vector<Member> condemned;  // the highest ordinal first
    ObjectPointer first_unavailable;
};

// What was done for one pod. After a stop nothing is done for those that come after it in order.
struct Step {
    bool stop = false;
    bool wrote = false;
    std::optional<Status> failure;

    void add(Step other) {
        stop = stop || other.stop;
        wrote = wrote || other.wrote;
        if (!failure) failure = std::move(other.failure);
    }
};

Step stopped() {
    return {true, false, std::nullopt};
}
Step written() {
    return {true, true, std::nullopt};
}
Step failed(Status failure) {
    return {true, false, std::move(failure)};
}

bool is_ordered(StatefulSet set) {
    return set.spec().pod_management_policy() != "Parallel";
}

// Pods below the partition stay with, and come back at, the current revision.
const ObjectPointer& revision_for(const SetState& state, std::int64_t ordinal) {
    const StatefulSet set = stateful_set_of(state.set);
    const auto strategy = set.spec().update_strategy();
    if (strategy.type() == "OnDelete") return state.update;
    const std::int64_t kept = strategy.has_rolling_update() ? strategy.rolling_update().partition()
                                                            : set.status().current_replicas();
    return ordinal < state.ordinals.start + kept ? state.current : state.update;
}

class StatefulSetController final : public Controller {
  public:
    explicit StatefulSetController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          sets_(surroundings.informers.of(kSets)),
          pods_(surroundings.informers.of(kPods)),
          revisions_(surroundings.informers.of(client::collections::controller_revisions)),
          events_(surroundings.recorder("statefulset-controller")),
          claims_(surroundings, *events_) {}

    [[nodiscard]] std::string_view name() const override { return "statefulset"; }

    void watch(Queue& queue) override {
        index_orphans(pods_);
        index_orphans(revisions_);
        enqueue_objects(sets_, queue);
        enqueue_controllers_of(pods_, "StatefulSet", sets_, queue);
        enqueue_controllers_of(revisions_, "StatefulSet", sets_, queue);
        claims_.watch(sets_, queue);
        enqueue_adopters_of(pods_, sets_, queue, [](const client::CachedObject& owner) {
            return LabelSelector::from_object(StatefulSet(owner.root()).spec().selector().untyped());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer set = sets_.get(key);
        if (!set) co_return done();
        KEELSON_CO_TRY(const LabelSelector selector,
                       LabelSelector::from_object(stateful_set_of(set).spec().selector().untyped()));
        const HistoryOwner owner = history_owner(set, selector);
        auto keeping = sync_history(surroundings_, writer, owner);
        KEELSON_CO_TRY(const History history, co_await keeping);
        if (!history.current) co_return done();
        const Claim claim{kSets, set, kPods, selector, [&key](const client::CachedObject& pod) {
                              return !ordinal_of(key.name, pod.key().name);
                          }};
        auto claiming = claim_dependents(surroundings_, writer, claim);
        KEELSON_CO_TRY(const ObjectList mine, co_await claiming);
        const SetState state = sort_pods(set, history, mine);

        Step step;
        if (!set->is_being_deleted()) {
            auto working = advance(state, writer);
            step = co_await working;
        }
        // What was just made or deleted is counted when the informer shows it: the key comes again then.
        if (!step.wrote || step.failure) {
            auto telling = write_status(state, mine, writer);
            KEELSON_CO_TRY_VOID(co_await telling);
        }
        if (step.failure) co_return std::move(*step.failure);
        auto cleaning = clean_up(state, history, mine, writer);
        KEELSON_CO_TRY_VOID(co_await cleaning);
        const std::int64_t min_ready_seconds = stateful_set_of(state.set).spec().min_ready_seconds();
        co_return Again{time_to_next_available(mine, min_ready_seconds, surroundings_.now())};
    }

  private:
    static HistoryOwner history_owner(const ObjectPointer& set, const LabelSelector& selector) {
        const StatefulSet typed = stateful_set_of(set);
        Arena arena;
        const Value data = revision_data(typed.spec().template_(), arena);
        return {kSets,
                set,
                selector,
                typed.spec().template_(),
                revision_hash(data, typed.status().collision_count()),
                kRevisionHashLabel};
    }

    SetState sort_pods(const ObjectPointer& set, const History& history, const ObjectList& mine) const {
        SetState state{set, history.current, history.current, ordinals_of(stateful_set_of(set)), {},
                       {},  nullptr};
        const std::string_view current_name = stateful_set_of(set).status().current_revision();
        for (const ObjectPointer& revision : history.old)
            if (revision->key().name == current_name) state.current = revision;
        std::map<std::int64_t, ObjectPointer> present;
        for (const ObjectPointer& pod : mine) {
            const auto ordinal = ordinal_of(set->key().name, pod->key().name);
            if (!ordinal) continue;
            if (state.ordinals.contains(*ordinal))
                present[*ordinal] = pod;
            else
                state.condemned.push_back({*ordinal, pod});
        }
        std::size_t missing = 0;
        for (std::int64_t ordinal = state.ordinals.start;
             state.ordinals.contains(ordinal) && missing < pod_burst_limit; ++ordinal)
            if (present.try_emplace(ordinal, nullptr).second) ++missing;
        for (const auto& [ordinal, pod] : present) state.replicas.push_back({ordinal, pod});
        std::ranges::sort(state.condemned, std::greater<>(), &Member::ordinal);
        for (auto member = state.condemned.begin(); member != state.condemned.end(); ++member)
            if (is_unavailable(state, *member)) state.first_unavailable = member->pod;
        const auto first = std::ranges::find_if(
            state.replicas, [&](const Member& member) { return is_unavailable(state, member); });
        if (first != state.replicas.end()) state.first_unavailable = first->pod;
        return state;
    }

    [[nodiscard]] bool is_available_now(const SetState& state, const ObjectPointer& pod) const {
        return is_running_and_available(pod_of(pod), stateful_set_of(state.set).spec().min_ready_seconds(),
                                        surroundings_.now());
    }
    [[nodiscard]] bool is_unavailable(const SetState& state, const Member& member) const {
        return !member.pod || member.pod->is_being_deleted() || !is_available_now(state, member.pod);
    }

    // tend() would find nothing to be done.
    [[nodiscard]] bool is_settled(const SetState& state, const Member& member) const {
        return !is_unavailable(state, member) && has_identity(pod_of(member.pod), member.ordinal) &&
               claims_.is_policy_followed(state.set, member.pod, member.ordinal);
    }

    // First what is missing, then what is too much, then what is old.
    Task<Step> advance(const SetState& state, Writer& writer) {
        std::vector<Member> unsettled;
        for (const Member& member : state.replicas)
            if (!is_settled(state, member)) unsettled.push_back(member);
        auto filling = for_all(state, unsettled, &StatefulSetController::tend, writer);
        Step filled = co_await filling;
        if (filled.stop) co_return filled;
        auto shrinking = for_all(state, state.condemned, &StatefulSetController::condemn, writer);
        Step shrunk = co_await shrinking;
        if (shrunk.stop) co_return shrunk;
        auto rolling = roll(state, writer);
        co_return co_await rolling;
    }

    using Action = Task<Step> (StatefulSetController::*)(const SetState&, const Member&, Writer&);

    // In order, one by one; or, when the set allows it, all: one, then two, then four at once and so on, so
    // that a quota that is used up is asked only a few times.
    Task<Step> for_all(const SetState& state, const std::vector<Member>& members, Action action,
                       Writer& writer) {
        const bool ordered = is_ordered(stateful_set_of(state.set));
        Step all;
        std::size_t begun = 0;
        for (std::size_t batch = 1; begun < members.size(); batch = std::min(2 * batch, pod_burst_limit)) {
            std::vector<Task<Step>> tasks;
            const std::size_t end = std::min(members.size(), begun + (ordered ? 1 : batch));
            for (; begun < end; ++begun) tasks.push_back((this->*action)(state, members[begun], writer));
            auto working = base::gather(std::move(tasks));
            std::vector<Step> steps = co_await working;
            for (Step& step : steps) all.add(std::move(step));
            if (all.failure || (ordered && all.stop)) break;
        }
        // A pod that has to wait holds up nobody in a set without order; what was written does, until it is
        // seen.
        all.stop = all.failure || all.wrote || (ordered && all.stop);
        co_return all;
    }

    // --- One pod that the set is to have.

    Task<Step> tend(const SetState& state, const Member& member, Writer& writer) {
        if (!member.pod) {
            auto making = make(state, member, writer);
            co_return co_await making;
        }
        const Pod pod = pod_of(member.pod);
        if (is_finished(pod)) {
            // The next of its name is made when this one is gone.
            if (member.pod->is_being_deleted()) co_return stopped();
            auto deleting = remove(state, member.pod, writer);
            co_return co_await deleting;
        }
        if (member.pod->is_being_deleted()) co_return stopped();
        auto keeping = keep(state, member, writer);
        Step kept = co_await keeping;
        if (kept.stop) co_return kept;
        co_return is_available_now(state, member.pod) ? Step{} : stopped();
    }

    Task<Step> make(const SetState& state, const Member& member, Writer& writer) {
        const StatefulSet set = stateful_set_of(state.set);
        if (claims_.is_any_stale(state.set, member.ordinal)) co_return stopped();
        const std::string pod_name = stateful_pod_name(state.set->key().name, member.ordinal);
        auto claiming = claims_.make_missing(state.set, member.ordinal, writer);
        const Result<bool> claimed = co_await claiming;
        if (!claimed) {
            tell(state, "Create", pod_name, &claimed.error());
            co_return failed(claimed.error());
        }
        Document pod;
        pod.root =
            make_stateful_pod(set, revision_for(state, member.ordinal), member.ordinal, pod.arena).untyped();
        auto creating = writer.create(kPods, pod.root);
        const Writer::Object created = co_await creating;
        if (created) {
            tell(state, "Create", pod_name, nullptr);
            co_return written();
        }
        // There is one of that name, which is not the set's or not yet seen: it may go or be seen.
        if (created.error().reason() != base::Reason::already_exists)
            tell(state, "Create", pod_name, &created.error());
        co_return failed(created.error());
    }

    // What belongs to a pod that is there: its claims, their owners, its labels.
    Task<Step> keep(const SetState& state, const Member& member, Writer& writer) {
        if (pod_of(member.pod).status().phase() == "Pending") {
            auto claiming = claims_.make_missing(state.set, member.ordinal, writer);
            const Result<bool> claimed = co_await claiming;
            if (!claimed) co_return failed(claimed.error());
            if (*claimed) co_return written();
        }
        auto owning = claims_.follow_policy(state.set, member.pod, member.ordinal, writer);
        const Result<bool> owned = co_await owning;
        if (!owned) co_return failed(owned.error());
        if (*owned) co_return written();
        if (has_identity(pod_of(member.pod), member.ordinal)) co_return Step{};
        Document changed = member.pod->clone();
        put_identity(Pod(changed.root), member.ordinal, changed.arena);
        auto updating = writer.update(kPods, changed.root);
        const Writer::Object updated = co_await updating;
        tell(state, "Update", member.pod->key().name, updated ? nullptr : &updated.error());
        if (!updated) co_return failed(updated.error());
        co_return written();
    }

    // --- One pod too many.

    Task<Step> condemn(const SetState& state, const Member& member, Writer& writer) {
        if (member.pod->is_being_deleted()) co_return stopped();
        auto owning = claims_.follow_policy(state.set, member.pod, member.ordinal, writer);
        const Result<bool> owned = co_await owning;
        if (!owned) co_return failed(owned.error());
        if (*owned) co_return written();
        // As long as another pod is not well, only that one may go.
        const bool has_to_wait = is_ordered(stateful_set_of(state.set)) &&
                                 !is_available_now(state, member.pod) &&
                                 member.pod != state.first_unavailable;
        if (has_to_wait) co_return stopped();
        auto deleting = remove(state, member.pod, writer);
        co_return co_await deleting;
    }

    Task<Step> remove(const SetState& state, ObjectPointer pod, Writer& writer) {
        auto removing = writer.remove(kPods, pod, {});
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() == 404) co_return written();
        tell(state, "Delete", pod->key().name, removed ? nullptr : &removed.error());
        if (!removed) co_return failed(removed.error());
        co_return written();
    }

    // --- Old pods.

    Task<Step> roll(const SetState& state, Writer& writer) {
        Step all;
        for (const ObjectPointer& pod : pods_to_replace(state)) {
            auto deleting = remove(state, pod, writer);
            Step deleted = co_await deleting;
            all.add(std::move(deleted));
            if (all.failure) break;
        }
        co_return all;
    }

    // The highest ordinals first, down to the partition.
    [[nodiscard]] ObjectList pods_to_replace(const SetState& state) const {
        const StatefulSet set = stateful_set_of(state.set);
        const auto strategy = set.spec().update_strategy();
        ObjectList chosen;
        if (strategy.type() == "OnDelete") return chosen;
        const auto rolling = strategy.rolling_update();
        const std::int64_t partition = state.ordinals.start + rolling.partition();
        const std::int64_t wanted = state.ordinals.end - state.ordinals.start;
        // Unless more at once are allowed, each one has to be well before the next one goes.
        std::int64_t room = 1;
        if (rolling.has_max_unavailable()) {
            room = std::max<std::int64_t>(1, scaled_value(rolling.max_unavailable(), wanted, false)) - wanted;
            room += std::ranges::count_if(
                state.replicas, [&](const Member& member) { return !is_unavailable(state, member); });
        }
        for (auto member = state.replicas.rbegin(); member != state.replicas.rend(); ++member) {
            if (room <= 0 || member->ordinal < partition) break;
            const bool is_old =
                member->pod && revision_name_of(pod_of(member->pod)) != state.update->key().name;
            if (is_old && !member->pod->is_being_deleted()) {
                chosen.push_back(member->pod);
                --room;
            } else if (!rolling.has_max_unavailable() && is_unavailable(state, *member)) {
                break;
            }
        }
        return chosen;
    }

    // --- What is told.

    void tell(const SetState& state, std::string_view verb, std::string_view pod, const Status* failure) {
        std::string message = std::string(verb).append(" Pod ").append(pod).append(" in StatefulSet ");
        message.append(state.set->key().name);
        message.append(failure ? " failed error: " + failure->message() : " successful");
        const std::string reason = std::string(failure ? "Failed" : "Successful").append(verb);
        events_->record(state.set->root(), failure ? EventType::warning : EventType::normal, reason,
                        std::move(message));
    }

    void count(const SetState& state, const ObjectList& mine, StatefulSetStatus status, Arena& arena) const {
        std::int64_t replicas = 0;
        std::int64_t ready = 0;
        std::int64_t available = 0;
        std::int64_t current = 0;
        std::int64_t updated = 0;
        for (const ObjectPointer& object : mine) {
            const Pod pod = pod_of(object);
            if (!ordinal_of(state.set->key().name, object->key().name)) continue;
            ++replicas;
            ready += is_running_and_ready(pod) ? 1 : 0;
            available += is_available_now(state, object) ? 1 : 0;
            if (object->is_being_deleted()) continue;
            current += revision_name_of(pod) == state.current->key().name ? 1 : 0;
            updated += revision_name_of(pod) == state.update->key().name ? 1 : 0;
        }
        const std::int64_t wanted = state.ordinals.end - state.ordinals.start;
        const bool is_complete = stateful_set_of(state.set).spec().update_strategy().type() != "OnDelete" &&
                                 updated == wanted && ready == wanted && replicas == wanted;
        status.set_replicas(arena, replicas);
        status.set_ready_replicas(arena, ready);
        status.set_available_replicas(arena, available);
        status.set_current_replicas(arena, is_complete ? updated : current);
        status.set_updated_replicas(arena, updated);
        status.set_current_revision(arena, (is_complete ? state.update : state.current)->key().name);
        status.set_update_revision(arena, state.update->key().name);
        status.set_collision_count(arena, status.collision_count());
    }

    Task<Result<void>> write_status(const SetState& state, const ObjectList& mine, Writer& writer) {
        const StatefulSet set = stateful_set_of(state.set);
        Document changed = state.set->clone();
        const StatefulSetStatus status = StatefulSet(changed.root).make_status(changed.arena);
        count(state, mine, status, changed.arena);
        status.set_observed_generation(changed.arena, set.metadata().generation());
        if (is_same_status(status.untyped(), set.status().untyped())) co_return base::ok();
        auto updating = writer.update_status(kSets, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    // Revisions that no pod has any more, beyond the history that is to be kept.
    Task<Result<void>> clean_up(const SetState& state, const History& history, const ObjectList& mine,
                                Writer& writer) {
        const auto spec = stateful_set_of(state.set).spec();
        if (!spec.has_revision_history_limit() || state.set->is_being_deleted()) co_return base::ok();
        ObjectList unused = history.old;
        std::erase_if(unused, [&](const ObjectPointer& revision) {
            return revision == state.current || std::ranges::any_of(mine, [&](const ObjectPointer& pod) {
                       return revision_name_of(pod_of(pod)) == revision->key().name;
                   });
        });
        auto deleting = delete_old_revisions(writer, std::move(unused),
                                             static_cast<std::size_t>(spec.revision_history_limit()), {});
        co_return co_await deleting;
    }

    const Surroundings& surroundings_;
    Informer& sets_;
    Informer& pods_;
    Informer& revisions_;
    std::unique_ptr<EventRecorder> events_;
    StatefulClaims claims_;
};

}  // namespace

std::unique_ptr<Controller> make_stateful_set_controller(const Surroundings& surroundings) {
    return std::make_unique<StatefulSetController>(surroundings);
}

}  // namespace keelson::control
