#include <set>

#include "kernel/object/validation/internal_form.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::int64_t kParallelismMost = 100000;
constexpr std::int64_t kFailedIndexesMost = 100000;
constexpr std::string_view kNeedsIndexed = "requires indexed completion mode";

void validate_exit_codes(FieldErrors& errors, const FieldPath& path, Value codes,
                         const std::set<std::string_view>& containers) {
    std::string_view operation = codes["operator"].as_string();
    if (operation.empty())
        errors.required(path.child("operator"), "valid values: [\"In\" \"NotIn\"]");
    else
        one_of(errors, path.child("operator"), operation, {"In", "NotIn"});
    if (Value name = codes["containerName"]; name.is_set() && !containers.contains(name.as_string()))
        errors.invalid(path.child("containerName"), name.as_string(),
                       "must be one of the container or initContainer names in the pod template");
    Value values = codes["values"];
    const FieldPath at = path.child("values");
    if (values.empty())
        errors.invalid(at, values, "at least one value is required");
    else if (values.size() > 255)
        errors.too_many(at, static_cast<std::int64_t>(values.size()), 255);
    std::set<std::int64_t> seen;
    bool ordered = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::int64_t value = values.at(i).as_integer();
        if (operation == "In" && value == 0)
            errors.invalid(at.index(i), value, "must not be 0 for the In operator");
        if (!seen.insert(value).second) errors.duplicate(at.index(i), value);
        if (i > 0 && values.at(i - 1).as_integer() > value) ordered = false;
    }
    if (!ordered) errors.invalid(at, values, "must be ordered");
}

void validate_failure_policy(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value rules = spec.path({"podFailurePolicy", "rules"});
    if (rules.size() > 20) errors.too_many(path.child("rules"), static_cast<std::int64_t>(rules.size()), 20);
    std::set<std::string_view> containers;
    for (std::string_view list : {"containers", "initContainers"})
        for (Value container : spec.path({"template", "spec", list}).items())
            containers.insert(container["name"].as_string());
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const FieldPath at = path.item("rules", i);
        Value rule = rules.at(i);
        std::string_view action = rule["action"].as_string();
        if (action.empty())
            errors.required(at.child("action"),
                            "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
        else if (action == "FailIndex" && spec["backoffLimitPerIndex"].is_unset())
            errors.invalid(at.child("action"), action, "requires the backoffLimitPerIndex to be set");
        else
            one_of(errors, at.child("action"), action, {"Count", "FailIndex", "FailJob", "Ignore"});
        Value codes = rule["onExitCodes"], conditions = rule["onPodConditions"];
        if (codes.is_map()) validate_exit_codes(errors, at.child("onExitCodes"), codes, containers);
        if (conditions.size() > 20)
            errors.too_many(at.child("onPodConditions"), static_cast<std::int64_t>(conditions.size()), 20);
        each(rule, "onPodConditions", at, [&](Value condition, const FieldPath& condition_path) {
            qualified_name(errors, condition_path.child("type"), condition["type"].as_string());
            std::string_view status = condition["status"].as_string();
            if (status.empty())
                errors.required(condition_path.child("status"),
                                "valid values: [\"False\" \"True\" \"Unknown\"]");
            else
                one_of(errors, condition_path.child("status"), status, {"False", "True", "Unknown"});
        });
        if (codes.is_map() && !conditions.empty())
            errors.invalid(at, BadValue::omitted(),
                           "specifying both OnExitCodes and OnPodConditions is not supported");
        if (!codes.is_map() && conditions.empty())
            errors.invalid(at, BadValue::omitted(),
                           "specifying one of OnExitCodes and OnPodConditions is required");
    }
}

// "1,3-5" below `completions`: how many indexes, or -1 with an error.
std::int64_t count_indexes(FieldErrors& errors, const FieldPath& path, std::string_view text,
                           std::int64_t completions) {
    auto fail = [&](const std::string& why) {
        errors.invalid(path, text, why);
        return std::int64_t{-1};
    };
    std::int64_t total = 0, previous = -1;
    for (std::string_view interval : split(text, ',')) {
        auto parts = split(interval, '-');
        if (parts.size() > 2)
            return fail(
                "error parsing succeededIndexes: the fragment " + go_quoted(interval) +
                " violates the requirement that an index interval can have at most two parts separated by "
                "'-'");
        std::int64_t bounds[2] = {0, 0};
        for (std::size_t i = 0; i < parts.size(); ++i) {
            bool number = !parts[i].empty() && parts[i].size() <= 9;
            for (char c : parts[i]) number = number && c >= '0' && c <= '9';
            if (!number)
                return fail("error parsing succeededIndexes: cannot convert string to integer for index: " +
                            go_quoted(parts[i]));
            for (char c : parts[i]) bounds[i] = bounds[i] * 10 + (c - '0');
            if (bounds[i] >= completions)
                return fail("error parsing succeededIndexes: too large index: " + go_quoted(parts[i]));
        }
        if (parts.size() == 1) bounds[1] = bounds[0];
        if (bounds[0] <= previous)
            return fail("error parsing succeededIndexes: non-increasing order, previous: " +
                        std::to_string(previous) + ", current: " + std::to_string(bounds[0]));
        if (bounds[1] < bounds[0])
            return fail("error parsing succeededIndexes: non-increasing order, previous: " +
                        std::to_string(bounds[0]) + ", current: " + std::to_string(bounds[1]));
        total += bounds[1] - bounds[0] + 1;
        previous = bounds[1];
    }
    return total;
}

void validate_success_policy(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value rules = spec.path({"successPolicy", "rules"});
    if (rules.empty())
        errors.required(path.child("rules"),
                        "at least one rules must be specified when the successPolicy is specified");
    if (rules.size() > 20) errors.too_many(path.child("rules"), static_cast<std::int64_t>(rules.size()), 20);
    std::int64_t completions = spec["completions"].as_integer();
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const FieldPath at = path.item("rules", i);
        Value indexes = rules.at(i)["succeededIndexes"], count = rules.at(i)["succeededCount"];
        if (indexes.is_unset() && count.is_unset())
            errors.required(at, "at least one of succeededCount or succeededIndexes must be specified");
        std::int64_t total = -1;
        if (indexes.is_set()) {
            if (indexes.size() > (64 << 10))
                errors.too_long(at.child("succeededIndexes"), 64 << 10);
            else
                total = count_indexes(errors, at.child("succeededIndexes"), indexes.as_string(), completions);
        }
        if (count.is_unset()) continue;
        not_negative(errors, at.child("succeededCount"), count);
        if (count.as_integer() > completions)
            errors.invalid(at.child("succeededCount"), count.as_integer(),
                           "must be less than or equal to " + std::to_string(completions) +
                               " (the number of specified completions)");
        if (total >= 0 && count.as_integer() > total)
            errors.invalid(at.child("succeededCount"), count.as_integer(),
                           "must be less than or equal to " + std::to_string(total) +
                               " (the number of indexes in the specified succeededIndexes field)");
    }
}

void validate_completion_mode(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value mode = spec["completionMode"];
    if (mode.is_set())
        one_of(errors, path.child("completionMode"), mode.as_string(), {"NonIndexed", "Indexed"});
    Value completions = spec["completions"], failed = spec["maxFailedIndexes"];
    if (mode.as_string() == "Indexed") {
        if (completions.is_unset())
            errors.required(path.child("completions"), "when completion mode is Indexed");
        if (spec["parallelism"].as_integer() > kParallelismMost)
            errors.invalid(path.child("parallelism"), spec["parallelism"].as_integer(),
                           "must be less than or equal to 100000 when completion mode is Indexed");
        if (completions.is_set() && failed.is_set() && failed.as_integer() > completions.as_integer())
            errors.invalid(path.child("maxFailedIndexes"), failed.as_integer(),
                           "must be less than or equal to completions");
        if (failed.as_integer() > kFailedIndexesMost)
            errors.invalid(path.child("maxFailedIndexes"), failed.as_integer(),
                           "must be less than or equal to 100000");
        if (completions.as_integer() > 100000 && spec["backoffLimitPerIndex"].is_set()) {
            constexpr std::string_view kLimit =
                "must be less than or equal to 10000 when completions are above 100000 and used with backoff "
                "limit "
                "per index";
            if (failed.is_unset())
                errors.required(path.child("maxFailedIndexes"),
                                "must be specified when completions is above 100000");
            if (spec["parallelism"].as_integer() > 10000)
                errors.invalid(path.child("parallelism"), spec["parallelism"].as_integer(), kLimit);
            if (failed.as_integer() > 10000)
                errors.invalid(path.child("maxFailedIndexes"), failed.as_integer(), kLimit);
        }
    }
    if (mode.is_unset() || mode.as_string() == "NonIndexed")
        for (std::string_view name : {"backoffLimitPerIndex", "maxFailedIndexes"})
            if (Value value = spec[name]; value.is_set())
                errors.invalid(path.child(name), value.as_integer(), kNeedsIndexed);
}

void validate_job_spec(FieldErrors& errors, const FieldPath& path, Value spec) {
    for (std::string_view name : {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
                                  "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"})
        not_negative(errors, path.child(name), spec[name]);
    if (spec["maxFailedIndexes"].is_set() && spec["backoffLimitPerIndex"].is_unset())
        errors.required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    if (Value manager = spec["managedBy"]; manager.is_set()) {
        validate_domain_prefixed_path(errors, path.child("managedBy"), manager.as_string());
        if (manager.size() > 63) errors.too_long(path.child("managedBy"), 63);
    }
    validate_completion_mode(errors, path, spec);
    if (spec["podFailurePolicy"].is_map())
        validate_failure_policy(errors, path.child("podFailurePolicy"), spec);
    if (spec["successPolicy"].is_map()) {
        if (spec["completionMode"].as_string() != "Indexed")
            errors.invalid(path.child("successPolicy"), BadValue::go_structure(spec["successPolicy"]),
                           kNeedsIndexed);
        else
            validate_success_policy(errors, path.child("successPolicy"), spec);
    }
    if (Value replacement = spec["podReplacementPolicy"]; replacement.is_set()) {
        const FieldPath at = path.child("podReplacementPolicy");
        if (spec["podFailurePolicy"].is_set())
            one_of(errors, at, replacement.as_string(), {"Failed"});
        else
            one_of(errors, at, replacement.as_string(), {"Failed", "TerminatingOrFailed"});
    }
    validate_pod_template(errors, path.child("template"), spec["template"]);
    const FieldPath restart = path.child("template.spec.restartPolicy");
    std::string_view policy = spec.path({"template", "spec", "restartPolicy"}).as_string();
    if (policy.empty() || policy == "Always")
        errors.required(restart, "valid values: \"OnFailure\", \"Never\"");
    else if (policy != "OnFailure" && policy != "Never")
        errors.not_supported(restart, policy, {"OnFailure", "Never"});
    else if (spec["podFailurePolicy"].is_set() && policy != "Never")
        errors.invalid(restart, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

void validate_whole_job_spec(FieldErrors& errors, const FieldPath& path, Value spec) {
    validate_job_spec(errors, path, spec);
    Value selector = spec["selector"];
    if (!selector.is_map())
        errors.required(path.child("selector"));
    else
        validate_label_selector(errors, path.child("selector"), selector);
    Value labels = spec.path({"template", "metadata", "labels"});
    bool matches = selector.is_map() && selector_matches(selector, labels);
    if (!matches && (selector.is_unset() || selector_is_valid(selector)))
        errors.invalid(path.child("template.metadata.labels"), BadValue::map(labels),
                       "`selector` does not match template `labels`");
}

void validate_job_update(FieldErrors& errors, const FieldPath& path, const Request& request) {
    Value spec = request.spec(), old = request.old_spec();
    validate_whole_job_spec(errors, path, spec);
    Value completions = spec["completions"];
    bool elastic = spec["completionMode"].as_string() == "Indexed" && completions.is_set() &&
                   old["completions"].is_set();
    if (!elastic) {
        immutable(errors, path.child("completions"), completions, old["completions"]);
    } else if (!same(completions, old["completions"])) {
        const FieldPath at = path.child("completions");
        if (same(spec["parallelism"], old["parallelism"]))
            errors.invalid(at, completions, "can only be modified in tandem with parallelism");
        else if (!same(completions, spec["parallelism"]))
            errors.invalid(at, completions,
                           "must be equal to parallelism when modified in tandem with parallelism");
    }
    immutable(errors, path.child("selector"), spec["selector"], old["selector"]);
    Value pod_template = spec["template"], old_template = old["template"];
    bool suspended = old["suspend"].as_boolean() && request.old.path({"status", "startTime"}).is_unset();
    if (suspended) {
        Arena& arena = *request.arena;
        Value copy = pod_template.clone(arena);
        Value pod = copy.child_map(arena, "spec"), before = old_template["spec"];
        auto restore = [&](Value into, Value from, std::string_view name) {
            if (from[name].is_set())
                into.set(arena, name, from[name]);
            else
                into.erase(name);
        };
        for (std::string_view name : {"nodeSelector", "affinity", "tolerations", "schedulingGates"})
            restore(pod, before, name);
        for (std::string_view list : {"containers", "initContainers"})
            for (std::size_t i = 0; i < pod[list].size() && i < before[list].size(); ++i)
                restore(pod[list].at(i), before[list].at(i), "resources");
        Value metadata = copy.child_map(arena, "metadata");
        for (std::string_view name : {"labels", "annotations"})
            restore(metadata, old_template["metadata"], name);
        if (!copy.equals(old_template))
            errors.invalid(path.child("template"), BadValue::raw(internal_template(pod_template)),
                           kImmutable);
    } else if (!same(pod_template, old_template)) {
        errors.invalid(path.child("template"), BadValue::raw(internal_template(pod_template)), kImmutable);
    }
    for (std::string_view name :
         {"completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"})
        immutable(errors, path.child(name), spec[name], old[name]);
}

void validate_job_status(FieldErrors& errors, const Request& request) {
    const FieldPath path("status");
    Value status = request.object["status"];
    for (std::string_view name : {"active", "succeeded", "failed"})
        not_negative(errors, path.child(name), status[name]);
    auto is_true = [&](std::string_view type) {
        for (Value condition : status["conditions"].items())
            if (condition["type"].as_string() == type && condition["status"].as_string() == "True")
                return true;
        return false;
    };
    bool complete = is_true("Complete"), failed = is_true("Failed");
    if (complete && failed)
        errors.invalid(path.child("conditions"), BadValue::omitted(),
                       "cannot set Complete=True and Failed=true conditions");
    if (status["completionTime"].is_set() && !complete)
        errors.invalid(path.child("completionTime"), status["completionTime"],
                       "cannot set completionTime when there is no Complete=True condition");
    if (complete && status["completionTime"].is_unset())
        errors.required(path.child("completionTime"), "completionTime is required for Complete jobs");
    if ((complete || failed) && status["startTime"].is_unset())
        errors.required(path.child("startTime"), "startTime is required for finished job");
    if ((complete || failed) && status["active"].as_integer() > 0)
        errors.invalid(path.child("active"), status["active"].as_integer(),
                       "active>0 is invalid for finished job");
    if (status["ready"].as_integer() > status["active"].as_integer())
        errors.invalid(path.child("ready"), status["ready"].as_integer(),
                       "cannot set more ready pods than active");
}

}  // namespace

void check_job(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath metadata("metadata");
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (request.subresource == "status") return validate_job_status(errors, request);
        return validate_job_update(errors, path, request);
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    Value spec = request.spec();
    validate_whole_job_spec(errors, path, spec);
    if (spec["completionMode"].as_string() != "Indexed" || spec["completions"].as_integer() <= 0) return;
    std::string_view name = request.object.path({"metadata", "name"}).as_string();
    std::string host = std::string(name) + "-" + std::to_string(spec["completions"].as_integer() - 1);
    if (!is_dns1123_label(host).empty())
        errors.invalid(metadata.child("name"), name,
                       "will not able to create pod with invalid DNS label: " + host);
}

void check_cron_job(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath metadata("metadata");
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") return;
    if (!request.is_update()) validate_object_meta(errors, request, name_is_dns_subdomain);
    Value spec = request.spec();
    std::string_view schedule = spec["schedule"].as_string();
    if (schedule.empty()) {
        errors.required(path.child("schedule"));
    } else {
        if (std::string error = cron_schedule_error(schedule); !error.empty())
            errors.invalid(path.child("schedule"), schedule, error);
        if (schedule.find("TZ") != std::string_view::npos && spec["timeZone"].is_set())
            errors.invalid(path.child("schedule"), schedule,
                           "cannot use both timeZone field and TZ or CRON_TZ in schedule");
        else if (schedule.find("TZ") != std::string_view::npos &&
                 request.old_spec()["schedule"].as_string() != schedule)
            errors.invalid(path.child("schedule"), schedule,
                           "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    }
    not_negative(errors, path.child("startingDeadlineSeconds"), spec["startingDeadlineSeconds"]);
    if (Value zone = spec["timeZone"]; zone.is_set()) {
        std::string_view name = zone.as_string();
        if (name.empty())
            errors.invalid(path.child("timeZone"), name, "timeZone must be nil or non-empty string");
        else if (lower_case(name) == "local")
            errors.invalid(
                path.child("timeZone"), name,
                "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    }
    std::string_view concurrency = spec["concurrencyPolicy"].as_string();
    if (concurrency.empty())
        errors.required(path.child("concurrencyPolicy"));
    else
        one_of(errors, path.child("concurrencyPolicy"), concurrency, {"Allow", "Forbid", "Replace"});
    Value job = spec.path({"jobTemplate", "spec"});
    const FieldPath job_path = path.child("jobTemplate.spec");
    validate_job_spec(errors, job_path, job);
    if (job["selector"].is_set())
        errors.invalid(job_path.child("selector"), job["selector"], "`selector` will be auto-generated");
    if (job["manualSelector"].as_boolean())
        errors.not_supported(job_path.child("manualSelector"), true, {"nil", "false"});
    not_negative(errors, path.child("successfulJobsHistoryLimit"), spec["successfulJobsHistoryLimit"]);
    not_negative(errors, path.child("failedJobsHistoryLimit"), spec["failedJobsHistoryLimit"]);
    std::string_view name = request.object.path({"metadata", "name"}).as_string();
    if (!request.is_update() && name.size() > 52)
        errors.invalid(metadata.child("name"), name, "must be no more than 52 characters");
}

}  // namespace keelson::object::validation
