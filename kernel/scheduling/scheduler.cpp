#include "kernel/scheduling/scheduler.h"

#include <algorithm>
#include <map>
#include <set>

#include "kernel/base/log.h"
#include "kernel/client/collections.h"
#include "kernel/client/event_recorder.h"
#include "kernel/scheduling/cluster_feed.h"
#include "kernel/scheduling/writes.h"

namespace keelson::scheduling {
namespace {

constexpr std::string_view kFailedScheduling = "FailedScheduling";

struct Counters {
    explicit Counters(base::Metrics& metrics)
        : scheduled(attempts(metrics, "scheduled")),
          unschedulable(attempts(metrics, "unschedulable")),
          error(attempts(metrics, "error")),
          preemptions(metrics.counter("scheduler_preemption_attempts_total", "Preemptions found")),
          active(pending(metrics, "active")),
          backoff(pending(metrics, "backoff")),
          aside(pending(metrics, "unschedulable")),
          gated(pending(metrics, "gated")) {}

    static base::Counter& attempts(base::Metrics& metrics, const char* result) {
        return metrics.counter("scheduler_schedule_attempts_total", "Attempts to schedule pods",
                               {{"result", result}});
    }
    static base::Gauge& pending(base::Metrics& metrics, const char* queue) {
        return metrics.gauge("scheduler_pending_pods", "Pods that wait for a node", {{"queue", queue}});
    }

    base::Counter& scheduled;
    base::Counter& unschedulable;
    base::Counter& error;
    base::Counter& preemptions;
    base::Gauge& active;
    base::Gauge& backoff;
    base::Gauge& aside;
    base::Gauge& gated;
};

std::set<std::string> names_of(const std::vector<Profile>& profiles) {
    std::set<std::string> names;
    for (const Profile& profile : profiles) names.insert(profile.scheduler_name);
    return names;
}

// Volumes are usually bound at once; those that have to be made take their time.
constexpr base::Duration kFirstLook = std::chrono::milliseconds(10);
constexpr base::Duration kLastLook = std::chrono::seconds(1);

// What has to be done for the volumes of a pod before it can be bound.
std::vector<VolumeChoice> choices_of(const VolumePlan& plan) {
    std::vector<VolumeChoice> choices;
    const auto add = [&](const ClaimInfo& claim, std::string volume) {
        VolumeChoice choice;
        choice.claim.namespace_name = claim.namespace_name;
        choice.claim.name = claim.name;
        choice.claim_uid = claim.uid;
        choice.volume = std::move(volume);
        choices.push_back(std::move(choice));
    };
    for (const auto& [claim, volume] : plan.bindings) add(*claim, volume->name);
    for (const ClaimInfo* claim : plan.to_provision) add(*claim, "");
    return choices;
}

}  // namespace

// Shared with everything that runs beside it, so that it outlives them.
class Scheduler::Loop : public std::enable_shared_from_this<Loop> {
  public:
    Loop(SchedulerOptions options, client::Client& client, client::Informers& informers,
         base::Executor& executor, base::RandomSource& random)
        : options_(std::move(options)),
          client_(client),
          informers_(informers),
          pods_(informers.of(client::collections::pods)),
          executor_(executor),
          queue_(cluster_, options_.queue) {
        for (const Profile& profile : options_.profiles) {
            const std::string& name = profile.scheduler_name;
            deciders_.emplace(name,
                              std::make_unique<Decider>(profile, cluster_, queue_.nominations(), random));
            recorders_.emplace(name, client::EventRecorder::make(client, executor, random, name));
        }
        if (options_.metrics) counters_ = std::make_unique<Counters>(*options_.metrics);
    }

    void attach() {
        feed_ = std::make_shared<ClusterFeed>(cluster_, queue_, executor_.clock(),
                                              names_of(options_.profiles), [this] { wake(); });
        feed_->attach(informers_);
    }

    base::Task<void> run();

    void stop() {
        is_stopping_ = true;
        wake();
    }

    [[nodiscard]] SchedulerStatistics statistics() const {
        SchedulerStatistics now = statistics_;
        now.active = queue_.active();
        now.backing_off = queue_.backing_off();
        now.aside = queue_.aside();
        now.gated = queue_.gated();
        now.binding = bindings_;
        return now;
    }
    [[nodiscard]] const Cluster& cluster() const { return cluster_; }

  private:
    [[nodiscard]] base::MonotonicTime now() const { return executor_.clock().now(); }

    // run() goes on. Many calls before it does are one.
    void wake() {
        if (waiting_) waiting_->complete(true);
    }
    base::Task<void> wait_until_woken();
    base::Task<void> finish();
    void publish();

    void attempt(const PodPointer& pod);
    void place(const PodPointer& pod, const Decision& decision);
    void refuse(const PodPointer& pod, Decision decision);
    void start_preemption(const PodPointer& pod, const Preemption& preemption);

    base::Task<void> bind(PodPointer pod, std::string node, std::vector<VolumeChoice> volumes);
    base::Task<base::Result<void>> bind_volumes(std::string node, std::vector<VolumeChoice> volumes);
    void binding_failed(const PodPointer& pod, const std::string& message);
    base::Task<void> report(PodPointer pod, Refusal refusal);
    base::Task<void> preempt(PodPointer pod, std::string node, std::vector<PodPointer> victims,
                             std::vector<PodPointer> displaced);

    // The object of the pod, when the informer still has it.
    [[nodiscard]] client::ObjectPointer object_of(const PodInfo& pod) const {
        client::ObjectKey key;
        key.namespace_name = pod.namespace_name();
        key.name = pod.name;
        client::ObjectPointer object = pods_.get(key);
        return object && object->uid() == pod.uid ? object : nullptr;
    }
    [[nodiscard]] client::EventRecorder& recorder(const PodInfo& pod) {
        return *recorders_.at(pod.shape->scheduler_name);
    }
    // Runs beside the decisions; the loop ends after it.
    void spawn(base::Task<void> task) {
        ++writes_;
        base::spawn(executor_, std::move(task), [self = shared_from_this()] {
            --self->writes_;
            self->wake();
        });
    }

    SchedulerOptions options_;
    client::Client& client_;
    client::Informers& informers_;
    client::Informer& pods_;
    base::Executor& executor_;
    Cluster cluster_;
    PodQueue queue_;
    std::map<std::string, std::unique_ptr<Decider>, std::less<>> deciders_;
    std::map<std::string, std::unique_ptr<client::EventRecorder>, std::less<>> recorders_;
    std::shared_ptr<ClusterFeed> feed_;
    std::unique_ptr<Counters> counters_;
    SchedulerStatistics statistics_;
    std::optional<base::Completion<bool>> waiting_;
    std::size_t bindings_ = 0;
    std::size_t writes_ = 0;
    bool is_stopping_ = false;
};

base::Task<void> Scheduler::Loop::wait_until_woken() {
    waiting_.emplace();
    const base::Completion<bool> woken = *waiting_;
    std::shared_ptr<base::Timer> timer;
    if (const auto due = queue_.next_due())
        timer = executor_.post_at(*due, [woken] { woken.complete(true); });
    co_await woken;
    waiting_.reset();
    if (timer) timer->cancel();
}

base::Task<void> Scheduler::Loop::run() {
    const auto self = shared_from_this();
    auto synced = informers_.wait_for_sync();
    co_await synced;
    while (!is_stopping_) {
        queue_.advance(now());
        for (std::size_t count = 0; count < options_.decisions_in_a_row; ++count) {
            if (bindings_ >= options_.bindings_at_once) break;
            QueuedPod* next = queue_.take(now());
            if (!next) break;
            const PodPointer pod = next->pod;
            attempt(pod);
        }
        publish();
        if (is_stopping_) break;
        if (queue_.has_next() && bindings_ < options_.bindings_at_once) {
            const base::Completion<bool> turn;
            executor_.post([turn] { turn.complete(true); });
            co_await turn;
        } else {
            auto waiting = wait_until_woken();
            co_await waiting;
        }
    }
    auto finishing = finish();
    co_await finishing;
}

base::Task<void> Scheduler::Loop::finish() {
    while (writes_ > 0) {
        waiting_.emplace();
        const base::Completion<bool> woken = *waiting_;
        co_await woken;
        waiting_.reset();
    }
    feed_.reset();
    for (const auto& [name, recorder] : recorders_) {
        auto flushing = recorder->flush();
        co_await flushing;
    }
}

void Scheduler::Loop::publish() {
    if (!counters_) return;
    counters_->active.set(static_cast<double>(queue_.active()));
    counters_->backoff.set(static_cast<double>(queue_.backing_off()));
    counters_->aside.set(static_cast<double>(queue_.aside()));
    counters_->gated.set(static_cast<double>(queue_.gated()));
}

void Scheduler::Loop::attempt(const PodPointer& pod) {
    if (cluster_.has_pod(pod->uid)) return;
    const auto decider = deciders_.find(pod->shape->scheduler_name);
    if (decider == deciders_.end()) return queue_.remove(pod->uid);
    const std::string nominated = queue_.nominations().node_of(pod->uid);
    Decision decision = decider->second->decide(*pod, nominated);
    if (decision.is_placed())
        place(pod, decision);
    else
        refuse(pod, std::move(decision));
}

void Scheduler::Loop::place(const PodPointer& pod, const Decision& decision) {
    ++statistics_.placed;
    if (counters_) counters_->scheduled.add();
    cluster_.assume(pod, decision.node);
    queue_.nominations().remove(pod->uid);
    std::vector<VolumeChoice> volumes = choices_of(decision.volumes);
    for (const VolumeChoice& choice : volumes)
        if (!choice.volume.empty()) cluster_.storage.assumed_volumes[choice.volume] = choice.claim.text();
    ++bindings_;
    spawn(bind(pod, decision.node, std::move(volumes)));
}

void Scheduler::Loop::refuse(const PodPointer& pod, Decision decision) {
    ++statistics_.refused;
    if (counters_) counters_->unschedulable.add();
    Refusal refusal;
    refusal.reason = "Unschedulable";
    refusal.message = decision.message;
    queue_.put_aside(pod->uid, decision.refused_by, now());
    if (decision.preemption.is_found) {
        refusal.nominated_node = decision.preemption.node;
        start_preemption(pod, decision.preemption);
    } else if (decision.preemption.clears_nomination) {
        refusal.nominated_node = "";
        queue_.nominations().remove(pod->uid);
    }
    const client::ObjectPointer object = object_of(*pod);
    if (!object) return;
    recorder(*pod).record_action(object->root(), {}, client::EventType::warning, kFailedScheduling,
                                 "Scheduling", event_note(std::move(decision.message)));
    spawn(report(pod, std::move(refusal)));
}

void Scheduler::Loop::start_preemption(const PodPointer& pod, const Preemption& preemption) {
    ++statistics_.preemptions;
    if (counters_) counters_->preemptions.add();
    std::vector<PodPointer> victims;
    for (const PodPointer& victim : preemption.victims)
        if (!victim->is_being_deleted) victims.push_back(victim);
    // Whoever waits for the node with a lower priority has to look elsewhere.
    std::vector<PodPointer> displaced;
    for (const PodPointer& other : queue_.nominations().on(preemption.node))
        if (other->shape->priority < pod->shape->priority && other->uid != pod->uid)
            displaced.push_back(other);
    for (const PodPointer& other : displaced) queue_.nominations().remove(other->uid);
    queue_.nominations().set(pod, preemption.node);
    if (victims.empty() && displaced.empty()) return;
    statistics_.victims += victims.size();
    queue_.preemption_started(pod->uid);
    spawn(preempt(pod, preemption.node, std::move(victims), std::move(displaced)));
}

base::Task<void> Scheduler::Loop::report(PodPointer pod, Refusal refusal) {
    const client::ObjectPointer object = object_of(*pod);
    if (!object) co_return;
    auto writing = write_refusal(client_, object, std::move(refusal), executor_.clock().wall_now());
    const auto written = co_await writing;
    if (!written && written.error().reason() != base::Reason::not_found)
        base::log_warning("condition of an unschedulable pod not written",
                          {{"pod", object->key().text()}, {"error", written.error()}});
}

base::Task<void> Scheduler::Loop::preempt(PodPointer pod, std::string node, std::vector<PodPointer> victims,
                                          std::vector<PodPointer> displaced) {
    bool failed = false;
    for (const PodPointer& other : displaced) {
        const client::ObjectPointer object = object_of(*other);
        if (!object) continue;
        auto clearing = clear_nomination(client_, object);
        const auto cleared = co_await clearing;
        if (!cleared) base::log_warning("nomination not cleared", {{"pod", object->key().text()}});
    }
    for (const PodPointer& victim : victims) {
        const client::ObjectPointer object = object_of(*victim);
        if (!object) continue;
        auto evicting = evict(client_, object, pod->shape->scheduler_name, executor_.clock().wall_now());
        const auto evicted = co_await evicting;
        if (!evicted) {
            failed = true;
            base::log_warning("pod not preempted",
                              {{"pod", object->key().text()}, {"error", evicted.error()}});
            break;
        }
        const client::ObjectPointer preemptor = object_of(*pod);
        recorder(*pod).record_action(object->root(), preemptor ? preemptor->root() : object::Value(),
                                     client::EventType::normal, "Preempted", "Preempting",
                                     "Preempted by pod " + pod->uid + " on node " + node);
    }
    queue_.preemption_ended(pod->uid, failed, now());
}

base::Task<base::Result<void>> Scheduler::Loop::bind_volumes(std::string node,
                                                             std::vector<VolumeChoice> volumes) {
    for (const VolumeChoice& choice : volumes) {
        auto writing = write_volume_choice(client_, choice, node);
        const auto written = co_await writing;
        if (!written) co_return written.error();
    }
    const base::MonotonicTime begin = now();
    base::Duration pause = kFirstLook;
    while (!is_stopping_ && now() < begin + options_.volume_timeout) {
        bool all_bound = true;
        for (const VolumeChoice& choice : volumes) {
            const ClaimInfo* claim = cluster_.storage.claim(choice.claim.text());
            if (!claim)
                co_return base::Status(base::Reason::not_found,
                                       "persistentvolumeclaim \"" + choice.claim.name + "\" not found");
            all_bound = all_bound && claim->is_bound;
            // Whoever makes the volume cannot do it there. By then the claim is seen as it was written.
            const bool is_given_back =
                choice.volume.empty() && !claim->is_bound && claim->selected_node != node;
            if (is_given_back && now() >= begin + kLastLook)
                co_return base::Status(base::Reason::conflict,
                                       "selectedNode annotation reset for PVC \"" + choice.claim.name + "\"");
        }
        if (all_bound) co_return base::ok();
        co_await base::sleep_for(pause);
        pause = std::min(pause * 2, kLastLook);
    }
    co_return base::Status(base::Reason::timeout, "timed out waiting for the condition");
}

base::Task<void> Scheduler::Loop::bind(PodPointer pod, std::string node, std::vector<VolumeChoice> volumes) {
    std::string plugin = "PreBind plugin \"VolumeBinding\"";
    base::Result<void> done = base::ok();
    if (!volumes.empty()) {
        auto binding = bind_volumes(node, volumes);
        done = co_await binding;
    }
    if (done) {
        plugin = "Bind plugin \"DefaultBinder\"";
        auto writing = write_binding(client_, pod, node);
        done = co_await writing;
    }
    for (const VolumeChoice& choice : volumes) cluster_.storage.assumed_volumes.erase(choice.volume);
    --bindings_;
    if (!done) {
        binding_failed(pod, "running " + plugin + ": " + done.error().message());
        co_return;
    }
    ++statistics_.bound;
    const client::ObjectPointer object = object_of(*pod);
    if (!object) co_return;
    recorder(*pod).record_action(
        object->root(), {}, client::EventType::normal, "Scheduled", "Binding",
        "Successfully assigned " + pod->namespace_name() + "/" + pod->name + " to " + node);
}

void Scheduler::Loop::binding_failed(const PodPointer& pod, const std::string& message) {
    ++statistics_.failed;
    if (counters_) counters_->error.add();
    if (cluster_.is_assumed(pod->uid)) {
        cluster_.remove_pod(pod->uid);
        ClusterEvent event;
        event.kind = ClusterEvent::Kind::pod_removed;
        event.pod_before = pod.get();
        queue_.happened(event, now());
    }
    queue_.put_back(pod->uid, now());
    wake();
    const client::ObjectPointer object = object_of(*pod);
    if (!object || !queue_.find(pod->uid)) return;
    recorder(*pod).record_action(object->root(), {}, client::EventType::warning, kFailedScheduling,
                                 "Scheduling", event_note(message));
    Refusal refusal;
    refusal.reason = "SchedulerError";
    refusal.message = message;
    refusal.nominated_node = "";
    spawn(report(pod, std::move(refusal)));
}

Scheduler::Scheduler(SchedulerOptions options, client::Client& client, client::Informers& informers,
                     base::Executor& executor, base::RandomSource& random)
    : loop_(std::make_shared<Loop>(std::move(options), client, informers, executor, random)) {
    loop_->attach();
}

Scheduler::~Scheduler() {
    loop_->stop();
}

base::Task<void> Scheduler::run() {
    return loop_->run();
}

void Scheduler::stop() {
    loop_->stop();
}

SchedulerStatistics Scheduler::statistics() const {
    return loop_->statistics();
}

const Cluster& Scheduler::cluster() const {
    return loop_->cluster();
}

}  // namespace keelson::scheduling
