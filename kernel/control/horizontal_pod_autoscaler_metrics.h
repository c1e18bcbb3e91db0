// The metrics of one autoscaler: reads what they measure, and says how many replicas each of them asks for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/control/horizontal_pod_autoscaler_replicas.h"
#include "kernel/control/metrics_source.h"
#include "kernel/object/accessors/autoscaling_v2.h"
#include "kernel/object/selector.h"

namespace keelson::control::autoscaling {

// Whom the metrics are about.
struct ScaledPods {
    std::string namespace_name;
    object::LabelSelector selector;
    std::int64_t spec_replicas = 0;    // that there are to be
    std::int64_t status_replicas = 0;  // that there are
    Tolerance tolerance;
    ObjectList pods;
    base::WallTime now{};
};

// Why a metric says nothing.
struct MetricFailure {
    std::string reason;   // of the event and of the condition: "FailedGetResourceMetric"
    std::string message;  // of the event
    std::string error;    // with what was being done
};

struct MetricProposal {
    ReplicaAnswer answer;
    std::string description;  // "cpu resource utilization (percentage of request)"
    std::optional<MetricFailure> failure;
};

// For one look at one autoscaler: what the pods use is asked for once.
class MetricReader {
  public:
    // Both outlive it.
    MetricReader(MetricsSource& source, const ScaledPods& scaled) : source_(source), scaled_(scaled) {}
    // The metric lives until the task has ended.
    [[nodiscard]] base::Task<MetricProposal> read(api_types::autoscaling_v2::MetricSpec metric);

  private:
    using Target = api_types::autoscaling_v2::MetricTarget;
    using Identifier = api_types::autoscaling_v2::MetricIdentifier;
    using Answer = base::Result<ReplicaAnswer>;

    // Of one container of each pod, or of the whole pods without one.
    [[nodiscard]] base::Task<MetricProposal> read_usage(std::string resource, std::string container,
                                                        Target target);
    [[nodiscard]] base::Task<MetricProposal> read_pods(api_types::autoscaling_v2::PodsMetricSource metric);
    [[nodiscard]] base::Task<MetricProposal> read_object(
        api_types::autoscaling_v2::ObjectMetricSource metric);
    [[nodiscard]] base::Task<MetricProposal> read_external(
        api_types::autoscaling_v2::ExternalMetricSource metric);
    [[nodiscard]] base::Result<MetricQuery> query_of(Identifier metric) const;
    [[nodiscard]] ReplicaQuestion question(std::int64_t current) const;
    [[nodiscard]] Answer answer_for_usage(const std::string& resource, const std::string& container,
                                          Target target) const;
    [[nodiscard]] Answer answer_for(Target target, bool is_average, std::int64_t measured_milli) const;

    MetricsSource& source_;
    const ScaledPods& scaled_;
    std::optional<base::Result<std::vector<PodUsage>>> usage_;
};

}  // namespace keelson::control::autoscaling
