// Where a Job stands: what its pods say, added to what its status has counted before, and whether that means
// its end. Pure functions.
// Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/control/controller.h"
#include "kernel/control/job_pods.h"

namespace keelson::control {

// The failures of pods since the last success: known since the controller began only.
struct JobBackoff {
    std::string uid;  // of the Job
    std::int64_t failures = 0;
    base::WallTime last_failure{};
};

// Why a Job is to end.
struct JobOutcome {
    bool is_success = false;
    std::string reason;
    std::string message;
};

struct JobProgress {
    std::vector<JobPod> pods;
    std::int64_t active = 0;
    std::int64_t ready = 0;
    std::int64_t terminating = 0;
    // Counted, listed as uncounted, or seen for the first time.
    std::int64_t succeeded = 0;
    std::int64_t failed = 0;
    std::set<std::string> uncounted_succeeded;  // uids
    std::set<std::string> uncounted_failed;
    IndexSet completed;
    IndexSet failed_indexes;
    // By index, where the limit of failures is by index: the pod that the next one goes on counting from.
    std::map<std::int64_t, const JobPod*> last_failure;
    JobBackoff backoff;
};

[[nodiscard]] bool has_limit_per_index(api_types::batch_v1::JobSpec spec);

// `pods` are all of the Job's own; `backoff` is what was known of this or another Job of its name.
[[nodiscard]] JobProgress look_at_job(const client::CachedObject& job, const ObjectList& pods,
                                      const JobBackoff& backoff, base::WallTime now);

// Nothing when it is to go on. Deadlines count from `start`; `again` is set to when one of them is over.
[[nodiscard]] std::optional<JobOutcome> decide_job(const client::CachedObject& job,
                                                   const JobProgress& progress,
                                                   std::optional<base::WallTime> start, base::WallTime now,
                                                   Again& again);

}  // namespace keelson::control
