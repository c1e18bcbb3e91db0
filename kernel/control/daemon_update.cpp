#include "kernel/control/daemon_update.h"

#include "kernel/control/pod_state.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::DaemonSet;

// The pods of a node that are not going: one of the present template, one of an older one. Not clear when
// there are two of a kind.
struct PodPair {
    ObjectPointer updated;
    ObjectPointer old;
    bool is_clear = true;
};

PodPair pair_of(const DaemonState& state, const ObjectList& pods) {
    PodPair pair;
    for (const ObjectPointer& pod : pods) {
        if (pod->is_being_deleted()) continue;
        const bool is_new = is_updated(pod_of(pod), daemon_set_of(state.set), state.hash);
        ObjectPointer& place = is_new ? pair.updated : pair.old;
        if (place) pair.is_clear = false;
        place = pod;
    }
    return pair;
}

// Old pods go as far as enough nodes keep an available one; those that are not available go at once.
DaemonPlan plan_replacement(const DaemonState& state, base::WallTime now, std::int64_t most_unavailable) {
    DaemonPlan plan;
    ObjectList candidates;
    std::int64_t unavailable = 0;
    for (const auto& [node, verdict] : state.placement->verdicts)
        if (verdict.should_run && !state.pods_on.contains(node)) ++unavailable;
    for (const auto& [node, pods] : state.pods_on) {
        const PodPair pair = pair_of(state, pods);
        if (!pair.is_clear || (pair.updated != nullptr) == (pair.old != nullptr))
            ++unavailable;
        else if (pair.updated)
            unavailable += is_daemon_available(state, pair.updated, now) ? 0 : 1;
        else if (is_daemon_available(state, pair.old, now))
            candidates.push_back(pair.old);
        else
            plan.pods_to_delete.push_back(pair.old);
    }
    for (const ObjectPointer& pod : candidates) {
        if (unavailable++ >= most_unavailable) break;
        plan.pods_to_delete.push_back(pod);
    }
    return plan;
}

// New pods come beside the old ones, which go when the new ones are available.
DaemonPlan plan_surge(const DaemonState& state, base::WallTime now, std::int64_t most_surge) {
    DaemonPlan plan;
    std::vector<std::string> candidates;
    ObjectList misplaced;
    std::int64_t surged = 0;
    std::int64_t available = 0;
    for (const auto& [node, pods] : state.pods_on) {
        const PodPair pair = pair_of(state, pods);
        if (!pair.is_clear) {
            ++surged;
            continue;
        }
        const bool has_available_old = pair.old && is_daemon_available(state, pair.old, now);
        const bool has_available_new = pair.updated && is_daemon_available(state, pair.updated, now);
        if (has_available_old || has_available_new) ++available;
        if (!pair.old) continue;
        const auto verdict = state.placement->verdicts.find(node);
        const bool should_run = verdict != state.placement->verdicts.end() && verdict->second.should_run;
        if (pair.updated) {
            surged += has_available_new ? 0 : 1;
            if (has_available_new) plan.pods_to_delete.push_back(pair.old);
        } else if (!should_run) {
            (has_available_old ? misplaced : plan.pods_to_delete).push_back(pair.old);
        } else if (has_available_old) {
            candidates.push_back(node);
        } else {
            plan.nodes_to_fill.push_back(node);
        }
    }
    for (const std::string& node : candidates) {
        if (surged++ >= most_surge) break;
        plan.nodes_to_fill.push_back(node);
    }
    // Pods of nodes that are no longer chosen serve until as many others do.
    for (const ObjectPointer& pod : misplaced) {
        if (available-- <= state.placement->desired) break;
        plan.pods_to_delete.push_back(pod);
    }
    return plan;
}

}  // namespace

bool is_daemon_available(const DaemonState& state, const ObjectPointer& pod, base::WallTime now) {
    return is_available(pod_of(pod), daemon_set_of(state.set).spec().min_ready_seconds(), now);
}

DaemonPlan plan_update(const DaemonState& state, base::WallTime now) {
    const DaemonSet set = daemon_set_of(state.set);
    if (set.spec().update_strategy().type() != "RollingUpdate") return {};
    const DaemonRoom room = daemon_room(set, state.placement->desired);
    return room.surge == 0 ? plan_replacement(state, now, room.unavailable)
                           : plan_surge(state, now, room.surge);
}

}  // namespace keelson::control
