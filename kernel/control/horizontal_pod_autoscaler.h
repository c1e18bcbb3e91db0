// HorizontalPodAutoscalers: as many replicas as the metrics of the pods ask for
// (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/).
#pragma once

#include <memory>

#include "kernel/control/controller.h"
#include "kernel/control/metrics_source.h"

namespace keelson::control {

// How often each of them looks, apart from when it is changed.
inline constexpr base::Duration autoscaler_period = std::chrono::seconds(15);

// The source outlives it.
[[nodiscard]] std::unique_ptr<Controller> make_horizontal_pod_autoscaler_controller(
    const Surroundings& surroundings, MetricsSource& metrics);

}  // namespace keelson::control
