#include "kernel/control/cron_job.h"

#include <algorithm>
#include <cstdio>

#include "kernel/control/cron_schedule.h"
#include "kernel/control/job_sync.h"
#include "kernel/control/ownership.h"
#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/batch_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::batch_v1::CronJob;
using api_types::batch_v1::CronJobSpec;
using api_types::batch_v1::CronJobStatus;
using api_types::batch_v1::Job;
using api_types::core_v1::ObjectReference;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Status;
using base::Task;
using client::EventRecorder;
using client::EventType;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kCronJobs = client::collections::cron_jobs;
constexpr Collection kJobs = client::collections::jobs;
constexpr std::string_view kScheduled = "batch.kubernetes.io/cronjob-scheduled-timestamp";
constexpr std::int64_t kManyMissed = 100;
// So that a timer never fires just before its time.
constexpr base::Duration kDelay = std::chrono::milliseconds(100);

Seconds seconds_of(base::WallTime time) {
    return object::instant_of(time).seconds;
}
std::string text_of(Seconds time) {
    return object::format_time({time, 0});
}

// "Mon, 02 Jan 2006 15:04:05 UTC" (RFC 1123).
std::string long_text_of(Seconds time) {
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto utc = TimeZone::load("");
    const LocalTime local = (*utc)->local(time);
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02d %s %04lld %02d:%02d:%02d UTC", kDays[local.weekday], local.day,
                  kMonths[local.month - 1], static_cast<long long>(local.year), local.hour, local.minute,
                  local.second);
    return text;
}

// RFC 3339 in the schedule's own zone.
std::string zoned_text_of(Seconds time, const TimeZone& zone) {
    const int offset_s = zone.local(time).offset_from_utc_s;
    std::string text = text_of(time + offset_s);
    if (offset_s == 0) return text;
    text.pop_back();
    char offset[16];
    std::snprintf(offset, sizeof offset, "%c%02d:%02d", offset_s < 0 ? '-' : '+', std::abs(offset_s) / 3600,
                  std::abs(offset_s) / 60 % 60);
    return text + offset;
}

// The times of a schedule that are due.
struct Due {
    Seconds since = 0;  // looked at from here on
    std::optional<Seconds> latest;
    std::int64_t missed = 0;
};

std::optional<Due> find_due(const CronSchedule& schedule, Seconds since, Seconds now) {
    Due due;
    due.since = since;
    const auto first = schedule.next(since);
    if (!first) return std::nullopt;
    if (now < *first) return due;
    const auto second = schedule.next(*first);
    if (!second) return std::nullopt;
    due.latest = first;
    if (now < *second) return due;
    // Not each of what may be millions: about how many there were, then exactly from shortly before now.
    const Seconds interval = *second - *first;
    due.missed = (now - *first) / interval + 1;
    due.latest.reset();
    for (auto time = schedule.next(*first + (due.missed - 2) * interval); time && *time <= now;
         time = schedule.next(*time))
        due.latest = time;
    return due;
}

std::string_view end_type(const JobEnd& end) {
    return end.is_success ? "Complete" : "Failed";
}

class CronJobSync {
  public:
    CronJobSync(const Surroundings& surroundings, Writer& writer, EventRecorder& events, ObjectPointer owner,
                ObjectList jobs)
        : surroundings_(surroundings),
          writer_(writer),
          events_(events),
          owner_(std::move(owner)),
          jobs_(std::move(jobs)),
          spec_(CronJob(owner_->root()).spec()),
          changed_(owner_->clone()),
          now_(seconds_of(surroundings.now())) {}

    Task<Result<Again>> run() {
        look_at_jobs();
        auto checking = drop_missing();
        KEELSON_CO_TRY_VOID(co_await checking);
        Again again;
        std::optional<Status> failure;
        if (!owner_->is_being_deleted() && !spec_.suspend()) {
            auto scheduling = schedule();
            auto result = co_await scheduling;
            if (result)
                again = *result;
            else
                failure = result.error();
        }
        auto cleaning = clean_up();
        co_await cleaning;
        auto writing = write_status();
        KEELSON_CO_TRY_VOID(co_await writing);
        if (failure) co_return std::move(*failure);
        co_return again;
    }

  private:
    [[nodiscard]] CronJobStatus status() { return CronJob(changed_.root).make_status(changed_.arena); }

    void tell(EventType type, std::string_view reason, std::string message) {
        events_.record(owner_->root(), type, reason, std::move(message));
    }

    [[nodiscard]] bool is_listed(std::string_view uid) {
        for (const ObjectReference reference : status().active())
            if (reference.uid() == uid) return true;
        return false;
    }

    void unlist(std::string_view uid) {
        const Value active = status().active().untyped();
        for (std::size_t index = 0; index < active.items().size(); ++index) {
            if (ObjectReference(active.at(index)).uid() != uid) continue;
            active.remove_at(index);
            return;
        }
    }

    void look_at_jobs() {
        for (const ObjectPointer& job : jobs_) {
            const auto end = end_of_job(job->root());
            const bool is_known = is_listed(job->uid());
            if (!end && !is_known)
                tell(EventType::warning, "UnexpectedJob",
                     "Saw a job that the controller did not create or forgot: " + job->key().name);
            if (end && is_known) {
                unlist(job->uid());
                tell(EventType::normal, "SawCompletedJob",
                     "Saw completed job: " + job->key().name + ", condition: " + std::string(end_type(*end)));
            }
            if (!end || !end->is_success) continue;
            const std::string_view completed = Job(job->root()).status().completion_time();
            const auto before = time_of(status().last_successful_time());
            const auto time = time_of(completed);
            if (time && (!before || *time > *before))
                status().set_last_successful_time(changed_.arena, completed);
        }
    }

    // The informer may lag behind the Jobs in the list.
    Task<Result<void>> drop_missing() {
        std::vector<ObjectReference> missing;
        for (const ObjectReference reference : status().active()) {
            const auto is_it = [&](const ObjectPointer& job) { return job->uid() == reference.uid(); };
            if (std::ranges::none_of(jobs_, is_it)) missing.push_back(reference);
        }
        for (const ObjectReference& reference : missing) {
            auto getting =
                surroundings_.client.get(kJobs.address(owner_->key().namespace_name, reference.name()));
            const auto job = co_await getting;
            if (job) continue;
            if (job.error().code() != 404) co_return job.error();
            tell(EventType::normal, "MissingJob",
                 "Active job went missing: " + std::string(reference.name()));
            unlist(reference.uid());
        }
        co_return base::ok();
    }

    // --- The schedule.

    [[nodiscard]] Seconds last_looked_at() const {
        const CronJob owner(owner_->root());
        const auto last = time_of(owner.status().last_schedule_time());
        const auto created = time_of(owner.metadata().creation_timestamp());
        return seconds_of(last ? *last : created.value_or(base::WallTime{}));
    }

    // Until the next time of the schedule.
    [[nodiscard]] Again next_look(const CronSchedule& schedule) const {
        const auto due = find_due(schedule, last_looked_at(), now_);
        Seconds from = now_;
        if (due && due->latest)
            from = *due->latest;
        else if (due && due->missed == 0)
            from = due->since;
        const auto next = schedule.next(from);
        if (!next) return {};
        const base::Duration left = object::wall_time_of({*next, 0}) - surroundings_.now() + kDelay;
        return Again{std::max(left, kDelay)};
    }

    Task<Result<Again>> schedule() {
        auto parsed = CronSchedule::parse(spec_.schedule(), spec_.time_zone());
        if (!parsed) {
            tell_unreadable(parsed.error());
            co_return done();
        }
        Seconds since = last_looked_at();
        if (spec_.has_starting_deadline_seconds())
            since = std::max(since, now_ - spec_.starting_deadline_seconds());
        const auto due = find_due(*parsed, since, now_);
        if (!due) {
            tell(EventType::warning, "InvalidSchedule",
                 "invalid schedule: " + std::string(spec_.schedule()) +
                     " : time difference between two schedules is less than 1 second");
            co_return done();
        }
        const Again again = next_look(*parsed);
        if (!due->latest) co_return again;
        if (due->missed > kManyMissed)
            tell(EventType::warning, "TooManyMissedTimes",
                 "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock "
                 "skew");
        if (!is_to_start(*due->latest)) co_return again;
        auto replacing = make_room();
        KEELSON_CO_TRY_VOID(co_await replacing);
        auto starting = start(*due->latest, parsed->time_zone());
        KEELSON_CO_TRY_VOID(co_await starting);
        co_return again;
    }

    void tell_unreadable(const Status& error) {
        const std::string zone(spec_.time_zone());
        if (!zone.empty() && !TimeZone::load(zone))
            tell(EventType::warning, "UnknownTimeZone",
                 "invalid timeZone: \"" + zone + "\": unknown time zone " + zone);
        else
            tell(EventType::warning, "UnparseableSchedule",
                 "unparseable schedule: \"" + std::string(spec_.schedule()) + "\" : " + error.message());
    }

    [[nodiscard]] std::string name_for(Seconds time) const {
        return owner_->key().name + "-" + std::to_string(time / 60);
    }

    bool is_to_start(Seconds time) {
        if (spec_.has_starting_deadline_seconds() && time + spec_.starting_deadline_seconds() < now_) {
            tell(EventType::warning, "MissSchedule",
                 "Missed scheduled time to start a job: " + long_text_of(time));
            return false;
        }
        if (status().last_schedule_time() == text_of(time)) return false;
        const std::string name = name_for(time);
        for (const ObjectReference reference : status().active())
            if (reference.name() == name) return false;
        if (spec_.concurrency_policy() == "Forbid" && !status().active().empty()) {
            tell(EventType::normal, "JobAlreadyActive",
                 "Not starting job because prior execution is running and concurrency policy is Forbid");
            return false;
        }
        return true;
    }

    // Replace: what still runs goes first.
    Task<Result<void>> make_room() {
        if (spec_.concurrency_policy() != "Replace") co_return base::ok();
        ObjectList running;
        for (const ObjectPointer& job : jobs_)
            if (is_listed(job->uid())) running.push_back(job);
        for (const ObjectPointer& job : running) {
            auto removing = remove_job(job);
            KEELSON_CO_TRY_VOID(co_await removing);
        }
        co_return base::ok();
    }

    Task<Result<void>> remove_job(ObjectPointer job) {
        client::DeleteOptions options;
        options.propagation_policy = "Background";
        auto removing = writer_.remove(kJobs, job, std::move(options));
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) {
            tell(EventType::warning, "FailedDelete", "Deleted job: " + removed.error().message());
            co_return removed.error();
        }
        unlist(job->uid());
        tell(EventType::normal, "SuccessfulDelete", "Deleted job " + job->key().name);
        co_return base::ok();
    }

    Task<Result<void>> start(Seconds time, const TimeZone& zone) {
        Document made;
        fill_job(Job(made.root = Value::map(made.arena)), time, zone, made.arena);
        auto creating = writer_.create(kJobs, made.root);
        Writer::Object job = co_await creating;
        const bool is_new = job.has_value();
        if (!is_new && job.error().reason() == base::Reason::already_exists) {
            // Made by us before the status could be written.
            auto getting =
                surroundings_.client.get(kJobs.address(owner_->key().namespace_name, name_for(time)));
            job = co_await getting;
        }
        if (!job) {
            tell(EventType::warning, "FailedCreate", "Error creating job: " + job.error().message());
            co_return job.error();
        }
        const Job started(job->root);
        if (!is_ours(started)) co_return Status(base::Reason::already_exists, "the job belongs to another");
        if (is_new) tell(EventType::normal, "SuccessfulCreate", "Created job " + name_for(time));
        if (!is_listed(started.metadata().uid())) list(started);
        status().set_last_schedule_time(changed_.arena, text_of(time));
        co_return base::ok();
    }

    void fill_job(Job job, Seconds time, const TimeZone& zone, Arena& arena) const {
        const auto wanted = spec_.job_template();
        const ObjectMeta metadata = job.make_metadata(arena);
        metadata.set_name(arena, name_for(time));
        metadata.set_namespace(arena, owner_->key().namespace_name);
        for (const auto label : wanted.metadata().labels())
            metadata.make_labels(arena).set(arena, label.name, label.value);
        for (const auto annotation : wanted.metadata().annotations())
            metadata.make_annotations(arena).set(arena, annotation.name, annotation.value);
        metadata.make_annotations(arena).set(arena, kScheduled, zoned_text_of(time, zone));
        add_controller_reference(metadata, owner_->root(), arena);
        job.untyped().set(arena, "spec", wanted.spec().untyped().clone(arena));
    }

    [[nodiscard]] bool is_ours(Job job) const {
        for (const auto reference : job.metadata().owner_references())
            if (reference.controller() && reference.uid() == owner_->uid()) return true;
        return false;
    }

    void list(Job job) {
        Arena& arena = changed_.arena;
        const ObjectReference reference = status().make_active(arena).add(arena);
        reference.set_kind(arena, "Job");
        reference.set_api_version(arena, "batch/v1");
        reference.set_namespace(arena, job.metadata().namespace_());
        reference.set_name(arena, job.metadata().name());
        reference.set_uid(arena, job.metadata().uid());
        reference.set_resource_version(arena, job.metadata().resource_version());
    }

    // --- The history.

    Task<void> clean_up() {
        ObjectList succeeded;
        ObjectList failed;
        for (const ObjectPointer& job : jobs_) {
            if (job->is_being_deleted()) continue;
            if (const auto end = end_of_job(job->root()))
                (end->is_success ? succeeded : failed).push_back(job);
        }
        if (spec_.has_successful_jobs_history_limit()) {
            auto removing = remove_oldest(std::move(succeeded), spec_.successful_jobs_history_limit());
            co_await removing;
        }
        if (spec_.has_failed_jobs_history_limit()) {
            auto removing = remove_oldest(std::move(failed), spec_.failed_jobs_history_limit());
            co_await removing;
        }
    }

    Task<void> remove_oldest(ObjectList jobs, std::int64_t kept) {
        std::ranges::sort(jobs, [](const ObjectPointer& one, const ObjectPointer& other) {
            const std::string_view first = Job(one->root()).status().start_time();
            const std::string_view second = Job(other->root()).status().start_time();
            if (first != second) return second.empty() || (!first.empty() && first < second);
            return one->key().name < other->key().name;
        });
        const std::size_t limit = static_cast<std::size_t>(std::max<std::int64_t>(0, kept));
        for (std::size_t index = 0; index + limit < jobs.size(); ++index) {
            auto removing = remove_job(jobs[index]);
            const Result<void> removed = co_await removing;
            if (!removed) co_return;
        }
    }

    Task<Result<void>> write_status() {
        if (status().has_active() && status().active().empty()) status().clear_active();
        const Value before = CronJob(owner_->root()).status().untyped();
        if (status().untyped().equals(before) || (before.empty() && status().untyped().empty()))
            co_return base::ok();
        auto updating = writer_.update_status(kCronJobs, changed_.root);
        const Writer::Object updated = co_await updating;
        if (!updated) co_return updated.error();
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Writer& writer_;
    EventRecorder& events_;
    ObjectPointer owner_;
    ObjectList jobs_;
    CronJobSpec spec_;
    Document changed_;
    Seconds now_;
};

class CronJobController final : public Controller {
  public:
    explicit CronJobController(const Surroundings& surroundings)
        : surroundings_(surroundings),
          cron_jobs_(surroundings.informers.of(kCronJobs)),
          jobs_(surroundings.informers.of(kJobs)),
          events_(surroundings.recorder("cronjob-controller")) {}

    [[nodiscard]] std::string_view name() const override { return "cronjob"; }

    void watch(Queue& queue) override {
        enqueue_objects(cron_jobs_, queue);
        enqueue_controllers_of(jobs_, "CronJob", cron_jobs_, queue);
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const ObjectPointer owner = cron_jobs_.get(key);
        if (!owner) co_return done();
        CronJobSync sync(surroundings_, writer, *events_, owner, jobs_.controlled_by(owner->uid()));
        auto running = sync.run();
        co_return co_await running;
    }

  private:
    const Surroundings& surroundings_;
    Informer& cron_jobs_;
    Informer& jobs_;
    std::unique_ptr<EventRecorder> events_;
};

}  // namespace

std::unique_ptr<Controller> make_cron_job_controller(const Surroundings& surroundings) {
    return std::make_unique<CronJobController>(surroundings);
}

}  // namespace keelson::control
