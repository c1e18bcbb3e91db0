// Jobs and cron jobs.
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::describing {
namespace {

constexpr std::size_t kLongestIndexes = 50;

void write_given(Description& out, const char* title, const Json& value, const char* unit = "") {
    if (!value.is_null()) out.field(0, title, text(value) + unit);
}

std::string indexes_text(const std::string& indexes) {
    if (indexes.size() <= kLongestIndexes) return or_none(indexes);
    const std::size_t comma = indexes.rfind(',', kLongestIndexes);
    return comma == std::string::npos ? "..." : indexes.substr(0, comma + 1) + "...";
}

void write_duration(Description& out, const Json& status) {
    const auto start = object::parse_time(text(status, {"startTime"}));
    const auto end = object::parse_time(text(status, {"completionTime"}));
    if (start && end) out.field(0, "Duration", object::human_duration(end->seconds - start->seconds));
}

void write_times(Description& out, const Json& job) {
    const Json& status = at(job, {"status"});
    const Json& start = at(status, {"startTime"});
    const Json& end = at(status, {"completionTime"});
    if (!start.is_null()) out.field(0, "Start Time", long_time(start));
    if (!end.is_null()) out.field(0, "Completed At", long_time(end));
    write_duration(out, status);
    write_given(out, "Active Deadline Seconds", at(job, {"spec", "activeDeadlineSeconds"}), "s");
}

void write_statuses(Description& out, const Json& job) {
    const auto count = [&job](const char* name) { return std::to_string(number(at(job, {"status", name}))); };
    const Json& ready = at(job, {"status", "ready"});
    const std::string and_ready = ready.is_null() ? "" : " (" + text(ready) + " Ready)";
    out.field(0, "Pods Statuses",
              count("active") + " Active" + and_ready + " / " + count("succeeded") + " Succeeded / " +
                  count("failed") + " Failed");
    if (text(job, {"spec", "completionMode"}) == "Indexed")
        out.field(0, "Completed Indexes", indexes_text(text(job, {"status", "completedIndexes"})));
}

void write_job_template(Description& out, const Json& job_template) {
    const Json& spec = at(job_template, {"spec"});
    const Json& selector = at(spec, {"selector"});
    out.field(0, "Selector", selector.is_null() ? std::string(kUnset) : format_selector(selector));
    out.field(0, "Parallelism", or_unset(at(spec, {"parallelism"})));
    out.field(0, "Completions", or_unset(at(spec, {"completions"})));
    write_given(out, "Active Deadline Seconds", at(spec, {"activeDeadlineSeconds"}), "s");
    write_pod_template(out, at(spec, {"template"}));
}

}  // namespace

void describe_job(const Context& context) {
    const Json& job = context.object;
    Description& out = context.out;
    const Json& spec = at(job, {"spec"});
    write_name(out, job);
    if (const Json& selector = at(spec, {"selector"}); !selector.is_null())
        out.field(0, "Selector", format_selector(selector));
    write_metadata(out, job);
    write_controller(out, job);
    write_given(out, "Parallelism", at(spec, {"parallelism"}));
    out.field(0, "Completions", or_unset(at(spec, {"completions"})));
    write_given(out, "Completion Mode", at(spec, {"completionMode"}));
    write_given(out, "Suspend", at(spec, {"suspend"}));
    write_given(out, "Backoff Limit", at(spec, {"backoffLimit"}));
    write_given(out, "TTL Seconds After Finished", at(spec, {"ttlSecondsAfterFinished"}));
    write_times(out, job);
    write_statuses(out, job);
    write_pod_template(out, at(spec, {"template"}));
    write_events(context);
}

void describe_cron_job(const Context& context) {
    const Json& job = context.object;
    Description& out = context.out;
    const Json& spec = at(job, {"spec"});
    write_name(out, job);
    write_metadata(out, job);
    out.field(0, "Schedule", text(spec, {"schedule"}));
    out.field(0, "Concurrency Policy", text(spec, {"concurrencyPolicy"}));
    const Json& suspended = at(spec, {"suspend"});
    out.field(0, "Suspend", suspended.is_null() ? std::string(kUnset) : yes(is_true(suspended)));
    out.field(0, "Successful Job History Limit", or_unset(at(spec, {"successfulJobsHistoryLimit"})));
    out.field(0, "Failed Job History Limit", or_unset(at(spec, {"failedJobsHistoryLimit"})));
    const Json& deadline = at(spec, {"startingDeadlineSeconds"});
    out.field(0, "Starting Deadline Seconds",
              deadline.is_null() ? std::string(kUnset) : text(deadline) + "s");
    write_job_template(out, at(spec, {"jobTemplate"}));
    const Json& last = at(job, {"status", "lastScheduleTime"});
    out.field(0, "Last Schedule Time", last.is_null() ? std::string(kUnset) : long_time(last));
    std::vector<std::string> active;
    for (const Json& one : at(job, {"status", "active"})) active.push_back(text(one, {"name"}));
    out.field(0, "Active Jobs", or_none(joined(active, ", ")));
    write_events(context);
}

}  // namespace keelson::cli::describing
