#include "kernel/control/pod_state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::core_v1::ContainerStatus;
using api_types::core_v1::Pod;
using api_types::core_v1::PodCondition;

constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

// What the order looks at, once a pod instead of once a comparison.
struct Rank {
    ObjectPointer object;
    bool is_bound = false;
    int phase = 0;  // pending, unknown, anything else
    bool is_ready = false;
    std::int64_t cost = 0;
    std::size_t on_same_node = 0;
    std::optional<base::WallTime> ready_since;
    std::int64_t restarts = 0;
    std::string_view created;
};

int phase_rank(std::string_view phase) {
    if (phase == "Pending") return 0;
    return phase == "Unknown" ? 1 : 2;
}

std::int64_t deletion_cost(Pod pod) {
    const std::string_view text = pod.metadata().annotations()[kDeletionCost];
    std::int32_t cost = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cost);
    return error == std::errc() && end == text.data() + text.size() ? cost : 0;
}

std::optional<base::WallTime> ready_since(Pod pod) {
    return time_of(condition_of(pod, "Ready").last_transition_time());
}

std::int64_t most_restarts(Pod pod) {
    std::int64_t most = 0;
    for (const ContainerStatus container : pod.status().container_statuses())
        most = std::max(most, container.restart_count());
    return most;
}

// Pods that became ready, or were made, at about the same time count as equal: a logarithmic comparison, so
// that which one goes is by chance of the uid and rollouts do not always take the newest nodes.
int age_rank(std::optional<base::WallTime> since, base::WallTime now) {
    if (!since || now <= *since) return -1;
    const double seconds = std::chrono::duration<double>(now - *since).count();
    return seconds < 1 ? 0 : static_cast<int>(std::log2(seconds));
}

bool goes_first(const Rank& a, const Rank& b, base::WallTime now) {
    if (a.is_bound != b.is_bound) return !a.is_bound;
    if (a.phase != b.phase) return a.phase < b.phase;
    if (a.is_ready != b.is_ready) return !a.is_ready;
    if (a.cost != b.cost) return a.cost < b.cost;
    if (a.on_same_node != b.on_same_node) return a.on_same_node > b.on_same_node;
    if (a.is_ready && a.ready_since != b.ready_since) {
        const int a_rank = age_rank(a.ready_since, now);
        const int b_rank = age_rank(b.ready_since, now);
        return a_rank != b_rank ? a_rank < b_rank : a.object->uid() < b.object->uid();
    }
    if (a.restarts != b.restarts) return a.restarts > b.restarts;
    if (a.created != b.created) {
        const int a_rank = age_rank(time_of(a.created), now);
        const int b_rank = age_rank(time_of(b.created), now);
        return a_rank != b_rank ? a_rank < b_rank : a.object->uid() < b.object->uid();
    }
    return a.object->uid() < b.object->uid();
}

}  // namespace

std::optional<base::WallTime> time_of(std::string_view text) {
    return object::wall_time_of(text);
}

bool counts_the_same(const client::CachedObject& before, const client::CachedObject& now) {
    const Pod old_pod(before.root());
    const Pod pod(now.root());
    const PodCondition old_ready = condition_of(old_pod, "Ready");
    const PodCondition ready = condition_of(pod, "Ready");
    return before.uid() == now.uid() && before.is_being_deleted() == now.is_being_deleted() &&
           old_pod.status().phase() == pod.status().phase() && old_ready.status() == ready.status() &&
           old_ready.last_transition_time() == ready.last_transition_time();
}

bool is_finished(Pod pod) {
    const std::string_view phase = pod.status().phase();
    return phase == "Succeeded" || phase == "Failed";
}

bool is_active(Pod pod) {
    return !is_finished(pod) && !pod.metadata().has_deletion_timestamp();
}

PodCondition condition_of(Pod pod, std::string_view type) {
    for (const PodCondition condition : pod.status().conditions())
        if (condition.type() == type) return condition;
    return {};
}

void index_by_node(Informer& pods) {
    pods.add_index(std::string(pods_by_node),
                   [](const client::CachedObject& pod, std::vector<std::string>& values) {
                       const std::string_view node = Pod(pod.root()).spec().node_name();
                       if (!node.empty()) values.emplace_back(node);
                   });
}

bool is_ready(Pod pod) {
    return condition_of(pod, "Ready").status() == "True";
}

// How long until a ready pod becomes available; none when it is not ready or available already.
static std::optional<base::Duration> time_to_available(Pod pod, std::int64_t min_ready_seconds,
                                                       base::WallTime now) {
    if (!is_ready(pod) || min_ready_seconds == 0) return std::nullopt;
    const auto since = ready_since(pod);
    if (!since) return std::chrono::seconds(min_ready_seconds);
    const base::Duration left = *since + std::chrono::seconds(min_ready_seconds) - now;
    if (left <= base::Duration::zero()) return std::nullopt;
    return left;
}

bool is_available(Pod pod, std::int64_t min_ready_seconds, base::WallTime now) {
    if (!is_ready(pod)) return false;
    return min_ready_seconds == 0 || !time_to_available(pod, min_ready_seconds, now);
}

std::optional<base::Duration> time_to_next_available(const ObjectList& pods, std::int64_t min_ready_seconds,
                                                     base::WallTime now) {
    std::optional<base::Duration> next;
    for (const ObjectPointer& pod : pods) {
        const auto left = time_to_available(pod_of(pod), min_ready_seconds, now);
        if (left && (!next || *left < *next)) next = left;
    }
    return next;
}

void order_for_deletion(ObjectList& pods, const ObjectList& related, base::WallTime now) {
    std::map<std::string_view, std::size_t> active_on_node;
    for (const ObjectPointer& object : related)
        if (is_active(pod_of(object))) ++active_on_node[pod_of(object).spec().node_name()];
    std::vector<Rank> ranks;
    ranks.reserve(pods.size());
    for (const ObjectPointer& object : pods) {
        const Pod pod = pod_of(object);
        const std::string_view node = pod.spec().node_name();
        ranks.push_back({object, !node.empty(), phase_rank(pod.status().phase()), is_ready(pod),
                         deletion_cost(pod), active_on_node[node], ready_since(pod), most_restarts(pod),
                         pod.metadata().creation_timestamp()});
    }
    std::ranges::stable_sort(ranks, [now](const Rank& a, const Rank& b) { return goes_first(a, b, now); });
    for (std::size_t index = 0; index < pods.size(); ++index) pods[index] = std::move(ranks[index].object);
}

}  // namespace keelson::control
