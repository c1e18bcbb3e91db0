#include "kernel/control/job.h"

#include <map>

#include "kernel/control/job_pods.h"
#include "kernel/control/job_sync.h"
#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/batch_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::batch_v1::Job;
using api_types::batch_v1::JobSpec;
using api_types::core_v1::Pod;
using base::Result;
using base::Task;
using client::CachedObject;
using client::EventRecorder;
using object::LabelSelector;

constexpr Collection kJobs = client::collections::jobs;
constexpr std::string_view kOurName = "kubernetes.io/job-controller";
// Keys of pods among those of Jobs: no Job has a name with a colon.
constexpr std::string_view kPodPrefix = "pod:";

JobSpec spec_of(const CachedObject& job) {
    return Job(job.root()).spec();
}

bool is_managed_elsewhere(const CachedObject& job) {
    return spec_of(job).has_managed_by() && spec_of(job).managed_by() != kOurName;
}

class JobController final : public Controller {
  public:
    explicit JobController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          jobs_(surroundings.informers.of(kJobs)),
          pods_(surroundings.informers.of(client::collections::pods)),
          events_(surroundings.recorder("job-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "job"; }

    void watch(Queue& queue) override {
        index_orphans(pods_);
        enqueue_objects(jobs_, queue);
        enqueue_controllers_of(pods_, "Job", jobs_, queue);
        jobs_.add_handler([this, &queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (now) return;
            for (const ObjectPointer& pod : pods_.controlled_by(before->uid())) enqueue_pod(*pod, queue);
        });
        pods_.add_handler([this, &queue](const ObjectPointer&, const ObjectPointer& now) {
            if (!now) return;
            if (has_tracking_finalizer(now) && !find_job_of(*now)) enqueue_pod(*now, queue);
            if (now->controller_uid().empty()) enqueue_for_orphan(*now, queue);
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        if (key.name.starts_with(kPodPrefix)) {
            key.name.erase(0, kPodPrefix.size());
            auto releasing = release_orphan(pods_.get(key), writer);
            co_return co_await releasing;
        }
        const ObjectPointer job = jobs_.get(key);
        if (!job) {
            backoffs_.erase(key);
            co_return done();
        }
        if (is_managed_elsewhere(*job)) co_return done();
        const bool has_ended = end_of_job(job->root()).has_value();
        if (has_ended) backoffs_.erase(key);
        KEELSON_CO_TRY(const LabelSelector selector,
                       LabelSelector::from_object(spec_of(*job).selector().untyped()));
        if (has_ended) {
            auto releasing = release_rest(*job, writer);
            co_return co_await releasing;
        }
        const Claim claim{kJobs, job, client::collections::pods, selector};
        auto claiming = claim_dependents(surroundings_, writer, claim);
        KEELSON_CO_TRY(ObjectList pods, co_await claiming);
        auto syncing = sync_job(surroundings_, writer, *events_, backoffs_[key], job, std::move(pods));
        co_return co_await syncing;
    }

  private:
    static void enqueue_pod(const CachedObject& pod, Queue& queue) {
        queue.add({pod.key().namespace_name, std::string(kPodPrefix) + pod.key().name});
    }

    // The Job that counts the pod, or that might adopt it.
    [[nodiscard]] ObjectPointer find_job_of(const CachedObject& pod) const {
        const std::string& namespace_name = pod.key().namespace_name;
        for (const auto owner : Pod(pod.root()).metadata().owner_references()) {
            if (!owner.controller()) continue;
            ObjectPointer job = jobs_.get({namespace_name, std::string(owner.name())});
            return job && job->uid() == owner.uid() ? job : nullptr;
        }
        for (const ObjectPointer& job : jobs_.list(namespace_name))
            if (matches(*job, pod)) return job;
        return nullptr;
    }

    static bool matches(const CachedObject& job, const CachedObject& pod) {
        const auto selector = LabelSelector::from_object(spec_of(job).selector().untyped());
        const auto labels = Pod(pod.root()).metadata().labels().untyped();
        return selector && !selector->empty() && selector->matches(labels);
    }

    void enqueue_for_orphan(const CachedObject& pod, Queue& queue) const {
        if (pod.is_being_deleted()) return;
        for (const ObjectPointer& job : jobs_.list(pod.key().namespace_name))
            if (matches(*job, pod)) queue.add(job->key());
    }

    // Without its Job nobody counts a pod: it is free to go.
    Task<Result<Again>> release_orphan(ObjectPointer pod, Writer& writer) {
        if (!pod || !has_tracking_finalizer(pod) || find_job_of(*pod)) co_return done();
        auto releasing = release_pods(writer, {pod});
        KEELSON_CO_TRY_VOID(co_await releasing);
        co_return done();
    }

    Task<Result<Again>> release_rest(const CachedObject& job, Writer& writer) {
        ObjectList tracked;
        for (const ObjectPointer& pod : pods_.controlled_by(job.uid()))
            if (has_tracking_finalizer(pod)) tracked.push_back(pod);
        auto releasing = release_pods(writer, std::move(tracked));
        KEELSON_CO_TRY_VOID(co_await releasing);
        co_return done();
    }

    const Surroundings& surroundings_;
    Informer& jobs_;
    Informer& pods_;
    std::unique_ptr<EventRecorder> events_;
    std::map<ObjectKey, JobBackoff> backoffs_;
};

class TtlController final : public Controller {
  public:
    explicit TtlController(const Surroundings& surroundings)
        : surroundings_(surroundings), jobs_(surroundings.informers.of(kJobs)) {}

    [[nodiscard]] std::string_view name() const override { return "ttl-after-finished"; }
    void watch(Queue& queue) override { enqueue_objects(jobs_, queue); }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer job = jobs_.get(key);
        if (!job || job->is_being_deleted()) co_return done();
        const auto end = end_of_job(job->root());
        if (!end || !spec_of(*job).has_ttl_seconds_after_finished()) co_return done();
        const auto time_to_live = std::chrono::seconds(spec_of(*job).ttl_seconds_after_finished());
        const base::Duration left = end->at + time_to_live - surroundings_.now();
        if (left > base::Duration::zero()) co_return again_after(left);
        client::DeleteOptions options;
        options.propagation_policy = "Foreground";
        // Not one whose time to live was just prolonged.
        options.preconditions.resource_version = std::to_string(job->revision());
        auto removing = writer.remove(kJobs, job, std::move(options));
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return done();
    }

  private:
    const Surroundings& surroundings_;
    Informer& jobs_;
};

}  // namespace

std::unique_ptr<Controller> make_job_controller(const Surroundings& surroundings) {
    return std::make_unique<JobController>(surroundings);
}

std::unique_ptr<Controller> make_ttl_after_finished_controller(const Surroundings& surroundings) {
    return std::make_unique<TtlController>(surroundings);
}

}  // namespace keelson::control
