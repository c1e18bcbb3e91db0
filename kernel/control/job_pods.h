// What the pods of a Job mean to it. Pure functions.
// Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/control/controller.h"
#include "kernel/control/job_indexes.h"
#include "kernel/object/accessors/batch_v1.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

// Keeps a pod there until its Job has counted it.
inline constexpr std::string_view job_tracking_finalizer = "batch.kubernetes.io/job-tracking";

struct JobPod {
    ObjectPointer object;
    std::optional<std::int64_t> index;  // of a pod of an Indexed Job, if it is one of its indexes
    bool is_tracked = false;            // has the finalizer: its end is not counted yet
    bool is_active = false;
    bool is_terminating = false;
    bool has_succeeded = false;
    bool has_failed = false;  // ended in failure, or goes and counts as one that did

    [[nodiscard]] api_types::core_v1::Pod pod() const { return api_types::core_v1::Pod(object->root()); }
};

[[nodiscard]] bool is_indexed(api_types::batch_v1::JobSpec spec);
// A pod is replaced when it has ended, not already when it goes.
[[nodiscard]] bool replaces_failed_pods_only(api_types::batch_v1::JobSpec spec);
[[nodiscard]] bool has_tracking_finalizer(const ObjectPointer& pod);
// In the order of their indexes.
[[nodiscard]] std::vector<JobPod> look_at_pods(api_types::batch_v1::JobSpec spec, const ObjectList& pods);

// What spec.podFailurePolicy says of a pod that failed.
struct FailureVerdict {
    bool is_counted = true;
    bool fails_index = false;
    std::optional<std::string> job_failure;  // why the whole Job fails
};
[[nodiscard]] FailureVerdict judge_failure(api_types::batch_v1::JobSpec spec, api_types::core_v1::Pod pod);

// When the last container ended, or what comes nearest to that.
[[nodiscard]] base::WallTime finish_time_of(api_types::core_v1::Pod pod, base::WallTime now);

// How long to wait with the next pod after so many failures in a row.
[[nodiscard]] base::Duration backoff_left(std::int64_t failures, base::WallTime last_failure,
                                          base::WallTime now);

// spec.backoffLimitPerIndex: how often the index of a pod had failed before it, by the pod's annotations.
struct IndexFailures {
    std::int64_t counted = 0;
    std::int64_t ignored = 0;
};
[[nodiscard]] IndexFailures index_failures_of(api_types::core_v1::Pod pod);
// What the pod that replaces this one (or none) has to say.
[[nodiscard]] IndexFailures index_failures_after(api_types::batch_v1::JobSpec spec, const JobPod* replaced);
[[nodiscard]] bool has_index_failed(api_types::batch_v1::JobSpec spec, const JobPod& pod);

// The pod that a Job makes, for an index or without one.
[[nodiscard]] object::Value make_job_pod(const client::CachedObject& job, std::optional<std::int64_t> index,
                                         std::optional<IndexFailures> failures, object::Arena& arena);

// "Matched rules at index 0"; nothing when no rule of spec.successPolicy is met.
[[nodiscard]] std::optional<std::string> met_success_rule(api_types::batch_v1::JobSpec spec,
                                                          const IndexSet& succeeded);

// More restarts than the backoff limit allows, in Jobs whose containers restart in place.
[[nodiscard]] bool has_restarted_too_often(api_types::batch_v1::JobSpec spec,
                                           const std::vector<JobPod>& pods);

// The active pods to delete so that at least `count` go: those of indexes that are no longer wanted or that
// have more than one pod, then any.
[[nodiscard]] ObjectList superfluous_pods(api_types::batch_v1::JobSpec spec, const std::vector<JobPod>& pods,
                                          std::size_t count, base::WallTime now);

}  // namespace keelson::control
