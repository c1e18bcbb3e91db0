#include "kernel/scheduling/queue.h"

#include <algorithm>

namespace keelson::scheduling {
namespace {

using Place = QueuedPod::Place;

template <typename Holds>
bool any_plugin(const PluginSet& set, Holds holds) {
    for (unsigned number = 0; number < static_cast<unsigned>(PluginId::count); ++number)
        if (set.contains(static_cast<PluginId>(number)) && holds(static_cast<PluginId>(number))) return true;
    return false;
}

}  // namespace

bool PodQueue::ByPriority::operator()(const QueuedPod* one, const QueuedPod* other) const {
    if (one->pod->shape->priority != other->pod->shape->priority)
        return one->pod->shape->priority > other->pod->shape->priority;
    if (one->added != other->added) return one->added < other->added;
    return one->number < other->number;
}

bool PodQueue::ByReadiness::operator()(const QueuedPod* one, const QueuedPod* other) const {
    if (one->ready_at != other->ready_at) return one->ready_at < other->ready_at;
    return ByPriority()(one, other);
}

base::Duration PodQueue::backoff_of(const QueuedPod& pod) const {
    const unsigned failures = pod.errors > 0 ? pod.errors : pod.refusals;
    base::Duration pause = settings_.initial_backoff;
    for (unsigned count = 1; count < failures && pause < settings_.longest_backoff; ++count) pause *= 2;
    return failures == 0 ? base::Duration::zero() : std::min(pause, settings_.longest_backoff);
}

QueuedPod* PodQueue::find(const std::string& uid) {
    const auto found = pods_.find(uid);
    return found == pods_.end() ? nullptr : found->second.get();
}

void PodQueue::leave(QueuedPod& pod) {
    switch (pod.place) {
        case Place::active:
            active_.erase(&pod);
            break;
        case Place::backoff:
            backoff_.erase(&pod);
            break;
        case Place::aside: {
            const auto group = aside_.find(pod.refused_by.bits());
            group->second.erase({pod.added, pod.number});
            if (group->second.empty()) aside_.erase(group);
            --aside_count_;
            break;
        }
        case Place::gated:
            --gated_;
            break;
        case Place::taken:
            break;
    }
    pod.place = Place::taken;
}

void PodQueue::enter_active(QueuedPod& pod, base::MonotonicTime now) {
    leave(pod);
    pod.added = now;
    if (pod.pod->shape->is_gated) {
        pod.place = Place::gated;
        ++gated_;
        return;
    }
    pod.place = Place::active;
    active_.insert(&pod);
}

void PodQueue::enter_backoff(QueuedPod& pod, base::MonotonicTime now) {
    leave(pod);
    pod.place = Place::backoff;
    pod.ready_at = pod.added + backoff_of(pod);
    if (pod.ready_at <= now) {
        enter_active(pod, now);
        return;
    }
    backoff_.insert(&pod);
}

void PodQueue::enter_aside(QueuedPod& pod, base::MonotonicTime now) {
    leave(pod);
    pod.added = now;
    pod.place = Place::aside;
    aside_[pod.refused_by.bits()][{pod.added, pod.number}] = &pod;
    ++aside_count_;
}

// Out of where it lies, to be tried when its pause is over.
void PodQueue::move_on(QueuedPod& pod, base::MonotonicTime now) {
    if (pod.is_preempting) {
        pod.was_helped = true;
        return;
    }
    enter_backoff(pod, now);
}

void PodQueue::add(const PodPointer& pod, const std::optional<std::string>& nominated,
                   base::MonotonicTime now) {
    const std::string kept = nominations_.node_of(pod->uid);
    if (nominated || !kept.empty()) nominations_.set(pod, nominated ? *nominated : kept);
    auto& queued = pods_[pod->uid];
    if (!queued) {
        queued = std::make_unique<QueuedPod>();
        queued->pod = pod;
        queued->place = Place::taken;
        queued->number = next_number_++;
        queued->first_added = now;
        enter_active(*queued, now);
        return;
    }
    const PodPointer before = queued->pod;
    // Whoever has taken it keeps on trying the pod as it was.
    const Place place = queued->place;
    const bool is_sorted = place == Place::active || place == Place::backoff;
    if (is_sorted) leave(*queued);
    queued->pod = pod;
    if (place == Place::active) {
        queued->place = Place::active;
        active_.insert(queued.get());
    } else if (place == Place::backoff) {
        queued->place = Place::backoff;
        backoff_.insert(queued.get());
    } else if (place == Place::gated && !pod->shape->is_gated) {
        enter_active(*queued, now);
    } else if (place == Place::aside && change_may_help(queued->refused_by, *before, *pod)) {
        move_on(*queued, now);
    }
}

void PodQueue::remove(const std::string& uid) {
    const auto found = pods_.find(uid);
    if (found == pods_.end()) return;
    leave(*found->second);
    nominations_.remove(found->second->pod->uid);
    pods_.erase(found);
}

bool PodQueue::has_next() const {
    if (!active_.empty()) return true;
    return std::any_of(backoff_.begin(), backoff_.end(),
                       [](const QueuedPod* pod) { return pod->errors == 0; });
}

QueuedPod* PodQueue::take(base::MonotonicTime now) {
    QueuedPod* next = nullptr;
    if (!active_.empty()) {
        next = *active_.begin();
    } else {
        // With nothing else to do, waiting longer helps nobody; only errors have to be waited out.
        for (QueuedPod* pod : backoff_) {
            if (pod->errors > 0) continue;
            next = pod;
            break;
        }
    }
    if (!next) return nullptr;
    leave(*next);
    ++next->attempts;
    next->added = now;
    return next;
}

void PodQueue::put_aside(const std::string& uid, PluginSet refused_by, base::MonotonicTime now) {
    QueuedPod* pod = find(uid);
    if (!pod || pod->place != Place::taken) return;
    pod->refused_by = refused_by;
    pod->errors = 0;
    ++pod->refusals;
    enter_aside(*pod, now);
}

void PodQueue::put_back(const std::string& uid, base::MonotonicTime now) {
    QueuedPod* pod = find(uid);
    if (!pod || pod->place != Place::taken) return;
    pod->refused_by = PluginSet();
    ++pod->errors;
    pod->added = now;
    enter_backoff(*pod, now);
}

void PodQueue::happened(const ClusterEvent& event, base::MonotonicTime now) {
    std::vector<QueuedPod*> helped;
    for (const auto& [bits, pods] : aside_) {
        const PluginSet plugins = PluginSet::from_bits(bits);
        // Nobody refused: there were no nodes.
        const bool any_node = plugins.empty() && event.kind == ClusterEvent::Kind::node_added;
        if (!any_node &&
            !any_plugin(plugins, [&](PluginId plugin) { return may_concern(plugin, event.kind); }))
            continue;
        for (const auto& entry : pods) {
            QueuedPod* pod = entry.second;
            const bool helps = any_node || any_plugin(plugins, [&](PluginId plugin) {
                                   return may_help(plugin, *pod->pod, event, cluster_);
                               });
            if (helps) helped.push_back(pod);
        }
    }
    for (QueuedPod* pod : helped) move_on(*pod, now);
}

void PodQueue::preemption_started(const std::string& uid) {
    if (QueuedPod* pod = find(uid)) pod->is_preempting = true;
}

void PodQueue::preemption_ended(const std::string& uid, bool failed, base::MonotonicTime now) {
    QueuedPod* pod = find(uid);
    if (!pod) return;
    pod->is_preempting = false;
    const bool was_helped = std::exchange(pod->was_helped, false);
    if (pod->place != Place::aside) return;
    if (failed)
        enter_active(*pod, now);
    else if (was_helped)
        enter_backoff(*pod, now);
}

void PodQueue::advance(base::MonotonicTime now) {
    while (!backoff_.empty() && (*backoff_.begin())->ready_at <= now) enter_active(**backoff_.begin(), now);
    std::vector<QueuedPod*> old;
    for (const auto& [bits, pods] : aside_)
        for (const auto& [key, pod] : pods) {
            if (key.first + settings_.longest_aside > now) break;
            if (!pod->is_preempting) old.push_back(pod);
        }
    for (QueuedPod* pod : old) enter_active(*pod, now);
}

std::optional<base::MonotonicTime> PodQueue::next_due() const {
    std::optional<base::MonotonicTime> due;
    if (!backoff_.empty()) due = (*backoff_.begin())->ready_at;
    for (const auto& [bits, pods] : aside_) {
        const base::MonotonicTime when = pods.begin()->first.first + settings_.longest_aside;
        if (!due || when < *due) due = when;
    }
    return due;
}

}  // namespace keelson::scheduling
