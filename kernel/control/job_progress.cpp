#include "kernel/control/job_progress.h"

#include <algorithm>

#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/batch_v1.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::batch_v1::Job;
using api_types::batch_v1::JobCondition;
using api_types::batch_v1::JobSpec;
using api_types::batch_v1::JobStatus;
using client::CachedObject;

// Only pods of the Job's indexes count.
bool is_countable(JobSpec spec, const JobPod& pod) {
    return !is_indexed(spec) || pod.index;
}

// The pods that ended since the last reconcile.
void count_ended(JobSpec spec, base::WallTime now, JobProgress& progress) {
    std::optional<base::WallTime> last_success;
    std::vector<base::WallTime> failures;
    for (const JobPod& pod : progress.pods) {
        if (!pod.is_tracked || !is_countable(spec, pod)) continue;
        const std::string uid(pod.object->uid());
        if (pod.has_succeeded && !progress.uncounted_succeeded.contains(uid)) {
            ++progress.succeeded;
            const base::WallTime end = finish_time_of(pod.pod(), now);
            if (!last_success || end > *last_success) last_success = end;
        } else if (pod.has_failed && !progress.uncounted_failed.contains(uid)) {
            if (judge_failure(spec, pod.pod()).is_counted) ++progress.failed;
            failures.push_back(finish_time_of(pod.pod(), now));
        }
    }
    JobBackoff& backoff = progress.backoff;
    if (last_success) backoff.failures = 0;
    for (const base::WallTime end : failures) {
        if (last_success && end <= *last_success) continue;
        ++backoff.failures;
        backoff.last_failure = std::max(backoff.last_failure, end);
    }
}

// Failed pods of open indexes stay until they are replaced.
void find_last_failures(JobProgress& progress) {
    std::set<std::int64_t> active;
    for (const JobPod& pod : progress.pods)
        if (pod.is_active && pod.index) active.insert(*pod.index);
    const auto count_of = [](const JobPod& pod) {
        const IndexFailures failures = index_failures_of(pod.pod());
        return failures.counted + failures.ignored;
    };
    for (const JobPod& pod : progress.pods) {
        if (!pod.is_tracked || !pod.has_failed || !pod.index || active.contains(*pod.index)) continue;
        if (progress.completed.has(*pod.index) || progress.failed_indexes.has(*pod.index)) continue;
        const JobPod*& last = progress.last_failure[*pod.index];
        if (!last || count_of(*last) <= count_of(pod)) last = &pod;
    }
}

void count_indexes(JobSpec spec, JobStatus status, JobProgress& progress) {
    progress.completed = IndexSet::parse(status.completed_indexes(), spec.completions());
    progress.failed_indexes = IndexSet::parse(status.failed_indexes(), spec.completions());
    for (const JobPod& pod : progress.pods) {
        if (!pod.index || !pod.is_tracked) continue;
        if (pod.has_succeeded) progress.completed.add(*pod.index);
        if (has_limit_per_index(spec) && has_index_failed(spec, pod)) progress.failed_indexes.add(*pod.index);
    }
    progress.succeeded = progress.completed.size();
    if (has_limit_per_index(spec)) find_last_failures(progress);
}

// Decided earlier: nothing changes it.
std::optional<JobOutcome> by_condition(JobStatus status) {
    for (const std::string_view type : {"SuccessCriteriaMet", "FailureTarget"}) {
        const JobCondition condition(find_condition(status.conditions().untyped(), type));
        if (condition.status() == "True")
            return JobOutcome{type == "SuccessCriteriaMet", std::string(condition.reason()),
                              std::string(condition.message())};
    }
    return std::nullopt;
}

std::optional<JobOutcome> by_policy(JobSpec spec, const JobProgress& progress) {
    if (!spec.has_pod_failure_policy()) return std::nullopt;
    for (const JobPod& pod : progress.pods) {
        if (!pod.has_failed) continue;
        auto verdict = judge_failure(spec, pod.pod());
        if (verdict.job_failure)
            return JobOutcome{false, "PodFailurePolicy", std::move(*verdict.job_failure)};
    }
    return std::nullopt;
}

std::optional<JobOutcome> by_limits(JobSpec spec, const JobProgress& progress,
                                    std::optional<base::WallTime> start, base::WallTime now, Again& again) {
    if (progress.failed > spec.backoff_limit() || has_restarted_too_often(spec, progress.pods))
        return JobOutcome{false, "BackoffLimitExceeded", "Job has reached the specified backoff limit"};
    if (!spec.has_active_deadline_seconds() || !start || spec.suspend()) return std::nullopt;
    const base::Duration left = *start + std::chrono::seconds(spec.active_deadline_seconds()) - now;
    if (left <= base::Duration::zero())
        return JobOutcome{false, "DeadlineExceeded", "Job was active longer than specified deadline"};
    again.after = left;
    return std::nullopt;
}

std::optional<JobOutcome> by_indexes(JobSpec spec, const JobProgress& progress) {
    if (!is_indexed(spec)) return std::nullopt;
    const std::int64_t failed = has_limit_per_index(spec) ? progress.failed_indexes.size() : 0;
    if (spec.has_max_failed_indexes() && failed > spec.max_failed_indexes())
        return JobOutcome{false, "MaxFailedIndexesExceeded",
                          "Job has exceeded the specified maximal number of failed indexes"};
    if (failed > 0 && failed + progress.completed.size() >= spec.completions())
        return JobOutcome{false, "FailedIndexes", "Job has failed indexes"};
    auto rule = met_success_rule(spec, progress.completed);
    if (rule) return JobOutcome{true, "SuccessPolicy", std::move(*rule)};
    return std::nullopt;
}

}  // namespace

bool has_limit_per_index(JobSpec spec) {
    return is_indexed(spec) && spec.has_backoff_limit_per_index();
}

JobProgress look_at_job(const CachedObject& job, const ObjectList& pods, const JobBackoff& backoff,
                        base::WallTime now) {
    const JobSpec spec = Job(job.root()).spec();
    const JobStatus status = Job(job.root()).status();
    JobProgress progress;
    progress.pods = look_at_pods(spec, pods);
    progress.backoff = backoff.uid == job.uid() ? backoff : JobBackoff{std::string(job.uid()), 0, {}};
    for (const std::string_view uid : status.uncounted_terminated_pods().succeeded())
        progress.uncounted_succeeded.emplace(uid);
    for (const std::string_view uid : status.uncounted_terminated_pods().failed())
        progress.uncounted_failed.emplace(uid);
    progress.succeeded = status.succeeded() + static_cast<std::int64_t>(progress.uncounted_succeeded.size());
    progress.failed = status.failed() + static_cast<std::int64_t>(progress.uncounted_failed.size());
    for (const JobPod& pod : progress.pods) {
        progress.active += pod.is_active ? 1 : 0;
        progress.ready += pod.is_active && is_ready(pod.pod()) ? 1 : 0;
        progress.terminating += pod.is_terminating ? 1 : 0;
    }
    count_ended(spec, now, progress);
    if (is_indexed(spec)) count_indexes(spec, status, progress);
    return progress;
}

std::optional<JobOutcome> decide_job(const CachedObject& job, const JobProgress& progress,
                                     std::optional<base::WallTime> start, base::WallTime now, Again& again) {
    const JobSpec spec = Job(job.root()).spec();
    if (auto outcome = by_condition(Job(job.root()).status())) return outcome;
    if (auto outcome = by_policy(spec, progress)) return outcome;
    if (auto outcome = by_limits(spec, progress, start, now, again)) return outcome;
    return by_indexes(spec, progress);
}

}  // namespace keelson::control
