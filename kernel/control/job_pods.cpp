#include "kernel/control/job_pods.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::batch_v1::Job;
using api_types::batch_v1::JobSpec;
using api_types::batch_v1::PodFailurePolicyOnExitCodesRequirement;
using api_types::batch_v1::PodFailurePolicyOnPodConditionsPattern;
using api_types::batch_v1::PodFailurePolicyRule;
using api_types::batch_v1::SuccessPolicyRule;
using api_types::core_v1::Container;
using api_types::core_v1::ContainerStatus;
using api_types::core_v1::EnvVar;
using api_types::core_v1::Pod;
using api_types::core_v1::PodCondition;
using api_types::core_v1::PodSpec;
using api_types::meta_v1::ObjectMeta;
using object::Arena;
using object::ListView;
using object::Value;

constexpr std::string_view kIndex = "batch.kubernetes.io/job-completion-index";
constexpr std::string_view kIndexPath = "metadata.labels['batch.kubernetes.io/job-completion-index']";
constexpr std::string_view kIndexVariable = "JOB_COMPLETION_INDEX";
constexpr std::string_view kIndexFailures = "batch.kubernetes.io/job-index-failure-count";
constexpr std::string_view kIgnoredIndexFailures = "batch.kubernetes.io/job-index-ignored-failure-count";

std::optional<std::int64_t> annotation_number(Pod pod, std::string_view name) {
    const std::string_view text = pod.metadata().annotations()[name];
    std::int32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

bool has_exit_code_of(ContainerStatus container, PodFailurePolicyOnExitCodesRequirement wanted) {
    const auto terminated = container.state().terminated();
    if (!terminated.is_set() || terminated.exit_code() == 0) return false;
    if (wanted.has_container_name() && wanted.container_name() != container.name()) return false;
    bool is_listed = false;
    for (const std::int64_t code : wanted.values()) is_listed |= code == terminated.exit_code();
    return is_listed == (wanted.operator_() == "In");
}

ContainerStatus find_exit(Pod pod, PodFailurePolicyOnExitCodesRequirement wanted) {
    for (const ContainerStatus container : pod.status().container_statuses())
        if (has_exit_code_of(container, wanted)) return container;
    for (const ContainerStatus container : pod.status().init_container_statuses())
        if (has_exit_code_of(container, wanted)) return container;
    return {};
}

PodCondition find_pod_condition(Pod pod, ListView<PodFailurePolicyOnPodConditionsPattern> patterns) {
    for (const PodCondition condition : pod.status().conditions())
        for (const PodFailurePolicyOnPodConditionsPattern pattern : patterns)
            if (condition.type() == pattern.type() && condition.status() == pattern.status())
                return condition;
    return {};
}

// How the rule matches, in words; nothing when it does not.
std::optional<std::string> match(PodFailurePolicyRule rule, Pod pod) {
    const std::string name =
        std::string(pod.metadata().namespace_()) + "/" + std::string(pod.metadata().name());
    if (rule.has_on_exit_codes()) {
        const ContainerStatus container = find_exit(pod, rule.on_exit_codes());
        if (!container.is_set()) return std::nullopt;
        return "Container " + std::string(container.name()) + " for pod " + name + " failed with exit code " +
               std::to_string(container.state().terminated().exit_code());
    }
    const PodCondition condition = find_pod_condition(pod, rule.on_pod_conditions());
    if (!condition.is_set()) return std::nullopt;
    return "Pod " + name + " has condition " + std::string(condition.type());
}

void add_latest_end(ListView<ContainerStatus> containers, std::optional<base::WallTime>& latest,
                    bool& has_all) {
    for (const ContainerStatus container : containers) {
        const auto end = time_of(container.state().terminated().finished_at());
        if (!end)
            has_all = false;
        else if (!latest || *end > *latest)
            latest = end;
    }
}

// Downward, so that a program finds its index.
void add_index_variable(ListView<Container> containers, Arena& arena) {
    for (const Container container : containers) {
        const ListView<EnvVar> variables = container.make_env(arena);
        bool is_there = false;
        for (const EnvVar variable : variables) is_there |= variable.name() == kIndexVariable;
        if (is_there) continue;
        const EnvVar variable = variables.add(arena);
        variable.set_name(arena, kIndexVariable);
        variable.make_value_from(arena).make_field_ref(arena).set_field_path(arena, kIndexPath);
    }
}

std::int64_t restarts_of(ListView<ContainerStatus> containers) {
    std::int64_t restarts = 0;
    for (const ContainerStatus container : containers) restarts += container.restart_count();
    return restarts;
}

}  // namespace

bool is_indexed(JobSpec spec) {
    return spec.completion_mode() == "Indexed";
}

bool replaces_failed_pods_only(JobSpec spec) {
    return spec.pod_replacement_policy() == "Failed" || spec.has_pod_failure_policy();
}

bool has_tracking_finalizer(const ObjectPointer& pod) {
    for (const std::string_view finalizer : pod_of(pod).metadata().finalizers())
        if (finalizer == job_tracking_finalizer) return true;
    return false;
}

std::vector<JobPod> look_at_pods(JobSpec spec, const ObjectList& pods) {
    std::vector<JobPod> looks;
    looks.reserve(pods.size());
    for (const ObjectPointer& object : pods) {
        JobPod look;
        look.object = object;
        const Pod pod = pod_of(object);
        look.index = is_indexed(spec) ? annotation_number(pod, kIndex) : std::nullopt;
        if (look.index && *look.index >= spec.completions()) look.index.reset();
        look.is_tracked = has_tracking_finalizer(object);
        look.is_active = is_active(pod);
        look.is_terminating = object->is_being_deleted() && !is_finished(pod);
        look.has_succeeded = pod.status().phase() == "Succeeded";
        look.has_failed =
            pod.status().phase() == "Failed" || (look.is_terminating && !replaces_failed_pods_only(spec));
        looks.push_back(std::move(look));
    }
    std::ranges::stable_sort(looks,
                             [](const JobPod& one, const JobPod& other) { return one.index < other.index; });
    return looks;
}

FailureVerdict judge_failure(JobSpec spec, Pod pod) {
    FailureVerdict verdict;
    std::size_t position = 0;
    for (const PodFailurePolicyRule rule : spec.pod_failure_policy().rules()) {
        const auto words = match(rule, pod);
        if (words) {
            verdict.is_counted = rule.action() != "Ignore";
            verdict.fails_index = rule.action() == "FailIndex";
            if (rule.action() == "FailJob")
                verdict.job_failure = *words + " matching FailJob rule at index " + std::to_string(position);
            return verdict;
        }
        ++position;
    }
    return verdict;
}

base::WallTime finish_time_of(Pod pod, base::WallTime now) {
    std::optional<base::WallTime> latest;
    bool has_all = true;
    add_latest_end(pod.status().container_statuses(), latest, has_all);
    add_latest_end(pod.status().init_container_statuses(), latest, has_all);
    if (latest && has_all) return *latest;
    const PodCondition ready = condition_of(pod, "Ready");
    if (ready.status() == "False")
        if (const auto since = time_of(ready.last_transition_time())) return *since;
    if (const auto deleted = time_of(pod.metadata().deletion_timestamp()))
        return *deleted - std::chrono::seconds(pod.metadata().deletion_grace_period_seconds());
    return time_of(pod.metadata().creation_timestamp()).value_or(now);
}

base::Duration backoff_left(std::int64_t failures, base::WallTime last_failure, base::WallTime now) {
    constexpr base::Duration kFirst = std::chrono::seconds(10);
    constexpr base::Duration kMost = std::chrono::minutes(10);
    if (failures <= 0) return base::Duration::zero();
    base::Duration pause = kFirst;
    for (std::int64_t count = 1; count < failures && pause < kMost; ++count) pause *= 2;
    return std::max(base::Duration::zero(), std::min(pause, kMost) - (now - last_failure));
}

IndexFailures index_failures_of(Pod pod) {
    return {annotation_number(pod, kIndexFailures).value_or(0),
            annotation_number(pod, kIgnoredIndexFailures).value_or(0)};
}

IndexFailures index_failures_after(JobSpec spec, const JobPod* replaced) {
    if (!replaced) return {};
    IndexFailures failures = index_failures_of(replaced->pod());
    ++(judge_failure(spec, replaced->pod()).is_counted ? failures.counted : failures.ignored);
    return failures;
}

bool has_index_failed(JobSpec spec, const JobPod& pod) {
    if (!pod.has_failed) return false;
    const FailureVerdict verdict = judge_failure(spec, pod.pod());
    if (verdict.fails_index) return true;
    return verdict.is_counted && index_failures_of(pod.pod()).counted >= spec.backoff_limit_per_index();
}

Value make_job_pod(const client::CachedObject& job, std::optional<std::int64_t> index,
                   std::optional<IndexFailures> failures, Arena& arena) {
    const Pod pod = pod_from_template(job.root(), Job(job.root()).spec().template_(), arena);
    const ObjectMeta metadata = pod.make_metadata(arena);
    bool is_tracked = false;
    for (const std::string_view finalizer : metadata.finalizers())
        is_tracked |= finalizer == job_tracking_finalizer;
    if (!is_tracked) metadata.make_finalizers(arena).add(arena, job_tracking_finalizer);
    if (!index) return pod.untyped();
    const std::string number = std::to_string(*index);
    const std::string stem = job.key().name + "-" + number;
    metadata.make_labels(arena).set(arena, kIndex, number);
    metadata.make_annotations(arena).set(arena, kIndex, number);
    // As long as a generated name may be before its last five characters.
    constexpr std::size_t kLongestPrefix = 58;
    metadata.set_generate_name(arena,
                               stem.size() < kLongestPrefix
                                   ? stem + "-"
                                   : stem.substr(0, kLongestPrefix - number.size() - 2) + "-" + number + "-");
    if (failures) {
        metadata.make_annotations(arena).set(arena, kIndexFailures, std::to_string(failures->counted));
        if (failures->ignored > 0)
            metadata.make_annotations(arena).set(arena, kIgnoredIndexFailures,
                                                 std::to_string(failures->ignored));
    }
    const PodSpec spec = pod.make_spec(arena);
    spec.set_hostname(arena, stem);
    add_index_variable(spec.init_containers(), arena);
    add_index_variable(spec.containers(), arena);
    return pod.untyped();
}

std::optional<std::string> met_success_rule(JobSpec spec, const IndexSet& succeeded) {
    std::size_t position = 0;
    for (const SuccessPolicyRule rule : spec.success_policy().rules()) {
        std::int64_t count = succeeded.size();
        std::int64_t wanted = rule.succeeded_count();
        if (rule.has_succeeded_indexes()) {
            const IndexSet required = IndexSet::parse(rule.succeeded_indexes(), spec.completions());
            count = succeeded.count_common(required);
            if (!rule.has_succeeded_count()) wanted = required.size();
        }
        if (count >= wanted) return "Matched rules at index " + std::to_string(position);
        ++position;
    }
    return std::nullopt;
}

bool has_restarted_too_often(JobSpec spec, const std::vector<JobPod>& pods) {
    if (spec.template_().spec().restart_policy() != "OnFailure") return false;
    std::int64_t restarts = 0;
    for (const JobPod& look : pods) {
        const auto status = look.pod().status();
        if (status.phase() != "Running" && status.phase() != "Pending") continue;
        restarts += restarts_of(status.container_statuses()) + restarts_of(status.init_container_statuses());
    }
    return spec.backoff_limit() == 0 ? restarts > 0 : restarts >= spec.backoff_limit();
}

ObjectList superfluous_pods(JobSpec spec, const std::vector<JobPod>& pods, std::size_t count,
                            base::WallTime now) {
    ObjectList active;
    std::map<std::string_view, std::optional<std::int64_t>> index_of;
    for (const JobPod& look : pods) {
        if (!look.is_active) continue;
        active.push_back(look.object);
        index_of[look.object->uid()] = look.index;
    }
    order_for_deletion(active, {}, now);
    ObjectList superfluous;
    ObjectList rest;
    if (is_indexed(spec)) {
        std::set<std::int64_t> seen;
        // From the back: the pod that is the last to be deleted keeps the index.
        for (auto object = active.rbegin(); object != active.rend(); ++object) {
            const auto index = index_of[(*object)->uid()];
            (index && seen.insert(*index).second ? rest : superfluous).push_back(*object);
        }
        std::ranges::reverse(rest);
    } else {
        rest = std::move(active);
    }
    for (const ObjectPointer& object : rest) {
        if (superfluous.size() >= count) break;
        superfluous.push_back(object);
    }
    return superfluous;
}

}  // namespace keelson::control
