#include "kernel/control/job_sync.h"

#include <algorithm>
#include <set>

#include "kernel/base/gather.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::batch_v1::Job;
using api_types::batch_v1::JobCondition;
using api_types::batch_v1::JobSpec;
using api_types::batch_v1::JobStatus;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Status;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kJobs = client::collections::jobs;
constexpr std::size_t kUncountedLimit = 500;

Task<Result<void>> release_one(Writer& writer, ObjectPointer pod) {
    Document patch;
    patch.root = Value::map(patch.arena);
    const ObjectMeta metadata(patch.root.child_map(patch.arena, "metadata"));
    metadata.set_uid(patch.arena, pod->uid());
    // The directive of a strategic merge patch: not a field of the type.
    const Value removed = Value::list(patch.arena);
    removed.push_back(patch.arena, Value::reference(job_tracking_finalizer));
    metadata.untyped().set(patch.arena, "$deleteFromPrimitiveList/finalizers", removed);
    auto patching =
        writer.patch(client::collections::pods, pod->key(), client::PatchType::strategic, patch.root, {});
    const Writer::Object patched = co_await patching;
    // It is gone. After a conflict it may still be there, and would be counted once more.
    if (!patched && patched.error().code() != 404 && patched.error().code() != 422) co_return patched.error();
    co_return base::ok();
}

Task<std::vector<Result<void>>> release_all(Writer& writer, const ObjectList& pods) {
    std::vector<Task<Result<void>>> tasks;
    for (const ObjectPointer& pod : pods) tasks.push_back(release_one(writer, pod));
    auto releasing = base::gather(std::move(tasks));
    co_return co_await releasing;
}

class JobSync {
  public:
    JobSync(const Surroundings& surroundings, Writer& writer, EventRecorder& events, JobBackoff& backoff,
            ObjectPointer job)
        : writer_(writer),
          events_(events),
          backoff_(backoff),
          job_(std::move(job)),
          spec_(Job(job_->root()).spec()),
          changed_(job_->clone()),
          written_(Job(job_->root()).status().untyped()),
          now_(surroundings.now()) {}

    Task<Result<Again>> run(ObjectList pods) {
        progress_ = look_at_job(*job_, pods, backoff_, now_);
        if (!status().has_start_time() && !is_suspended())
            status().set_start_time(changed_.arena, now_text());
        outcome_ = decide_job(*job_, progress_, time_of(status().start_time()), now_, again_);
        if (outcome_) {
            auto ending = end_active_pods();
            co_await ending;
        } else {
            auto managing = manage();
            co_await managing;
            if (!failure_) conclude();
        }
        auto tracking = track();
        KEELSON_CO_TRY_VOID(co_await tracking);
        if (failure_) co_return std::move(*failure_);
        co_return again_;
    }

  private:
    [[nodiscard]] JobStatus status() { return Job(changed_.root).make_status(changed_.arena); }
    [[nodiscard]] Value conditions() { return status().make_conditions(changed_.arena).untyped(); }
    [[nodiscard]] bool is_suspended() const { return spec_.suspend(); }
    [[nodiscard]] bool has_limit_per_index() const { return control::has_limit_per_index(spec_); }
    // Only pods of the Job's indexes count.
    [[nodiscard]] bool is_countable(const JobPod& pod) const { return !is_indexed(spec_) || pod.index; }

    void look_again_after(base::Duration delay) {
        if (!again_.after || delay < *again_.after) again_.after = delay;
    }

    bool say(std::string_view type, std::string_view state, std::string_view reason,
             std::string_view message) {
        const Value all = conditions();
        if (!set_condition(all, {type, state, reason, message}, now_, changed_.arena)) return false;
        JobCondition(find_condition(all, type)).set_last_probe_time(changed_.arena, now_text());
        return true;
    }
    [[nodiscard]] std::string now_text() const { return object::format_time(object::instant_of(now_)); }

    // --- Making and deleting pods.

    Task<void> end_active_pods() {
        ObjectList active;
        for (const JobPod& pod : progress_.pods)
            if (pod.is_active) active.push_back(pod.object);
        auto deleting = remove_pods(std::move(active));
        co_await deleting;
        // While some are still there the end is not told.
        if (failure_) outcome_.reset();
    }

    Task<void> remove_pods(ObjectList pods) {
        const std::size_t count = pods.size();
        if (count == 0) co_return;
        std::int64_t ready = 0;
        for (const ObjectPointer& pod : pods) ready += is_ready(pod_of(pod)) ? 1 : 0;
        auto deleting = delete_pods(writer_, events_, job_, std::move(pods));
        PodWrites writes = co_await deleting;
        progress_.active -= static_cast<std::int64_t>(writes.done);
        progress_.terminating += static_cast<std::int64_t>(writes.done);
        if (writes.done == count) progress_.ready -= ready;
        if (writes.failure) failure_ = std::move(writes.failure);
    }

    // The Job gives these up itself: they count neither as failed nor as succeeded.
    Task<void> give_up(ObjectList pods) {
        auto releasing = release_all(writer_, pods);
        const std::vector<Result<void>> released = co_await releasing;
        ObjectList removable;
        for (std::size_t index = 0; index < pods.size(); ++index) {
            if (released[index]) {
                given_up_.insert(pods[index]->uid());
                removable.push_back(pods[index]);
            } else {
                failure_ = released[index].error();
            }
        }
        auto removing = remove_pods(std::move(removable));
        co_await removing;
    }

    [[nodiscard]] std::int64_t wanted_active() const {
        if (is_suspended()) return 0;
        if (!spec_.has_completions()) return progress_.succeeded > 0 ? progress_.active : spec_.parallelism();
        const std::int64_t open = std::max<std::int64_t>(0, spec_.completions() - progress_.succeeded);
        return std::min(open, spec_.parallelism());
    }

    Task<void> manage() {
        if (job_->is_being_deleted()) co_return;
        const std::int64_t wanted = wanted_active();
        const std::int64_t surplus = std::max<std::int64_t>(0, progress_.active - wanted);
        ObjectList superfluous =
            superfluous_pods(spec_, progress_.pods, static_cast<std::size_t>(surplus), now_);
        if (superfluous.size() > pod_burst_limit) superfluous.resize(pod_burst_limit);
        if (!superfluous.empty()) {
            auto giving_up = give_up(std::move(superfluous));
            co_await giving_up;
            co_return;
        }
        const std::int64_t going = replaces_failed_pods_only(spec_) ? progress_.terminating : 0;
        const std::int64_t missing = wanted - going - progress_.active;
        if (missing <= 0) co_return;
        auto adding = add_pods(std::min(static_cast<std::size_t>(missing), pod_burst_limit));
        co_await adding;
    }

    Task<void> add_pods(std::size_t count) {
        if (!has_limit_per_index()) {
            const auto left = backoff_left(progress_.backoff.failures, progress_.backoff.last_failure, now_);
            if (left > base::Duration::zero()) {
                look_again_after(left);
                co_return;
            }
        }
        std::vector<std::int64_t> indexes;
        if (is_indexed(spec_)) {
            indexes = indexes_to_start(count);
            count = indexes.size();
        }
        auto make = [this, indexes](std::size_t position, Arena& arena) {
            if (indexes.empty()) return make_job_pod(*job_, std::nullopt, std::nullopt, arena);
            std::optional<IndexFailures> failures;
            if (has_limit_per_index()) failures = failures_before(indexes[position]);
            return make_job_pod(*job_, indexes[position], failures, arena);
        };
        auto creating = create_pods(writer_, events_, job_, count, make);
        PodWrites writes = co_await creating;
        progress_.active += static_cast<std::int64_t>(writes.done);
        if (writes.failure) failure_ = std::move(writes.failure);
    }

    [[nodiscard]] IndexFailures failures_before(std::int64_t index) const {
        const auto last = progress_.last_failure.find(index);
        return index_failures_after(spec_, last == progress_.last_failure.end() ? nullptr : last->second);
    }

    // The first that have neither ended nor a pod, as far as their pauses after failures are over.
    std::vector<std::int64_t> indexes_to_start(std::size_t count) {
        std::set<std::int64_t> taken;
        for (const JobPod& pod : progress_.pods) {
            if (!pod.index) continue;
            if (pod.is_active || (pod.is_terminating && replaces_failed_pods_only(spec_)))
                taken.insert(*pod.index);
        }
        std::vector<std::int64_t> indexes;
        std::size_t seen = 0;
        for (std::int64_t index = 0; index < spec_.completions() && seen < count; ++index) {
            if (taken.contains(index) || progress_.completed.has(index) ||
                progress_.failed_indexes.has(index))
                continue;
            ++seen;
            if (is_pausing(index)) continue;
            indexes.push_back(index);
        }
        return indexes;
    }

    bool is_pausing(std::int64_t index) {
        const auto last = progress_.last_failure.find(index);
        if (last == progress_.last_failure.end()) return false;
        const IndexFailures failures = failures_before(index);
        const auto left = backoff_left(failures.counted + failures.ignored,
                                       finish_time_of(last->second->pod(), now_), now_);
        if (left <= base::Duration::zero()) return false;
        look_again_after(left);
        return true;
    }

    // --- What becomes of it.

    void conclude() {
        const bool is_complete =
            spec_.has_completions() ? progress_.succeeded >= spec_.completions() : progress_.succeeded > 0;
        if (is_complete && progress_.active == 0) {
            outcome_ = JobOutcome{true, "CompletionsReached", "Reached expected number of succeeded pods"};
            return;
        }
        if (job_->is_being_deleted()) return;
        if (is_suspended()) {
            if (say("Suspended", "True", "JobSuspended", "Job suspended"))
                events_.record(job_->root(), EventType::normal, "Suspended", "Job suspended");
        } else if (find_condition(conditions(), "Suspended").is_set() &&
                   say("Suspended", "False", "JobResumed", "Job resumed")) {
            events_.record(job_->root(), EventType::normal, "Resumed", "Job resumed");
            // A deadline counts from here on.
            status().set_start_time(changed_.arena, now_text());
        }
    }

    // --- Counting.

    [[nodiscard]] bool may_release(const JobPod& pod) const {
        if (!pod.is_tracked || given_up_.contains(pod.object->uid())) return false;
        if (job_->is_being_deleted() || outcome_ || pod.has_succeeded) return true;
        if (!pod.has_failed) return false;
        if (!has_limit_per_index() || !pod.index) return true;
        const auto last = progress_.last_failure.find(*pod.index);
        return last == progress_.last_failure.end() || last->second != &pod;
    }

    // Into the lists of what has ended.
    void note(const JobPod& pod) {
        const std::string uid(pod.object->uid());
        if (pod.has_succeeded && !progress_.uncounted_failed.contains(uid)) {
            // An index is counted once, however many of its pods succeed.
            if (!is_indexed(spec_)) progress_.uncounted_succeeded.insert(uid);
            return;
        }
        const bool is_failure = pod.has_failed || (outcome_ && !outcome_->is_success);
        if (is_failure && is_countable(pod) && judge_failure(spec_, pod.pod()).is_counted)
            progress_.uncounted_failed.insert(uid);
    }

    Task<Result<void>> track() {
        count_released();
        ObjectList releasable;
        bool is_cut = false;
        for (const JobPod& pod : progress_.pods) {
            if (!may_release(pod)) continue;
            if (releasable.size() >= kUncountedLimit) {
                is_cut = true;
                break;
            }
            releasable.push_back(pod.object);
            note(pod);
        }
        fill_status();
        if (outcome_)
            say(outcome_->is_success ? "SuccessCriteriaMet" : "FailureTarget", "True", outcome_->reason,
                outcome_->message);
        if (!releasable.empty()) {
            auto writing = flush();
            KEELSON_CO_TRY_VOID(co_await writing);
            auto releasing = release_all(writer_, releasable);
            const std::vector<Result<void>> released = co_await releasing;
            for (std::size_t index = 0; index < released.size(); ++index) {
                if (released[index])
                    released_.insert(releasable[index]->uid());
                else
                    failure_ = released[index].error();
            }
            count_released();
            fill_status();
        }
        backoff_ = progress_.backoff;
        const bool has_ended = !is_cut && end_if_counted();
        auto writing = flush();
        KEELSON_CO_TRY_VOID(co_await writing);
        if (has_ended) tell_end();
        co_return base::ok();
    }

    // What has lost its finalizer moves from the lists into the counts.
    void count_released() {
        std::set<std::string, std::less<>> kept;
        for (const JobPod& pod : progress_.pods)
            if (pod.is_tracked && !released_.contains(pod.object->uid())) kept.emplace(pod.object->uid());
        const auto is_kept = [&](const std::string& uid) { return kept.contains(uid); };
        const auto move_out = [&](std::set<std::string>& uids) {
            return static_cast<std::int64_t>(
                std::erase_if(uids, [&](const auto& uid) { return !is_kept(uid); }));
        };
        counted_succeeded_ += move_out(progress_.uncounted_succeeded);
        counted_failed_ += move_out(progress_.uncounted_failed);
    }

    void fill_status() {
        Arena& arena = changed_.arena;
        const JobStatus now = status();
        const Value before = Job(job_->root()).status().untyped();
        const auto set_count = [&](std::int64_t count, auto set, auto clear) {
            if (count != 0)
                (now.*set)(arena, count);
            else
                (now.*clear)();
        };
        set_count(progress_.active, &JobStatus::set_active, &JobStatus::clear_active);
        set_count(JobStatus(before).failed() + counted_failed_, &JobStatus::set_failed,
                  &JobStatus::clear_failed);
        set_count(is_indexed(spec_) ? progress_.completed.size()
                                    : JobStatus(before).succeeded() + counted_succeeded_,
                  &JobStatus::set_succeeded, &JobStatus::clear_succeeded);
        now.set_ready(arena, progress_.ready);
        now.set_terminating(arena, progress_.terminating);
        const auto uncounted = now.make_uncounted_terminated_pods(arena);
        uncounted.clear_succeeded();
        uncounted.clear_failed();
        for (const std::string& uid : progress_.uncounted_succeeded)
            uncounted.make_succeeded(arena).add(arena, uid);
        for (const std::string& uid : progress_.uncounted_failed)
            uncounted.make_failed(arena).add(arena, uid);
        if (!is_indexed(spec_)) return;
        if (progress_.completed.size() > 0)
            now.set_completed_indexes(arena, progress_.completed.to_string());
        else
            now.clear_completed_indexes();
        if (has_limit_per_index()) now.set_failed_indexes(arena, progress_.failed_indexes.to_string());
    }

    // False while something is uncounted or not yet gone.
    bool end_if_counted() {
        if (!outcome_ || !progress_.uncounted_succeeded.empty() || !progress_.uncounted_failed.empty())
            return false;
        if (progress_.terminating > 0 || failure_) return false;
        say(outcome_->is_success ? "Complete" : "Failed", "True", outcome_->reason, outcome_->message);
        if (outcome_->is_success) status().set_completion_time(changed_.arena, now_text());
        return true;
    }

    void tell_end() {
        if (!outcome_->is_success) {
            events_.record(job_->root(), EventType::warning, outcome_->reason, outcome_->message);
            return;
        }
        if (spec_.has_completions() && status().succeeded() > spec_.completions())
            events_.record(job_->root(), EventType::warning, "TooManySucceededPods",
                           "Too many succeeded pods");
        events_.record(job_->root(), EventType::normal, "Completed", "Job completed");
    }

    Task<Result<void>> flush() {
        const Value conditions = status().conditions().untyped();
        if (conditions.is_set() && conditions.empty()) status().clear_conditions();
        if (status().untyped().equals(written_)) co_return base::ok();
        auto updating = writer_.update_status(kJobs, changed_.root);
        Writer::Object updated = co_await updating;
        if (!updated) co_return updated.error();
        changed_.root = updated->root.clone(changed_.arena);
        answer_ = std::move(*updated);
        written_ = Job(answer_.root).status().untyped();
        co_return base::ok();
    }

    Writer& writer_;
    EventRecorder& events_;
    JobBackoff& backoff_;
    ObjectPointer job_;
    JobSpec spec_;
    Document changed_;
    Document answer_;  // of the last write
    Value written_;    // the status as the server has it
    base::WallTime now_;

    JobProgress progress_;
    std::int64_t counted_succeeded_ = 0;  // beyond what the status had at the beginning
    std::int64_t counted_failed_ = 0;
    std::set<std::string_view> given_up_;  // uids
    std::set<std::string_view> released_;
    std::optional<JobOutcome> outcome_;
    std::optional<Status> failure_;
    Again again_;
};

}  // namespace

std::optional<JobEnd> end_of_job(Value job) {
    for (const JobCondition condition : Job(job).status().conditions()) {
        if (condition.status() != "True") continue;
        if (condition.type() != "Complete" && condition.type() != "Failed") continue;
        return JobEnd{condition.type() == "Complete",
                      time_of(condition.last_transition_time()).value_or(base::WallTime{})};
    }
    return std::nullopt;
}

Task<Result<void>> release_pods(Writer& writer, ObjectList pods) {
    auto releasing = release_all(writer, pods);
    const std::vector<Result<void>> results = co_await releasing;
    for (const Result<void>& result : results)
        if (!result) co_return result.error();
    co_return base::ok();
}

Task<Result<Again>> sync_job(const Surroundings& surroundings, Writer& writer, EventRecorder& events,
                             JobBackoff& backoff, ObjectPointer job, ObjectList pods) {
    JobSync sync(surroundings, writer, events, backoff, std::move(job));
    auto running = sync.run(std::move(pods));
    co_return co_await running;
}

}  // namespace keelson::control
