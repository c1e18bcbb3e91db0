#include "kernel/control/horizontal_pod_autoscaler_replicas.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/quantity.h"

namespace keelson::control::autoscaling {
namespace {

using api_types::core_v1::Container;
using api_types::core_v1::Pod;
using api_types::core_v1::PodCondition;
using base::Reason;
using base::Result;
using base::Status;

__extension__ using Wide = __int128;

constexpr std::string_view kCpu = "cpu";
using Requests = std::map<std::string, std::int64_t, std::less<>>;  // in thousandths, by the name of the pod

// A field of 32 bits holds it.
std::int64_t rounded_up(double replicas) {
    constexpr double kMost = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int64_t>(std::min(std::ceil(replicas), kMost));
}

Status no_pods() {
    return {Reason::not_found, "no pods returned by selector while calculating replica count"};
}

// The pods by what can be said of them.
struct Groups {
    std::int64_t ready = 0;
    std::vector<std::string> unready;  // their numbers mean nothing yet
    std::vector<std::string> missing;  // there are no numbers of them
};

// Whether the cpu that a pod uses is that of its start, or of a pod that does not serve.
bool is_cpu_of_start(Pod pod, const PodMetric& metric, base::WallTime now) {
    const PodCondition readiness = condition_of(pod, "Ready");
    const auto started = time_of(pod.status().start_time());
    if (!readiness.is_set() || !started) return true;
    const bool is_unready = readiness.status() == "False";
    const base::WallTime changed = time_of(readiness.last_transition_time()).value_or(base::WallTime{});
    if (*started + cpu_initialization_period > now) return is_unready || metric.at < changed + metric.window;
    return is_unready && *started + initial_readiness_delay > changed;
}

// Takes the numbers away that do not count.
Groups group_pods(const ReplicaQuestion& question, std::string_view resource, PodMetrics& metrics) {
    Groups groups;
    for (const ObjectPointer& object : question.pods) {
        const Pod pod = pod_of(object);
        const std::string& name = object->key().name;
        const auto metric = metrics.find(name);
        if (object->is_being_deleted() || is_finished(pod)) {
            if (metric != metrics.end()) metrics.erase(metric);
        } else if (pod.status().phase() == "Pending") {
            groups.unready.push_back(name);
        } else if (metric == metrics.end()) {
            groups.missing.push_back(name);
        } else if (resource == kCpu && is_cpu_of_start(pod, metric->second, question.now)) {
            groups.unready.push_back(name);
        } else {
            ++groups.ready;
        }
    }
    for (const std::string& name : groups.unready) metrics.erase(name);
    return groups;
}

struct Measured {
    double ratio = 1.0;  // to the target
    std::int64_t average_milli = 0;
    std::optional<std::int64_t> percent;
};

ReplicaAnswer answer_with(std::int64_t replicas, const Measured& measured) {
    return {replicas, measured.average_milli, measured.percent};
}

bool has_turned(double before, double now) {
    return (before < 1.0 && now > 1.0) || (before > 1.0 && now < 1.0);
}

// What is not known of pods is assumed so that less is done: of those without numbers that they work to the
// full when there are to be fewer pods, and that they do nothing when there are to be more, as those do that
// only start. `measure` gives Result<Measured> of metrics, `full` what a pod of that name uses then.
Result<ReplicaAnswer> propose(const ReplicaQuestion& question, const Groups& groups, PodMetrics metrics,
                              const auto& measure, const auto& full) {
    if (metrics.empty())
        return Status(Reason::not_found, "did not receive metrics for targeted pods (pods might be unready)");
    KEELSON_TRY(const Measured measured, measure(metrics));
    const double ratio = measured.ratio;
    const bool counts_unready = !groups.unready.empty() && ratio > 1.0;
    if (!counts_unready && groups.missing.empty()) {
        if (question.tolerance.covers(ratio)) return answer_with(question.current, measured);
        return answer_with(rounded_up(ratio * static_cast<double>(groups.ready)), measured);
    }
    if (ratio != 1.0)
        for (const std::string& name : groups.missing) metrics[name].milli = ratio < 1.0 ? full(name) : 0;
    if (counts_unready)
        for (const std::string& name : groups.unready) metrics[name].milli = 0;
    KEELSON_TRY(const Measured assumed, measure(metrics));
    if (question.tolerance.covers(assumed.ratio) || has_turned(ratio, assumed.ratio))
        return answer_with(question.current, measured);
    const std::int64_t replicas = rounded_up(assumed.ratio * static_cast<double>(metrics.size()));
    const bool is_backwards = assumed.ratio < 1.0 ? replicas > question.current : replicas < question.current;
    return answer_with(is_backwards ? question.current : replicas, measured);
}

// --- What pods request.

Result<std::int64_t> request_of_container(Pod pod, Container container, std::string_view resource) {
    const auto requests = container.resources().requests();
    if (!requests.has(resource))
        return Status(Reason::not_found, "missing request for " + std::string(resource) + " in container " +
                                             std::string(container.name()) + " of Pod " +
                                             std::string(pod.metadata().name()));
    KEELSON_TRY(const object::Quantity amount, object::Quantity::parse(requests[resource]));
    return amount.milli_value();
}

std::vector<Container> running_containers(Pod pod) {
    std::vector<Container> containers;
    for (const Container container : pod.spec().containers()) containers.push_back(container);
    for (const Container container : pod.spec().init_containers())
        if (container.restart_policy() == "Always") containers.push_back(container);
    return containers;
}

Result<std::int64_t> request_of(Pod pod, std::string_view resource, std::string_view wanted_container) {
    const auto of_pod = pod.spec().resources().requests();
    if (wanted_container.empty() && of_pod.has(resource)) {
        KEELSON_TRY(const object::Quantity amount, object::Quantity::parse(of_pod[resource]));
        return amount.milli_value();
    }
    std::int64_t sum = 0;
    bool is_found = wanted_container.empty();
    for (const Container container : running_containers(pod)) {
        if (!wanted_container.empty() && container.name() != wanted_container) continue;
        is_found = true;
        KEELSON_TRY(const std::int64_t request, request_of_container(pod, container, resource));
        sum += request;
    }
    if (!is_found)
        return Status(Reason::not_found, "container " + std::string(wanted_container) + " not found in Pod " +
                                             std::string(pod.metadata().name()));
    return sum;
}

Result<Requests> requests_of(const ObjectList& pods, std::string_view resource, std::string_view container) {
    Requests requests;
    for (const ObjectPointer& pod : pods) {
        KEELSON_TRY(const std::int64_t request, request_of(pod_of(pod), resource, container));
        requests.emplace(pod->key().name, request);
    }
    return requests;
}

// --- Measures.

Result<Measured> measure_utilization(const PodMetrics& metrics, const Requests& requests,
                                     std::int64_t target_percent) {
    Wide used = 0;
    Wide requested = 0;
    for (const auto& [name, metric] : metrics) {
        const auto request = requests.find(name);
        if (request == requests.end()) continue;
        used += metric.milli;
        requested += request->second;
    }
    if (requested == 0) return Status(Reason::not_found, "no metrics returned matched known pods");
    Measured measured;
    measured.percent = static_cast<std::int64_t>(used * 100 / requested);
    measured.average_milli = static_cast<std::int64_t>(used / static_cast<Wide>(metrics.size()));
    measured.ratio = static_cast<double>(*measured.percent) / static_cast<double>(target_percent);
    return measured;
}

Measured measure_average(const PodMetrics& metrics, std::int64_t target_milli) {
    Wide sum = 0;
    for (const auto& [name, metric] : metrics) sum += metric.milli;
    Measured measured;
    measured.average_milli = static_cast<std::int64_t>(sum / static_cast<Wide>(metrics.size()));
    measured.ratio = static_cast<double>(measured.average_milli) / static_cast<double>(target_milli);
    return measured;
}

}  // namespace

Result<ReplicaAnswer> replicas_by_utilization(const ReplicaQuestion& question, PodMetrics metrics,
                                              std::string_view resource, std::string_view container,
                                              std::int64_t target_percent) {
    if (question.pods.empty()) return no_pods();
    const Groups groups = group_pods(question, resource, metrics);
    Requests requests;
    if (!metrics.empty()) {
        KEELSON_TRY(requests, requests_of(question.pods, resource, container));
    }
    const auto measure = [&](const PodMetrics& of) {
        return measure_utilization(of, requests, target_percent);
    };
    const auto full = [&](const std::string& name) {
        return requests[name] * std::max<std::int64_t>(100, target_percent) / 100;
    };
    return propose(question, groups, std::move(metrics), measure, full);
}

Result<ReplicaAnswer> replicas_by_average(const ReplicaQuestion& question, PodMetrics metrics,
                                          std::string_view resource, std::int64_t target_milli) {
    if (question.pods.empty()) return no_pods();
    const Groups groups = group_pods(question, resource, metrics);
    const auto measure = [&](const PodMetrics& of) -> Result<Measured> {
        return measure_average(of, target_milli);
    };
    const auto full = [&](const std::string&) { return target_milli; };
    return propose(question, groups, std::move(metrics), measure, full);
}

Result<ReplicaAnswer> replicas_by_value(const ReplicaQuestion& question, std::int64_t measured_milli,
                                        std::int64_t target_milli) {
    const double ratio = static_cast<double>(measured_milli) / static_cast<double>(target_milli);
    if (question.tolerance.covers(ratio)) return ReplicaAnswer{question.current, measured_milli, {}};
    if (question.pods.empty()) return no_pods().with_context("unable to calculate ready pods: ");
    const auto ready = std::ranges::count_if(question.pods, [](const ObjectPointer& object) {
        return pod_of(object).status().phase() == "Running" && is_ready(pod_of(object));
    });
    return ReplicaAnswer{rounded_up(ratio * static_cast<double>(ready)), measured_milli, {}};
}

ReplicaAnswer replicas_by_share(const ReplicaQuestion& question, std::int64_t measured_milli,
                                std::int64_t target_milli) {
    ReplicaAnswer answer{question.current, 0, {}};
    const double wanted = static_cast<double>(measured_milli) / static_cast<double>(target_milli);
    const bool is_right =
        question.current > 0 && question.tolerance.covers(wanted / static_cast<double>(question.current));
    if (!is_right) answer.replicas = rounded_up(wanted);
    if (question.current > 0)
        answer.average_milli = static_cast<std::int64_t>(
            std::ceil(static_cast<double>(measured_milli) / static_cast<double>(question.current)));
    return answer;
}

}  // namespace keelson::control::autoscaling
