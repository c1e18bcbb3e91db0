// The pods that wait for a node: active (ready to be tried, by priority and age), backing off after a
// failure, or set aside until something happens that may help. Pods with scheduling gates are set aside until
// they have none (https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/).
//
// Not thread-safe. Times are the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/scheduling/events.h"
#include "kernel/scheduling/nominations.h"

namespace keelson::scheduling {

struct QueueSettings {
    base::Duration initial_backoff = std::chrono::seconds(1);
    base::Duration longest_backoff = std::chrono::seconds(10);
    // A pod that nothing has helped is tried again after this.
    base::Duration longest_aside = std::chrono::minutes(5);
};

struct QueuedPod {
    enum class Place : std::uint8_t { active, backoff, aside, gated, taken };

    PodPointer pod;
    Place place = Place::active;
    std::uint64_t number = 0;  // of the coming into the queue: settles ties
    base::MonotonicTime first_added;
    base::MonotonicTime added;     // into the present place
    base::MonotonicTime ready_at;  // when backing off
    unsigned attempts = 0;
    unsigned refusals = 0;  // in a row, without errors between
    unsigned errors = 0;    // in a row
    PluginSet refused_by;
    bool is_preempting = false;  // its victims are being removed
    bool was_helped = false;     // meanwhile
};

class PodQueue {
  public:
    explicit PodQueue(const Cluster& cluster, QueueSettings settings = {})
        : cluster_(cluster), settings_(settings) {}

    // A pod without a node that is new or has changed. nominated: its status.nominatedNodeName when that is
    // new or has changed; otherwise a nomination stays as it is.
    void add(const PodPointer& pod, const std::optional<std::string>& nominated, base::MonotonicTime now);
    // It has a node, or is gone.
    void remove(const std::string& uid);
    // The next pod to try; it stays known, as taken, until one of the calls below or remove(). With nothing
    // active a pod that backs off after a refusal comes early.
    [[nodiscard]] QueuedPod* take(base::MonotonicTime now);
    // It was refused: aside until something may help.
    void put_aside(const std::string& uid, PluginSet refused_by, base::MonotonicTime now);
    // Something went wrong that has nothing to do with it: again, after a pause.
    void put_back(const std::string& uid, base::MonotonicTime now);
    // Something has happened that may help pods that were set aside.
    void happened(const ClusterEvent& event, base::MonotonicTime now);
    // Between these two the pod is not tried; what would have helped it counts at the end.
    void preemption_started(const std::string& uid);
    void preemption_ended(const std::string& uid, bool failed, base::MonotonicTime now);
    // Moves on what has backed off or lain aside for long enough.
    void advance(base::MonotonicTime now);
    // When advance() has something to do next.
    [[nodiscard]] std::optional<base::MonotonicTime> next_due() const;

    [[nodiscard]] Nominations& nominations() { return nominations_; }
    [[nodiscard]] const Nominations& nominations() const { return nominations_; }
    [[nodiscard]] QueuedPod* find(const std::string& uid);
    [[nodiscard]] std::size_t active() const { return active_.size(); }
    [[nodiscard]] std::size_t backing_off() const { return backoff_.size(); }
    [[nodiscard]] std::size_t aside() const { return aside_count_; }
    [[nodiscard]] std::size_t gated() const { return gated_; }
    // Whether take() would give one.
    [[nodiscard]] bool has_next() const;

  private:
    struct ByPriority {
        bool operator()(const QueuedPod* one, const QueuedPod* other) const;
    };
    struct ByReadiness {
        bool operator()(const QueuedPod* one, const QueuedPod* other) const;
    };

    [[nodiscard]] base::Duration backoff_of(const QueuedPod& pod) const;
    void leave(QueuedPod& pod);
    void enter_active(QueuedPod& pod, base::MonotonicTime now);
    void enter_backoff(QueuedPod& pod, base::MonotonicTime now);
    void enter_aside(QueuedPod& pod, base::MonotonicTime now);
    void move_on(QueuedPod& pod, base::MonotonicTime now);

    const Cluster& cluster_;
    QueueSettings settings_;
    Nominations nominations_;
    std::unordered_map<std::string, std::unique_ptr<QueuedPod>> pods_;
    std::uint64_t next_number_ = 0;
    std::set<QueuedPod*, ByPriority> active_;
    std::set<QueuedPod*, ByReadiness> backoff_;
    // By who refused them, so that an event passes over those that it cannot concern; each by age.
    std::map<std::uint32_t, std::map<std::pair<base::MonotonicTime, std::uint64_t>, QueuedPod*>> aside_;
    std::size_t aside_count_ = 0;
    std::size_t gated_ = 0;
};

}  // namespace keelson::scheduling
