#include "kernel/control/horizontal_pod_autoscaler_metrics.h"

#include <limits>
#include <utility>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"

namespace keelson::control::autoscaling {
namespace {

using api_types::autoscaling_v2::ExternalMetricSource;
using api_types::autoscaling_v2::MetricIdentifier;
using api_types::autoscaling_v2::MetricSpec;
using api_types::autoscaling_v2::ObjectMetricSource;
using api_types::autoscaling_v2::PodsMetricSource;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;

std::int64_t milli_of(std::string_view amount) {
    const auto parsed = object::Quantity::parse(amount);
    return parsed ? parsed->milli_value() : 0;
}

MetricProposal failed(std::string reason, std::string message, std::string error) {
    MetricProposal proposal;
    proposal.failure = MetricFailure{std::move(reason), std::move(message), std::move(error)};
    return proposal;
}

MetricProposal proposed(const ReplicaAnswer& answer, std::string description) {
    MetricProposal proposal;
    proposal.answer = answer;
    proposal.description = std::move(description);
    return proposal;
}

// What the whole pod uses, or one container of it; nothing when that is not known.
std::optional<std::int64_t> usage_of(const PodUsage& usage, std::string_view resource,
                                     std::string_view container) {
    std::optional<std::int64_t> sum;
    for (const ContainerUsage& one : usage.containers) {
        if (!container.empty() && one.name != container) continue;
        const auto amount = one.milli.find(resource);
        if (amount == one.milli.end()) return std::nullopt;
        sum = sum.value_or(0) + amount->second;
    }
    return sum;
}

PodMetrics metrics_of(const std::vector<PodUsage>& usages, std::string_view resource,
                      std::string_view container) {
    PodMetrics metrics;
    for (const PodUsage& usage : usages)
        if (const auto amount = usage_of(usage, resource, container))
            metrics[usage.pod] = {*amount, usage.at, usage.window};
    return metrics;
}

// A selector as Kubernetes' messages print it.
std::string printed_selector(MetricIdentifier metric) {
    if (!metric.has_selector()) return "nil";
    std::string labels;
    std::string expressions;
    for (const auto label : metric.selector().match_labels())
        labels.append(label.name).append(": ").append(label.value) += ",";
    for (const auto requirement : metric.selector().match_expressions()) {
        std::string values;
        for (const std::string_view value : requirement.values())
            values.append(values.empty() ? "" : " ").append(value);
        expressions.append("LabelSelectorRequirement{Key:").append(requirement.key());
        expressions.append(",Operator:").append(requirement.operator_());
        expressions.append(",Values:[").append(values) += "],},";
    }
    return "&LabelSelector{MatchLabels:map[string]string{" + labels +
           "},MatchExpressions:[]LabelSelectorRequirement{" + expressions + "},}";
}

Status no_metrics(std::string_view api) {
    return {Reason::not_found, "no metrics returned from " + std::string(api) + " metrics API"};
}

std::string fetching(std::string_view api) {
    return "unable to fetch metrics from " + std::string(api) + " metrics API: ";
}

}  // namespace

ReplicaQuestion MetricReader::question(std::int64_t current) const {
    return {current, scaled_.tolerance, scaled_.pods, scaled_.now};
}

Result<MetricQuery> MetricReader::query_of(Identifier metric) const {
    MetricQuery query{scaled_.namespace_name, std::string(metric.name()), {}};
    if (metric.has_selector()) {
        KEELSON_TRY(query.labels, object::LabelSelector::from_object(metric.selector().untyped()));
    }
    return query;
}

// For numbers that are not of single pods.
Result<ReplicaAnswer> MetricReader::answer_for(Target target, bool is_average,
                                               std::int64_t measured_milli) const {
    if (is_average)
        return replicas_by_share(question(scaled_.status_replicas), measured_milli,
                                 milli_of(target.average_value()));
    return replicas_by_value(question(scaled_.spec_replicas), measured_milli, milli_of(target.value()));
}

Task<MetricProposal> MetricReader::read(MetricSpec metric) {
    const std::string_view type = metric.type();
    if (type == "Resource") {
        auto reading = read_usage(std::string(metric.resource().name()), {}, metric.resource().target());
        co_return co_await reading;
    }
    if (type == "ContainerResource") {
        const auto source = metric.container_resource();
        auto reading =
            read_usage(std::string(source.name()), std::string(source.container()), source.target());
        co_return co_await reading;
    }
    if (type == "Pods") {
        auto reading = read_pods(metric.pods());
        co_return co_await reading;
    }
    if (type == "Object") {
        auto reading = read_object(metric.object());
        co_return co_await reading;
    }
    if (type == "External") {
        auto reading = read_external(metric.external());
        co_return co_await reading;
    }
    const std::string message = "unknown metric source type \"" + std::string(type) + "\"";
    co_return failed("InvalidMetricSourceType", message, message);
}

Result<ReplicaAnswer> MetricReader::answer_for_usage(const std::string& resource,
                                                     const std::string& container, Target target) const {
    const std::string unable = "unable to get metrics for resource " + resource + ": ";
    const auto& usage = *usage_;
    if (!usage) return Status(usage.error()).with_context(unable + fetching("resource"));
    if (usage->empty()) return no_metrics("resource").with_context(unable);
    PodMetrics metrics = metrics_of(*usage, resource, container);
    const ReplicaQuestion asked = question(scaled_.spec_replicas);
    if (target.has_average_value())
        return replicas_by_average(asked, std::move(metrics), resource, milli_of(target.average_value()));
    return replicas_by_utilization(asked, std::move(metrics), resource, container,
                                   target.average_utilization());
}

Task<MetricProposal> MetricReader::read_usage(std::string resource, std::string container, Target target) {
    const bool is_amount = target.has_average_value();
    const bool of_container = !container.empty();
    if (!usage_) {
        auto asking = source_.usage_of_pods(scaled_.namespace_name, scaled_.selector);
        usage_ = co_await asking;
    }
    const Result<ReplicaAnswer> answer = answer_for_usage(resource, container, target);
    if (answer && is_amount) co_return proposed(*answer, resource + " resource");
    if (answer)
        co_return proposed(*answer, resource + (of_container ? " container" : "") +
                                        " resource utilization (percentage of request)");
    const std::string message =
        "failed to get " + resource + (is_amount ? " usage: " : " utilization: ") + answer.error().message();
    if (of_container)
        co_return failed("FailedGetContainerResourceMetric", message,
                         "failed to get " + container + " container metric value: " + message);
    co_return failed("FailedGetResourceMetric", message,
                     "failed to get " + resource + " resource metric value: " + message);
}

Task<MetricProposal> MetricReader::read_pods(PodsMetricSource metric) {
    const std::string name(metric.metric().name());
    Result<ReplicaAnswer> answer = no_metrics("custom");
    if (auto query = query_of(metric.metric()); !query) {
        answer = query.error();
    } else {
        auto asking = source_.of_pods(std::move(*query), scaled_.selector);
        const auto samples = co_await asking;
        const std::string unable = "unable to get metric " + name + ": ";
        PodMetrics metrics;
        if (samples)
            for (const PodSample& sample : *samples)
                metrics[sample.pod] = {sample.milli, sample.at, sample.window};
        if (!samples)
            answer = Status(samples.error()).with_context(unable + fetching("custom"));
        else if (samples->empty())
            answer = no_metrics("custom").with_context(unable);
        else
            answer = replicas_by_average(question(scaled_.spec_replicas), std::move(metrics), {},
                                         milli_of(metric.target().average_value()));
    }
    if (answer) co_return proposed(*answer, "pods metric " + name);
    const std::string& message = answer.error().message();
    co_return failed("FailedGetPodsMetric", message, "failed to get pods metric value: " + message);
}

Task<MetricProposal> MetricReader::read_object(ObjectMetricSource metric) {
    const auto about = metric.described_object();
    const std::string name(metric.metric().name());
    const bool is_average = metric.target().type() == "AverageValue";
    Result<ReplicaAnswer> answer = no_metrics("custom");
    if (auto query = query_of(metric.metric()); !query) {
        answer = query.error();
    } else {
        auto asking = source_.of_object(
            std::move(*query),
            {std::string(about.api_version()), std::string(about.kind()), std::string(about.name())});
        const Result<std::int64_t> measured = co_await asking;
        if (measured)
            answer = answer_for(metric.target(), is_average, *measured);
        else
            answer = Status(measured.error())
                         .with_context("unable to get metric " + name + " on " + std::string(about.kind()) +
                                       " " + scaled_.namespace_name + "/" + std::string(about.name()) + ": " +
                                       fetching("custom"));
    }
    if (answer)
        co_return proposed(
            *answer, is_average ? "external metric " + name + "(" + printed_selector(metric.metric()) + ")"
                                : std::string(about.kind()) + " metric " + name);
    const std::string& message = answer.error().message();
    const std::string while_averaging = is_average ? "failed to get " + name + " object metric: " : "";
    co_return failed("FailedGetObjectMetric", message,
                     "failed to get object metric value: " + while_averaging + message);
}

Task<MetricProposal> MetricReader::read_external(ExternalMetricSource metric) {
    const std::string name(metric.metric().name());
    const std::string selector = printed_selector(metric.metric());
    const bool is_average = metric.target().has_average_value();
    Result<ReplicaAnswer> answer = no_metrics("external");
    if (auto query = query_of(metric.metric()); !query) {
        answer = query.error();
    } else {
        const std::string unable =
            "unable to get external metric " + scaled_.namespace_name + "/" + name + "/" + selector + ": ";
        auto asking = source_.external(std::move(*query));
        const auto measured = co_await asking;
        std::int64_t sum = 0;
        if (measured)
            for (const std::int64_t one : *measured)
                if (__builtin_add_overflow(sum, one, &sum)) sum = std::numeric_limits<std::int64_t>::max();
        if (!measured)
            answer = Status(measured.error()).with_context(unable + fetching("external"));
        else if (measured->empty())
            answer = no_metrics("external").with_context(unable);
        else
            answer = answer_for(metric.target(), is_average, sum);
    }
    if (answer) co_return proposed(*answer, "external metric " + name + "(" + selector + ")");
    const std::string& message = answer.error().message();
    const std::string whole = is_average ? "failed to get " + name + " external metric: "
                                         : "failed to get external metric " + name + ": ";
    co_return failed("FailedGetExternalMetric", message,
                     "failed to get " + name + " external metric value: " + whole + message);
}

}  // namespace keelson::control::autoscaling
