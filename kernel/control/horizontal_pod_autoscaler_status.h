// The status of an autoscaler: what it measured, what it decided, and its conditions.
// Source:
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions.
#pragma once

#include <optional>
#include <string>

#include "kernel/control/controller.h"
#include "kernel/control/horizontal_pod_autoscaler_replicas.h"
#include "kernel/object/accessors/autoscaling_v2.h"
#include "kernel/object/conditions.h"

namespace keelson::control::autoscaling {

// What a metric is now, as the status of an autoscaler tells it.
[[nodiscard]] api_types::autoscaling_v2::MetricStatus metric_status(
    api_types::autoscaling_v2::MetricSpec metric, const ReplicaAnswer& answer, object::Arena& arena);
// What stands in the place of one that could not be read.
[[nodiscard]] api_types::autoscaling_v2::MetricStatus unknown_metric_status(object::Arena& arena);

// An autoscaler with the status that it is to get.
class StatusDraft {
  public:
    StatusDraft(ObjectPointer scaler, base::WallTime now);

    [[nodiscard]] api_types::autoscaling_v2::HorizontalPodAutoscaler object() const {
        return api_types::autoscaling_v2::HorizontalPodAutoscaler(changed_.root);
    }
    [[nodiscard]] object::Arena& arena() { return changed_.arena; }
    [[nodiscard]] object::Value root() const { return changed_.root; }

    void say(const object::ConditionState& state);
    // `desired` without a value stays what it was.
    void set_replicas(std::int64_t current, std::optional<std::int64_t> desired);
    // An unset list: nothing was measured.
    void set_metrics(object::ListView<api_types::autoscaling_v2::MetricStatus> metrics);
    void set_scaled(base::WallTime at);
    // Whether it says anything else than the status that is there.
    [[nodiscard]] bool has_changed() const;

  private:
    ObjectPointer seen_;
    base::WallTime now_;
    object::Document changed_;
};

}  // namespace keelson::control::autoscaling
